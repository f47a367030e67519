// What the sender has for one broker: the queues of the partitions it leads that have something to send.
#pragma once

#include <cstdint>
#include <vector>

#include "accumulator/partition_queue.hpp"
#include "wire/uuid.hpp"

namespace sluice {

// Owner: one shard.
class broker_queue {
public:
    explicit broker_queue(std::int32_t node_id_) noexcept : node_id(node_id_) {}

    std::int32_t node_id;
    bool is_usable = false;                        // connected, negotiated
    bool is_active = false;                        // on the sender's list of those with something in `ready`
    std::uint32_t in_flight_count = 0;             // Produce requests without an answer
    list_of<partition_queue, sendable_tag> ready;  // the longest waiting first
};

// One Produce request: the batches in it, ordered by topic. The bytes are the driver's.
struct produce_attempt {
    broker_queue* broker = nullptr;
    std::vector<batch*> batches;
    std::vector<wire::uuid>
        topic_ids;  // by batch, as encoded: metadata may change them before the answer comes
    std::int16_t version = 0;
};

}  // namespace sluice
