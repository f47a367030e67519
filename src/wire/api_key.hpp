// The requests that Sluice knows, by Kafka's numbers, and the versions of each that it sends.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "wire/version_range.hpp"

namespace sluice::wire {

enum class api_key : std::int16_t {
    produce = 0,
    metadata = 3,
    find_coordinator = 10,
    sasl_handshake = 17,
    api_versions = 18,
    create_topics = 19,
    init_producer_id = 22,
    add_partitions_to_txn = 24,
    add_offsets_to_txn = 25,
    end_txn = 26,
    txn_offset_commit = 28,
    sasl_authenticate = 36,
    get_telemetry_subscriptions = 71,
    push_telemetry = 72
};

struct api {
    api_key key;
    std::string_view name;   // Kafka's: "InitProducerId"
    version_range versions;  // that a client of ours sends (VER-5); a message may be known in more, for tests
    std::int16_t flexible_from;  // requests and responses alike
};

inline constexpr std::int16_t never_flexible = version_max;

// What has no version that we speak on purpose: Produce below 3 (VER-9, message formats of before 2017),
// Metadata 0 (an empty list means all topics there), FindCoordinator 0 (groups only) and 6 (share groups),
// InitProducerId 6 (marked unstable, and carries nothing that we send), AddPartitionsToTxn above 3 (between
// brokers, VER-7).
inline constexpr std::array<api, 14> apis{{
    {api_key::produce, "Produce", {3, 13}, 9},
    {api_key::metadata, "Metadata", {1, 13}, 9},
    {api_key::find_coordinator, "FindCoordinator", {1, 5}, 3},
    {api_key::sasl_handshake, "SaslHandshake", {0, 1}, never_flexible},
    {api_key::api_versions, "ApiVersions", {0, 5}, 3},
    {api_key::create_topics, "CreateTopics", {2, 7}, 5},
    {api_key::init_producer_id, "InitProducerId", {0, 5}, 2},
    {api_key::add_partitions_to_txn, "AddPartitionsToTxn", {0, 3}, 3},
    {api_key::add_offsets_to_txn, "AddOffsetsToTxn", {0, 4}, 3},
    {api_key::end_txn, "EndTxn", {0, 5}, 3},
    {api_key::txn_offset_commit, "TxnOffsetCommit", {0, 6}, 3},
    {api_key::sasl_authenticate, "SaslAuthenticate", {0, 2}, 2},
    {api_key::get_telemetry_subscriptions, "GetTelemetrySubscriptions", {0, 0}, 0},
    {api_key::push_telemetry, "PushTelemetry", {0, 0}, 0},
}};

// nullptr for a key that is not in `apis` (a broker's list has many).
constexpr const api* find_api(api_key key) noexcept {
    for (const api& entry : apis) {
        if (entry.key == key) return &entry;
    }
    return nullptr;
}
constexpr const api* find_api(std::int16_t key) noexcept {
    return find_api(static_cast<api_key>(key));
}

// "Produce"; "?" for a key that is not in `apis`.
constexpr std::string_view name_of(api_key key) noexcept {
    const api* entry = find_api(key);
    return entry != nullptr ? entry->name : "?";
}

// Whether that version of the API has compact lengths and tagged fields (KIP-482). False for unknown keys.
constexpr bool is_flexible(api_key key, std::int16_t version) noexcept {
    const api* entry = find_api(key);
    return entry != nullptr && version >= entry->flexible_from;
}

}  // namespace sluice::wire
