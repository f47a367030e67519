#include "simulation/broker_trouble.hpp"

#include <fmt/format.h>

#include "testing/sim_draw.hpp"

namespace sluice::simulation {

using namespace std::chrono_literals;
using testing::between;
using testing::fate;
using testing::of_any_length;
using testing::of_any_size;
using testing::up_to;

namespace {

constexpr std::int16_t produce_key = 0;
constexpr std::int16_t metadata_key = 3;
constexpr std::int16_t init_producer_id_key = 22;

// What a broker may say without having stored anything. What it says of sequences and epochs must be true, so that comes
// from the fake brokers' own books.
constexpr broker_errc produce_errors[] = {broker_errc::not_leader_or_follower,
                                          broker_errc::unknown_topic_or_partition,
                                          broker_errc::leader_not_available,
                                          broker_errc::not_enough_replicas,
                                          broker_errc::not_enough_replicas_after_append,
                                          broker_errc::request_timed_out,
                                          broker_errc::corrupt_message,
                                          broker_errc::kafka_storage_error,
                                          broker_errc::unknown_server_error,
                                          broker_errc::message_too_large,
                                          broker_errc::record_list_too_large,
                                          broker_errc::invalid_record,
                                          broker_errc::invalid_timestamp,
                                          broker_errc::fenced_leader_epoch,
                                          broker_errc::unknown_topic_id,
                                          broker_errc::throttling_quota_exceeded,
                                          broker_errc::policy_violation,
                                          broker_errc::topic_authorization_failed};
constexpr broker_errc fatal_errors[] = {broker_errc::cluster_authorization_failed,
                                        broker_errc::producer_fenced, broker_errc::unsupported_version};
// And what after it was stored: the leader lost its office while it waited for the others.
constexpr broker_errc errors_after_append[] = {
    broker_errc::request_timed_out, broker_errc::kafka_storage_error,
    broker_errc::not_enough_replicas_after_append, broker_errc::unknown_server_error};
constexpr broker_errc identity_errors[] = {broker_errc::coordinator_load_in_progress,
                                           broker_errc::coordinator_not_available,
                                           broker_errc::request_timed_out};

}  // namespace

broker_trouble::broker_trouble(const schedule_plan& plan, testing::sim_world& world,
                               testing::sim_network& network, testing::sim_cluster& brokers,
                               std::function<void(const std::string&)> tell)
    : plan_(plan), world_(world), network_(network), brokers_(brokers), tell_(std::move(tell)) {
    brokers_.cluster().on_request([this](const testing::request_info& request) { return decide(request); });
    for (int i = 0; i < plan.trouble_count; ++i) {
        events_.push_back(world_.in(up_to(world_.chance(), plan.faults.heals_after), [this] { happen(); }));
    }
    events_.push_back(world_.at(world_.heals_at(), [this] { heal(); }));
}

broker_trouble::~broker_trouble() {
    for (auto& each : events_) world_.cancel(each);
    brokers_.cluster().on_request(nullptr);
}

fate broker_trouble::decide(const testing::request_info& request) {
    if (plan_.planted == planted_bug::lying_leader && request.api_key == produce_key &&
        world_.chance().below(8) == 0) {
        return fate::error(static_cast<broker_errc>(0));
    }
    if (world_.is_healed()) return fate::answer();
    const bool is_produce = request.api_key == produce_key;
    if (!world_.happens(is_produce ? plan_.produce_trouble : plan_.other_trouble)) return fate::answer();
    fate decided = is_produce ? produce_fate(request) : other_fate(request);
    tell_(fmt::format("broker {}: a fate for request {} of API {}: code {}", request.node_id,
                      request.correlation_id, request.api_key,
                      decided.code ? static_cast<int>(*decided.code) : 0));
    return decided;
}

fate::duration broker_trouble::some_delay() {
    return of_any_length(world_.chance(), 1ms, 2 * duration(plan_.producer.request_timeout));
}

fate broker_trouble::produce_fate(const testing::request_info& request) {
    random& chance = world_.chance();
    std::vector<testing::topic_partition> only;
    if (chance.below(2) == 0) {
        for (const auto& each : request.partitions) {
            if (chance.below(2) == 0) only.push_back(each.where);
        }
    }
    switch (chance.below(14)) {
        case 0: return fate::delay(some_delay());
        case 1: return fate::answer_late(some_delay());
        case 2: return fate::never_answer();
        case 3: return fate::apply_and_never_answer();
        case 4: return fate::disconnect();
        case 5:
        case 6: return fate::apply_then_disconnect();
        case 7: return fate::garbage();
        case 8: return chance.below(2) == 0 ? fate::huge_frame() : fate::wrong_correlation_id();
        case 9: return fate::half_answer();
        case 10:
            return fate::error_after_apply(errors_after_append[chance.below(std::size(errors_after_append))],
                                           only);
        default: break;
    }
    if (plan_.has_fatal_errors && chance.below(8) == 0) {
        return fate::error(fatal_errors[chance.below(std::size(fatal_errors))], only);
    }
    fate failed = fate::error(produce_errors[chance.below(std::size(produce_errors))], only);
    if (chance.below(4) == 0) failed.answer_after = some_delay();
    return failed;
}

fate broker_trouble::other_fate(const testing::request_info& request) {
    random& chance = world_.chance();
    switch (chance.below(10)) {
        case 0:
        case 1: return fate::delay(some_delay());
        case 2: return fate::answer_late(some_delay());
        case 3: return fate::never_answer();
        case 4: return fate::disconnect();
        case 5: return fate::apply_then_disconnect();
        case 6: return fate::garbage();
        case 7: return chance.below(2) == 0 ? fate::huge_frame() : fate::wrong_correlation_id();
        default: break;
    }
    if (request.api_key == init_producer_id_key) {
        if (plan_.has_fatal_errors && chance.below(8) == 0)
            return fate::error(broker_errc::cluster_authorization_failed);
        return fate::error(identity_errors[chance.below(std::size(identity_errors))]);
    }
    if (request.api_key == metadata_key) return fate::error(broker_errc::leader_not_available);
    return fate::delay(some_delay());
}

// ---- whole brokers

std::int32_t broker_trouble::some_broker() {
    return static_cast<std::int32_t>(
        between(world_.chance(), 1, static_cast<std::uint64_t>(plan_.cluster.broker_count)));
}

bool broker_trouble::pick_partition(std::string& topic, std::int32_t& partition) {
    topic = plan_.topics[world_.chance().below(plan_.topics.size())].name;
    const std::int32_t count = brokers_.cluster().partition_count(topic);
    if (count <= 0) return false;
    partition = static_cast<std::int32_t>(world_.chance().below(static_cast<std::uint64_t>(count)));
    return true;
}

void broker_trouble::happen() {
    if (world_.is_healed()) return;
    testing::fake_cluster& cluster = brokers_.cluster();
    random& chance = world_.chance();
    const std::int32_t node = some_broker();
    const std::string host = testing::sim_cluster::host(node);
    const duration later = of_any_length(chance, 1ms, 5s);
    std::string topic;
    std::int32_t partition = 0;
    switch (chance.below(12)) {
        case 0:
        case 1:
        case 2:
            tell_(fmt::format("broker {} dies", node));
            brokers_.kill(node);
            events_.push_back(world_.in(later, [this, node] {
                tell_(fmt::format("broker {} starts", node));
                brokers_.start(node);
            }));
            return;
        case 3:
        case 4:
        case 5:
            if (!pick_partition(topic, partition)) return;
            tell_(fmt::format("{}-{} gets the leader {}", topic, partition, node));
            static_cast<void>(cluster.move_leader(topic, partition, node));
            return;
        case 6:
            if (!pick_partition(topic, partition)) return;
            static_cast<void>(cluster.shrink_isr(topic, partition, 1));
            return;
        case 7:
            if (!pick_partition(topic, partition)) return;
            tell_(fmt::format("{} gets a partition more", topic));
            static_cast<void>(cluster.add_partitions(topic, cluster.partition_count(topic) + 1));
            return;
        case 8:
            tell_(fmt::format("broker {} is isolated", node));
            network_.isolate(host);
            events_.push_back(world_.in(later, [this, host] { network_.let_in(host); }));
            return;
        case 9: network_.reset_connections(host); return;
        case 10:
            topic = plan_.topics[chance.below(plan_.topics.size())].name;
            cluster.deny_topic(topic);
            events_.push_back(
                world_.in(later, [this, topic] { brokers_.cluster().deny_topic(topic, false); }));
            return;
        default: cluster.set_throttle_time(std::chrono::milliseconds(of_any_size(chance, 1, 1000))); return;
    }
}

void broker_trouble::heal() {
    testing::fake_cluster& cluster = brokers_.cluster();
    for (std::int32_t node = 1; node <= cluster.broker_count(); ++node) {
        if (!cluster.is_alive(node)) brokers_.start(node);
        network_.let_in(testing::sim_cluster::host(node));
    }
    cluster.set_throttle_time(0ms);
    for (const topic_plan& each : plan_.topics) {
        cluster.deny_topic(each.name, false);
        for (std::int32_t partition = 0; partition < cluster.partition_count(each.name); ++partition) {
            static_cast<void>(cluster.expand_isr(each.name, partition));
        }
    }
    tell_("the world has healed");
}

}  // namespace sluice::simulation
