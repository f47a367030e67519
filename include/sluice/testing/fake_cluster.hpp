// An Apache Kafka cluster in memory, for tests: brokers that speak the real protocol and keep a leader's real
// rules.
//
//   fake_cluster cluster({.broker_count = 3});
//   cluster.create_topic("orders", {.partition_count = 12});
//   ...                                       a producer talks to it, see below
//   for (const log_record& record : cluster.records("orders", 0)) ...
//
// It does no I/O, reads no clock and draws no random numbers: the same calls give the same bytes. What
// carries bytes to it is somebody else's:
//
//   fake_cluster_server       TCP on loopback, real time, any client in any language
//   fake_broker_connection    one connection without I/O, for simulations and other transports
//
// Which of Kafka's rules hold, and which do not, says src/testing/README.md.
//
// Owner: caller; not synchronised. Outlives its connections, and may be moved while they live.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/compression.hpp"
#include "sluice/error.hpp"
#include "sluice/testing/broker_profile.hpp"
#include "sluice/testing/fate.hpp"

namespace sluice::testing {

class cluster_state;

using time_point = std::chrono::steady_clock::time_point;
using topic_id = std::array<std::byte, 16>;

enum class timestamp_type : std::uint8_t { create_time, log_append_time };

// A topic's settings, by Kafka's names with `_` for `.`, and Kafka's defaults where it has them.
struct topic_config {
    std::int32_t partition_count = 1;
    std::int16_t replication_factor = 0;  // 0: as many as there are brokers, at most 3
    std::int16_t min_insync_replicas = 1;
    std::int32_t max_message_bytes = 1048588;
    timestamp_type message_timestamp_type = timestamp_type::create_time;
    // Without a value: as the profile has it.
    std::optional<std::chrono::milliseconds> message_timestamp_after_max = std::nullopt;
    bool is_compacted = false;  // cleanup.policy=compact: every record needs a key
};

struct cluster_config {
    std::int32_t broker_count = 1;  // node ids 1, 2, ...
    std::string cluster_id = "sluice-fake-cluster-00";
    broker_profile profile = broker_profile::newest();
    std::vector<std::string> racks = {};  // of node 1, 2, ...; those beyond the list have none

    bool auto_create_topics_enable = true;
    topic_config auto_created = {};  // what topics are like that come to be by being asked for
    // How many answers say of such a topic that it is not ready yet, the one to the request that made it
    // included.
    std::int32_t not_ready_answers = 1;

    std::int64_t first_producer_id = 1000;
    std::int32_t socket_request_max_bytes = 104857600;
    // Wall time, in ms since 1970, at time_point(): what LogAppendTime is counted from, and what record
    // timestamps are compared with. fake_cluster_server sets it to the real clock.
    std::chrono::milliseconds wall_time_at_zero{1'700'000'000'000};
    // False: batches are checked and counted but not kept, for benchmarks. `records` and `batches` are empty
    // then.
    bool keep_batches = true;
};

struct log_header {
    std::string key;
    std::optional<std::string> value;

    friend bool operator==(const log_header&, const log_header&) = default;
};

// A record as it stands in the log. Keys and values own their bytes; null is nullopt.
struct log_record {
    std::int64_t offset = 0;
    std::int64_t timestamp = 0;
    std::optional<std::string> key;
    std::optional<std::string> value;
    std::vector<log_header> headers;
    std::int64_t producer_id = -1;
    std::int16_t producer_epoch = -1;
    std::int32_t sequence = -1;
    std::int32_t leader_epoch = 0;
    sluice::compression compression = sluice::compression::none;  // of the batch that it was in
};

// What became of everything appended to a partition, kept or not.
struct append_totals {
    std::int64_t record_count = 0;
    std::int64_t batch_count = 0;
    std::int64_t size_bytes = 0;
    std::uint32_t checksum = 0;  // CRC-32C over the batches' own checksums, in log order

    friend bool operator==(const append_totals&, const append_totals&) = default;
};

// Topics, partitions and nodes that do not exist: functions that return an error_code answer
// broker_errc::unknown_topic_or_partition or broker_errc::broker_not_available, the others an empty value, -1
// or false.
class fake_cluster {
public:
    explicit fake_cluster(cluster_config config = {});
    fake_cluster(fake_cluster&&) noexcept;
    fake_cluster& operator=(fake_cluster&&) noexcept;
    ~fake_cluster();

    // ---- brokers
    std::int32_t broker_count() const noexcept;
    // Where clients are told to connect. Transports set it; before, it is "broker-<node>" and 9092.
    void set_address(std::int32_t node, std::string host, std::uint16_t port);
    void set_profile(std::int32_t node, broker_profile profile);  // one broker only, as during an upgrade
    bool is_alive(std::int32_t node) const noexcept;
    // The broker is gone: its connections end, it leaves the in-sync replicas, and each partition that it led
    // elects the first replica that lives and is in sync, or has no leader. The last replica in sync stays so
    // before Kafka 4; since, it may lead again without being in sync (KIP-966).
    void kill(std::int32_t node);
    // It is back, has caught up, and leads what had no leader because of it. It does not take back what
    // others lead.
    void start(std::int32_t node);

    // ---- topics
    // INVALID_TOPIC_EXCEPTION, TOPIC_ALREADY_EXISTS, INVALID_PARTITIONS, INVALID_REPLICATION_FACTOR.
    error_code create_topic(std::string_view name, const topic_config& config = {});
    error_code delete_topic(std::string_view name);  // created again, it has another id
    // The topic has `partition_count` partitions now. INVALID_PARTITIONS where that is not more than before.
    error_code add_partitions(std::string_view name, std::int32_t partition_count);
    bool has_topic(std::string_view name) const noexcept;
    std::int32_t partition_count(std::string_view name) const noexcept;
    topic_id id_of(std::string_view name) const noexcept;
    // Requests for a topic that is denied are answered TOPIC_AUTHORIZATION_FAILED, whether it exists or not.
    void deny_topic(std::string_view name, bool is_denied = true);
    // InitProducerId is answered CLUSTER_AUTHORIZATION_FAILED.
    void deny_idempotent_writes(bool is_denied = true);

    // ---- partitions
    std::int32_t leader(std::string_view topic, std::int32_t partition) const noexcept;  // -1: none
    std::int32_t leader_epoch(std::string_view topic, std::int32_t partition) const noexcept;
    std::vector<std::int32_t> replicas(std::string_view topic, std::int32_t partition) const;
    std::vector<std::int32_t> in_sync_replicas(std::string_view topic, std::int32_t partition) const;
    // A new leader, which joins the in-sync replicas if it was not among them; the epoch rises, also when the
    // node led before. broker_errc::broker_not_available for a dead one, replica_not_available for one that
    // has no replica.
    error_code move_leader(std::string_view topic, std::int32_t partition, std::int32_t node);
    // Only `count` replicas are in sync, the leader and those that were listed first; at least one.
    error_code shrink_isr(std::string_view topic, std::int32_t partition, std::int32_t count);
    error_code expand_isr(std::string_view topic, std::int32_t partition);  // all living replicas are in sync
    // The log starts at `offset`, as after retention or DeleteRecords. OFFSET_OUT_OF_RANGE beyond its end.
    error_code delete_records_before(std::string_view topic, std::int32_t partition, std::int64_t offset);
    // Every partition forgets all producers, as after producer.id.expiration.ms.
    void expire_producer_ids();

    // ---- requests
    // Answers say that the client is throttled for so long, and its connection is not read for as long
    // (KIP-219).
    void set_throttle_time(std::chrono::milliseconds time);
    // Decides about every request that no queued fate takes; nothing: all are answered. The function may call
    // this cluster, and may replace itself.
    void on_request(std::function<fate(const request_info&)> decide);
    // The next request of that API has this fate, the one after it the fate queued after this, and so on.
    // Without a node, on any broker.
    void queue_fate(std::int16_t api_key, fate next, std::optional<std::int32_t> node = std::nullopt);
    std::size_t queued_fate_count() const noexcept;

    // ---- what is in the logs
    std::vector<log_record> records(std::string_view topic, std::int32_t partition) const;
    // Whole batches as stored: with their base offset and leader epoch, and the broker's timestamps where it
    // sets them.
    std::vector<std::vector<std::byte>> batches(std::string_view topic, std::int32_t partition) const;
    std::int64_t log_start_offset(std::string_view topic, std::int32_t partition) const noexcept;
    std::int64_t end_offset(std::string_view topic, std::int32_t partition) const noexcept;
    // What consumers may read; it stands still while fewer than min.insync.replicas are in sync.
    std::int64_t high_watermark(std::string_view topic, std::int32_t partition) const noexcept;
    append_totals totals(std::string_view topic, std::int32_t partition) const noexcept;

    // ---- counters, from the beginning
    std::uint64_t request_count(std::int16_t api_key) const noexcept;
    std::uint64_t request_count(std::int32_t node, std::int16_t api_key) const noexcept;
    std::uint64_t bytes_received(std::int32_t node) const noexcept;
    std::uint64_t bytes_sent(std::int32_t node) const noexcept;
    std::uint64_t connection_count(std::int32_t node) const noexcept;  // ever made

private:
    friend class fake_broker_connection;
    friend class fake_cluster_server;
    std::unique_ptr<cluster_state> state_;
};

}  // namespace sluice::testing
