// What is known of the cluster at one moment (MD-2, MD-17). Immutable: a response makes a new one, which shares the
// nodes of all topics that did not change.
//
// Owner: shared, immutable. Shards hold a shared_ptr that they replace by message; the hot path looks at none of this,
// each shard keeps its own leaders (engine/shard_topic).
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/endpoint.hpp"
#include "sluice/shared_text.hpp"
#include "wire/uuid.hpp"

namespace sluice {

inline constexpr std::int32_t no_node = -1;

struct broker_node {
    std::int32_t id = no_node;
    host_port address;
    std::optional<std::string> rack;

    friend bool operator==(const broker_node&, const broker_node&) = default;
};

struct partition_node {
    std::int32_t leader = no_node;  // none, or one that the response did not name as a broker (MD-21)
    std::int32_t leader_epoch = -1;
    std::uint32_t placement = 0;  // where its own begins in the topic's `placements`

    friend bool operator==(const partition_node&, const partition_node&) = default;
};
static_assert(sizeof(partition_node) == 12, "there may be a hundred thousand");

// The ids of the brokers that have a partition's records.
struct partition_placement {
    std::span<const std::int32_t> replicas;
    std::span<const std::int32_t> in_sync_replicas;
    std::span<const std::int32_t> offline_replicas;
};

struct topic_node {
    shared_text name;
    wire::uuid id;
    bool is_internal = false;
    std::vector<partition_node> partitions;  // by partition
    // placement = replicas in_sync_replicas offline_replicas      list = count id*
    // Each is here once: partitions share a few of them. The first is that of a partition of which nothing was told.
    std::vector<std::int32_t> placements{0, 0, 0};

    // Views into `placements`.
    partition_placement placement_of(const partition_node& partition) const noexcept;
    std::int32_t partition_count() const noexcept { return static_cast<std::int32_t>(partitions.size()); }
    friend bool operator==(const topic_node&, const topic_node&) = default;
};

// Hashes names given as std::string_view too.
struct name_hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const noexcept {
        return std::hash<std::string_view>()(name);
    }
};
template <class Value>
using by_name = boost::unordered_flat_map<std::string, Value, name_hash, std::equal_to<>>;

struct snapshot {
    std::uint64_t version = 0;         // counts snapshots
    std::vector<broker_node> brokers;  // by id, ascending
    by_name<std::shared_ptr<const topic_node>> topics;
    by_name<std::int16_t>
        topic_errors;  // of the last response, by topic: why it is not in `topics`, or not quite
    std::optional<std::string> cluster_id;
    std::int32_t controller = no_node;

    const broker_node* find_broker(std::int32_t id) const noexcept;
    const topic_node* find_topic(std::string_view name) const noexcept;
    // 0 if the last response had nothing against it.
    std::int16_t error_of(std::string_view topic) const noexcept;
};

}  // namespace sluice
