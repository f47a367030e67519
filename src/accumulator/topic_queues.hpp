// One topic as one shard sees it: the queues of the partitions that the shard owns.
#pragma once

#include <cstdint>
#include <vector>

#include "accumulator/partition_queue.hpp"
#include "memory/slab.hpp"
#include "record/compression_ratio.hpp"
#include "wire/uuid.hpp"

namespace sluice {

// Owner: one shard. Made when the topic is first known, kept as long as the shard.
class topic_queues {
public:
    topic_queues(std::string_view name_, std::uint32_t index_) : name(name_), index(index_) {}

    shared_text name;
    std::uint32_t index;  // counts this shard's topics as they are made; orders requests
    wire::uuid id;        // zero while unknown
    std::int32_t partition_count = 0;
    compression_ratio ratio;
    std::vector<partition_queue*> queues;  // by partition; nullptr: not used yet, or another shard's

    partition_queue* find(std::int32_t partition) noexcept {
        return static_cast<std::size_t>(partition) < queues.size()
                   ? queues[static_cast<std::size_t>(partition)]
                   : nullptr;
    }
};

}  // namespace sluice
