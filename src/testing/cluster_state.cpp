#include "testing/cluster_state.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/ensure.hpp"
#include "base/random.hpp"
#include "testing/kafka_error.hpp"
#include "testing/topic_name.hpp"
#include "wire/big_endian.hpp"

namespace sluice::testing {
namespace {

constexpr std::uint16_t unset_port = 9092;
constexpr std::int16_t replication_factor_usual = 3;

bool contains(const std::vector<std::int32_t>& nodes, std::int32_t node) noexcept {
    return std::ranges::find(nodes, node) != nodes.end();
}

}  // namespace

bool fake_partition::has_replica_on(std::int32_t node) const noexcept {
    return contains(replicas, node);
}
bool fake_partition::is_in_sync(std::int32_t node) const noexcept {
    return contains(in_sync, node);
}
bool fake_partition::is_eligible(std::int32_t node) const noexcept {
    return contains(eligible, node);
}

fake_partition* fake_topic::find(std::int32_t partition) noexcept {
    return const_cast<fake_partition*>(std::as_const(*this).find(partition));
}

const fake_partition* fake_topic::find(std::int32_t partition) const noexcept {
    if (partition < 0 || static_cast<std::size_t>(partition) >= partitions.size()) return nullptr;
    return &partitions[static_cast<std::size_t>(partition)];
}

std::size_t fake_topic::in_sync_min() const noexcept {
    return static_cast<std::size_t>(
        std::clamp<int>(config.min_insync_replicas, 1, config.replication_factor));
}

cluster_state::cluster_state(cluster_config config)
    : config_(std::move(config)), next_producer_id_(config_.first_producer_id) {
    ensure(config_.broker_count >= 1);
    brokers_.resize(static_cast<std::size_t>(config_.broker_count));
    for (std::size_t index = 0; index < brokers_.size(); ++index) {
        fake_broker& made = brokers_[index];
        made.node = static_cast<std::int32_t>(index) + 1;
        made.host = fmt::format("broker-{}", made.node);
        made.port = unset_port;
        if (index < config_.racks.size()) made.rack = config_.racks[index];
        made.profile = config_.profile;
    }
}

std::int64_t cluster_state::wall_time_ms(time_point now) const noexcept {
    const auto passed = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch());
    return (config_.wall_time_at_zero + passed).count();
}

fake_broker* cluster_state::find_broker(std::int32_t node) noexcept {
    return const_cast<fake_broker*>(std::as_const(*this).find_broker(node));
}

const fake_broker* cluster_state::find_broker(std::int32_t node) const noexcept {
    if (node < 1 || static_cast<std::size_t>(node) > brokers_.size()) return nullptr;
    return &brokers_[static_cast<std::size_t>(node) - 1];
}

bool cluster_state::is_alive(std::int32_t node) const noexcept {
    const fake_broker* broker = find_broker(node);
    return broker != nullptr && broker->is_alive;
}

void cluster_state::kill(std::int32_t node) {
    fake_broker* broker = find_broker(node);
    if (broker == nullptr || !broker->is_alive) return;
    broker->is_alive = false;
    ++broker->incarnation;
    ++liveness_version_;
    for_each_partition([&](const fake_topic& topic, fake_partition& partition) {
        leave_in_sync(topic, partition, node);
        if (partition.leader == node) elect(partition);
        advance_high_watermark(topic, partition);
    });
}

void cluster_state::start(std::int32_t node) {
    fake_broker* broker = find_broker(node);
    if (broker == nullptr || broker->is_alive) return;
    broker->is_alive = true;
    ++liveness_version_;
    for_each_partition([&](const fake_topic& topic, fake_partition& partition) {
        if (!partition.has_replica_on(node)) return;
        const bool had_leader = partition.leader != no_node;
        if (!had_leader) elect(partition);
        if (partition.leader == no_node) return;
        for (const std::int32_t replica : partition.replicas) {
            // Who was there already catches up too, once there is somebody to follow.
            if (replica == node || (!had_leader && is_alive(replica)))
                join_in_sync(topic, partition, replica);
        }
        advance_high_watermark(topic, partition);
    });
}

fake_topic* cluster_state::find_topic(std::string_view name) noexcept {
    const auto found = topics_.find(name);
    return found == topics_.end() ? nullptr : &found->second;
}

const fake_topic* cluster_state::find_topic(std::string_view name) const noexcept {
    return const_cast<cluster_state*>(this)->find_topic(name);
}

fake_topic* cluster_state::find_topic(const wire::uuid& id) noexcept {
    const auto found =
        std::ranges::find_if(topics_, [&](const auto& named) { return named.second.id == id; });
    return found == topics_.end() ? nullptr : &found->second;
}

error_code cluster_state::create_topic(std::string_view name, const topic_config& config) {
    if (!is_legal_topic_name(name)) return broker_errc::invalid_topic_exception;
    if (topics_.contains(name)) return topic_already_exists;
    if (config.partition_count < 1) return invalid_partitions;
    if (config.replication_factor < 0 || config.replication_factor > config_.broker_count) {
        return invalid_replication_factor;
    }
    fake_topic& made = topics_[std::string(name)];
    made.name = name;
    made.id = next_topic_id();
    made.config = config;
    if (config.replication_factor == 0) {
        made.config.replication_factor =
            static_cast<std::int16_t>(std::min<std::int32_t>(config_.broker_count, replication_factor_usual));
    }
    for (std::int32_t index = 0; index < config.partition_count; ++index) add_partition(made);
    return {};
}

fake_topic* cluster_state::create_automatically(std::string_view name) {
    if (create_topic(name, config_.auto_created)) return nullptr;
    fake_topic* made = find_topic(name);
    made->not_ready_answers = config_.not_ready_answers;
    return made;
}

error_code cluster_state::delete_topic(std::string_view name) {
    const auto found = topics_.find(name);
    if (found == topics_.end()) return broker_errc::unknown_topic_or_partition;
    topics_.erase(found);
    return {};
}

error_code cluster_state::add_partitions(std::string_view name, std::int32_t partition_count) {
    fake_topic* topic = find_topic(name);
    if (topic == nullptr) return broker_errc::unknown_topic_or_partition;
    if (partition_count <= static_cast<std::int32_t>(topic->partitions.size())) return invalid_partitions;
    topic->config.partition_count = partition_count;
    while (static_cast<std::int32_t>(topic->partitions.size()) < partition_count) add_partition(*topic);
    return {};
}

void cluster_state::deny_topic(std::string_view name, bool is_denied) {
    if (is_denied) {
        denied_topics_.emplace(name);
    } else if (const auto found = denied_topics_.find(name); found != denied_topics_.end()) {
        denied_topics_.erase(found);
    }
}

fake_partition* cluster_state::find(std::string_view topic, std::int32_t partition) noexcept {
    fake_topic* found = find_topic(topic);
    return found == nullptr ? nullptr : found->find(partition);
}

const fake_partition* cluster_state::find(std::string_view topic, std::int32_t partition) const noexcept {
    return const_cast<cluster_state*>(this)->find(topic, partition);
}

error_code cluster_state::move_leader(std::string_view topic, std::int32_t partition, std::int32_t node) {
    fake_partition* moved = find(topic, partition);
    if (moved == nullptr) return broker_errc::unknown_topic_or_partition;
    if (!is_alive(node)) return broker_errc::broker_not_available;
    if (!moved->has_replica_on(node)) return broker_errc::replica_not_available;
    join_in_sync(*find_topic(topic), *moved, node);
    moved->leader = node;
    ++moved->leader_epoch;
    return {};
}

error_code cluster_state::shrink_isr(std::string_view topic, std::int32_t partition, std::int32_t count) {
    fake_partition* shrunk = find(topic, partition);
    if (shrunk == nullptr) return broker_errc::unknown_topic_or_partition;
    const auto leader = std::ranges::find(shrunk->in_sync, shrunk->leader);
    if (leader != shrunk->in_sync.end()) std::rotate(shrunk->in_sync.begin(), leader, leader + 1);
    const auto size = static_cast<std::size_t>(std::max(count, 1));
    if (shrunk->in_sync.size() > size) shrunk->in_sync.resize(size);
    advance_high_watermark(*find_topic(topic), *shrunk);
    return {};
}

error_code cluster_state::expand_isr(std::string_view topic, std::int32_t partition) {
    fake_partition* expanded = find(topic, partition);
    if (expanded == nullptr) return broker_errc::unknown_topic_or_partition;
    if (expanded->leader == no_node) return {};
    expanded->in_sync.clear();
    std::ranges::copy_if(expanded->replicas, std::back_inserter(expanded->in_sync),
                         [this](std::int32_t node) { return is_alive(node); });
    expanded->eligible.clear();
    advance_high_watermark(*find_topic(topic), *expanded);
    return {};
}

error_code cluster_state::delete_records_before(std::string_view topic, std::int32_t partition,
                                                std::int64_t offset) {
    fake_partition* cut = find(topic, partition);
    if (cut == nullptr) return broker_errc::unknown_topic_or_partition;
    if (offset > cut->log.end_offset()) return broker_errc::offset_out_of_range;
    cut->log.delete_before(offset);
    const fake_broker* leader = find_broker(cut->leader);
    const broker_profile& rules = leader != nullptr ? leader->profile : config_.profile;
    if (!rules.accepts_unknown_producers) cut->producers.forget_before(offset);
    return {};
}

void cluster_state::expire_producer_ids() noexcept {
    for_each_partition(
        [](const fake_topic&, fake_partition& partition) { partition.producers.forget_all(); });
}

void cluster_state::advance_high_watermark(const fake_topic& topic, fake_partition& partition) noexcept {
    if (partition.leader == no_node) return;
    if (partition.in_sync.size() < topic.in_sync_min()) return;
    partition.high_watermark = partition.log.end_offset();
}

void cluster_state::on_request(request_hook decide) {
    hook_ = decide ? std::make_shared<const request_hook>(std::move(decide)) : nullptr;
}

void cluster_state::queue_fate(std::int16_t api_key, fate next, std::optional<std::int32_t> node) {
    queued_fates_.push_back({api_key, node, std::move(next)});
}

std::optional<fate> cluster_state::take_queued_fate(std::int16_t api_key, std::int32_t node) {
    const auto next = std::ranges::find_if(queued_fates_, [&](const queued_fate& queued) {
        return queued.api_key == api_key && queued.node.value_or(node) == node;
    });
    if (next == queued_fates_.end()) return std::nullopt;
    std::optional<fate> taken(std::move(next->what));
    queued_fates_.erase(next);
    return taken;
}

fate cluster_state::ask_hook(const request_info& request) {
    const std::shared_ptr<const request_hook> hook = hook_;
    return (*hook)(request);
}

wire::uuid cluster_state::next_topic_id() noexcept {
    random bits(++topic_count_);
    wire::uuid id;
    std::byte* next = id.octets.data();
    next = wire::store_big_endian(next, bits.next());
    wire::store_big_endian(next, bits.next());
    return id;
}

// Replicas go round the brokers, so that each leads its share.
void cluster_state::add_partition(fake_topic& topic) {
    fake_partition& added = topic.partitions.emplace_back(config_.keep_batches);
    const auto first = topic.partitions.size() - 1;
    for (std::size_t index = 0; index < static_cast<std::size_t>(topic.config.replication_factor); ++index) {
        added.replicas.push_back(brokers_[(first + index) % brokers_.size()].node);
    }
    std::ranges::copy_if(added.replicas, std::back_inserter(added.in_sync),
                         [this](std::int32_t node) { return is_alive(node); });
    if (added.in_sync.empty()) added.in_sync.push_back(added.replicas.front());
    const std::int32_t preferred = added.in_sync.front();
    if (is_alive(preferred)) added.leader = preferred;
}

void cluster_state::join_in_sync(const fake_topic& topic, fake_partition& partition, std::int32_t node) {
    if (!partition.is_in_sync(node)) partition.in_sync.push_back(node);
    std::erase(partition.eligible, node);
    if (partition.in_sync.size() >= topic.in_sync_min()) partition.eligible.clear();
}

void cluster_state::leave_in_sync(const fake_topic& topic, fake_partition& partition, std::int32_t node) {
    if (!partition.is_in_sync(node)) return;
    if (!has_eligible_leaders()) {
        if (partition.in_sync.size() > 1) std::erase(partition.in_sync, node);
        return;
    }
    std::erase(partition.in_sync, node);
    if (partition.in_sync.size() < topic.in_sync_min()) partition.eligible.push_back(node);
}

void cluster_state::elect(fake_partition& partition) {
    const auto find_alive = [&](auto may_lead) {
        const auto found = std::ranges::find_if(
            partition.replicas, [&](std::int32_t node) { return is_alive(node) && may_lead(node); });
        return found == partition.replicas.end() ? no_node : *found;
    };
    std::int32_t chosen = find_alive([&](std::int32_t node) { return partition.is_in_sync(node); });
    if (chosen == no_node) {
        chosen = find_alive([&](std::int32_t node) { return partition.is_eligible(node); });
        if (chosen != no_node) partition.in_sync = {chosen};
    }
    if (chosen == partition.leader) return;
    partition.leader = chosen;
    ++partition.leader_epoch;
}

bool cluster_state::has_eligible_leaders() const noexcept {
    return std::ranges::any_of(config_.profile.features, [](const cluster_feature& feature) {
        return feature.name == "eligible.leader.replicas.version" && feature.finalized_level > 0;
    });
}

template <class Change>
void cluster_state::for_each_partition(Change change) {
    for (auto& [name, topic] : topics_) {
        for (fake_partition& partition : topic.partitions) change(topic, partition);
    }
}

}  // namespace sluice::testing
