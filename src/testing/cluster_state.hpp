// What a fake cluster knows: brokers, topics, partitions, who leads what, and which requests go wrong.
//
//   leader    one of the in-sync replicas, alive; -1: none     epoch + 1 whenever the leader is chosen anew
//   in sync   with eligible leaders (KIP-966, Kafka 4): may become empty, and who left it while it was smaller
//             than min.insync.replicas may be elected; before: the last one stays in sync when it dies
//   log       one for all replicas of a partition: nothing lags, only the number of in-sync replicas matters
//
// Owner: a fake_cluster. Brokers and topics stay in place while they exist.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/testing/fake_cluster.hpp"
#include "testing/partition_log.hpp"
#include "testing/producer_states.hpp"
#include "wire/uuid.hpp"

namespace sluice::testing {

inline constexpr std::int32_t no_node = -1;

struct fake_broker {
    std::int32_t node = 0;
    std::string host;
    std::uint16_t port = 0;
    std::optional<std::string> rack;
    broker_profile profile;
    bool is_alive = true;
    std::uint32_t incarnation = 0;  // counts its deaths: connections of an earlier one are gone

    std::map<std::int16_t, std::uint64_t> request_counts;
    std::uint64_t bytes_received = 0;
    std::uint64_t bytes_sent = 0;
    std::uint64_t connection_count = 0;
};

struct fake_partition {
    explicit fake_partition(bool keeps_batches) : log(keeps_batches) {}

    std::int32_t leader = no_node;
    std::int32_t leader_epoch = 0;
    std::vector<std::int32_t> replicas;  // the preferred leader first
    std::vector<std::int32_t> in_sync;
    std::vector<std::int32_t> eligible;  // to lead, though not in sync
    std::int64_t high_watermark = 0;
    partition_log log;
    producer_states producers;

    bool has_replica_on(std::int32_t node) const noexcept;
    bool is_in_sync(std::int32_t node) const noexcept;
    bool is_eligible(std::int32_t node) const noexcept;
};

struct fake_topic {
    std::string name;
    wire::uuid id;
    topic_config config;
    std::vector<fake_partition> partitions;
    std::int32_t not_ready_answers = 0;  // Metadata answers that still say that it is not ready

    fake_partition* find(std::int32_t partition) noexcept;
    const fake_partition* find(std::int32_t partition) const noexcept;
    // min.insync.replicas: more than there are cannot be asked for.
    std::size_t in_sync_min() const noexcept;
};

class cluster_state {
public:
    explicit cluster_state(cluster_config config);

    const cluster_config& config() const noexcept { return config_; }
    void set_wall_time_at_zero(std::chrono::milliseconds time) noexcept { config_.wall_time_at_zero = time; }
    std::int64_t wall_time_ms(time_point now) const noexcept;

    // ---- brokers
    std::span<fake_broker> brokers() noexcept { return brokers_; }
    std::span<const fake_broker> brokers() const noexcept { return brokers_; }
    fake_broker* find_broker(std::int32_t node) noexcept;
    const fake_broker* find_broker(std::int32_t node) const noexcept;
    bool is_alive(std::int32_t node) const noexcept;
    void kill(std::int32_t node);
    void start(std::int32_t node);
    // Changes whenever a broker dies or comes back.
    std::uint32_t liveness_version() const noexcept { return liveness_version_; }

    // ---- topics
    using topic_map = std::map<std::string, fake_topic, std::less<>>;
    const topic_map& topics() const noexcept { return topics_; }
    fake_topic* find_topic(std::string_view name) noexcept;
    const fake_topic* find_topic(std::string_view name) const noexcept;
    fake_topic* find_topic(const wire::uuid& id) noexcept;
    error_code create_topic(std::string_view name, const topic_config& config);
    // Made because a client asked for it: not ready at once. nullptr where it cannot be made.
    fake_topic* create_automatically(std::string_view name);
    error_code delete_topic(std::string_view name);
    error_code add_partitions(std::string_view name, std::int32_t partition_count);
    void deny_topic(std::string_view name, bool is_denied);
    bool is_denied(std::string_view name) const noexcept { return denied_topics_.contains(name); }
    bool denies_idempotent_writes = false;

    // ---- partitions
    fake_partition* find(std::string_view topic, std::int32_t partition) noexcept;
    const fake_partition* find(std::string_view topic, std::int32_t partition) const noexcept;
    error_code move_leader(std::string_view topic, std::int32_t partition, std::int32_t node);
    error_code shrink_isr(std::string_view topic, std::int32_t partition, std::int32_t count);
    error_code expand_isr(std::string_view topic, std::int32_t partition);
    error_code delete_records_before(std::string_view topic, std::int32_t partition, std::int64_t offset);
    void expire_producer_ids() noexcept;
    // After an append, or when the in-sync replicas changed.
    static void advance_high_watermark(const fake_topic& topic, fake_partition& partition) noexcept;

    // ---- requests
    std::chrono::milliseconds throttle_time{0};
    void on_request(std::function<fate(const request_info&)> decide);
    void queue_fate(std::int16_t api_key, fate next, std::optional<std::int32_t> node);
    std::size_t queued_fate_count() const noexcept { return queued_fates_.size(); }
    // Takes the first fate that is queued for such a request.
    std::optional<fate> take_queued_fate(std::int16_t api_key, std::int32_t node);
    bool has_hook() const noexcept { return hook_ != nullptr; }
    fate ask_hook(const request_info& request);

    std::int64_t next_producer_id() noexcept { return next_producer_id_++; }
    std::uint64_t next_connection_number() noexcept { return ++connection_count_; }

private:
    struct queued_fate {
        std::int16_t api_key;
        std::optional<std::int32_t> node;
        fate what;
    };
    using request_hook = std::function<fate(const request_info&)>;

    wire::uuid next_topic_id() noexcept;
    void add_partition(fake_topic& topic);
    static void join_in_sync(const fake_topic& topic, fake_partition& partition, std::int32_t node);
    void leave_in_sync(const fake_topic& topic, fake_partition& partition, std::int32_t node);
    void elect(fake_partition& partition);
    bool has_eligible_leaders() const noexcept;
    template <class Change>
    void for_each_partition(Change change);

    cluster_config config_;
    std::vector<fake_broker> brokers_;
    topic_map topics_;
    std::set<std::string, std::less<>> denied_topics_;
    std::uint32_t liveness_version_ = 0;
    std::uint64_t topic_count_ = 0;  // ever made
    std::int64_t next_producer_id_;
    std::uint64_t connection_count_ = 0;
    std::deque<queued_fate> queued_fates_;
    std::shared_ptr<const request_hook> hook_;  // shared: it may replace itself while it runs
};

}  // namespace sluice::testing
