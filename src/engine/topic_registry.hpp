// The topics of a producer, by name: what handles point to, and where threads that are on no shard find out how a topic is
// partitioned.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "cluster/snapshot.hpp"
#include "sluice/record.hpp"
#include "sluice/topic.hpp"

namespace sluice {

class producer_core;
class shard_topic;

// Owner: shared. `at_shard[i]` is read and written by shard i only; the atomics say who writes them.
class topic_entry : public std::enable_shared_from_this<topic_entry> {
public:
    topic_entry(std::string_view name_, std::uint32_t index_, std::size_t shard_count,
                const producer_core* of_)
        : name(name_), hash(stable_hash(name_)), index(index_), of(of_), at_shard(shard_count) {}

    const shared_text name;
    const std::uint64_t hash;  // the same in every process: decides which shard owns which partition
    const std::uint32_t index;
    const producer_core* const of;
    std::vector<shard_topic*> at_shard;

    // How a thread that is on no shard sends to this topic:
    //   directly to the owner     once the partition count is published AND nothing is under way through the home shard
    //   through the home shard    before; it forwards in order when the topic is known
    // so that what a thread sent through the home shard is never overtaken by what it sends directly.
    std::atomic<std::int32_t> published_partition_count{
        0};                                     // written by the home shard, after it has forwarded
    std::atomic<std::int32_t> routed_count{0};  // records under way through the home shard

    // Where records without a key go, from all threads and shards alike, when the partitions cannot be shared out evenly;
    // else any_partition: each shard chooses among its own. Moved on by the shard that owns it.
    std::atomic<std::int32_t> common_choice{any_partition};

    std::uint32_t owner_of(std::int32_t partition, std::size_t shard_count) const noexcept {
        return static_cast<std::uint32_t>((hash + static_cast<std::uint32_t>(partition)) % shard_count);
    }

private:
    static std::uint64_t stable_hash(std::string_view name) noexcept {  // FNV-1a
        std::uint64_t hash = 14695981039346656037u;
        for (const char each : name) hash = (hash ^ static_cast<unsigned char>(each)) * 1099511628211u;
        return hash ^ (hash >> 32);
    }
};

// The way from an entry to a handle.
struct topic_access {
    static topic handle(std::shared_ptr<topic_entry> entry) { return topic(std::move(entry)); }
};

// Owner: shared; a mutex. Handles and shards look a name up once.
class topic_registry {
public:
    topic_registry(std::size_t shard_count, const producer_core* of) : shard_count_(shard_count), of_(of) {}

    std::shared_ptr<topic_entry> find_or_add(std::string_view name) {
        const std::lock_guard lock(mutex_);
        const auto found = topics_.find(name);
        if (found != topics_.end()) return found->second;
        auto made = std::make_shared<topic_entry>(name, static_cast<std::uint32_t>(topics_.size()),
                                                  shard_count_, of_);
        topics_.emplace(std::string(name), made);
        return made;
    }

private:
    std::size_t shard_count_;
    const producer_core* of_;
    std::mutex mutex_;
    by_name<std::shared_ptr<topic_entry>> topics_;
};

}  // namespace sluice
