#include "testing/broker_metadata.hpp"

#include <algorithm>

#include "testing/kafka_error.hpp"
#include "testing/topic_name.hpp"

namespace sluice::testing {
namespace {

constexpr std::int16_t topic_ids_from = 12;  // in requests; answers have them from 10 on
// What may be done to a resource where there is no authorizer, as bits (KIP-430).
constexpr std::int32_t operations_on_topic = 0xdf8;
constexpr std::int32_t operations_on_cluster = 0x1fa0;

using wire::metadata_request;
using wire::metadata_response;
using wire::metadata_response_partition;
using wire::metadata_response_topic;

class metadata_answer {
public:
    metadata_answer(const broker_request& request, const metadata_request& body)
        : request_(request), body_(body) {}

    const metadata_response& make() {
        response_.throttle_time_ms = request_.throttle_time_ms();
        if (refers_to_ids_too_early()) return make_error(broker_errc::invalid_request);
        if (refers_to_nothing()) return make_error(broker_errc::unknown_server_error);
        add_brokers();
        add_topics();
        return response_;
    }

    // The answer of a broker that fails: nothing but the code, for each topic asked for.
    const metadata_response& make_error(broker_errc code) {
        response_.throttle_time_ms = request_.throttle_time_ms();
        response_.error_code = code_of(code);
        if (!body_.topics) return response_;
        for (const auto& asked : *body_.topics)
            add_error(code_of(code), asked.name.value_or(""), asked.topic_id);
        return response_;
    }

private:
    std::int16_t version() const noexcept { return request_.header.version; }
    bool is_about_all() const noexcept { return !body_.topics || (version() == 0 && body_.topics->empty()); }

    bool refers_to_ids_too_early() const noexcept {
        if (version() >= topic_ids_from || !body_.topics) return false;
        return std::ranges::any_of(
            *body_.topics, [](const auto& topic) { return !topic.name || !topic.topic_id.is_zero(); });
    }

    // Neither by name nor by id: Kafka trips over it.
    bool refers_to_nothing() const noexcept {
        if (!body_.topics) return false;
        return std::ranges::any_of(*body_.topics,
                                   [](const auto& topic) { return !topic.name && topic.topic_id.is_zero(); });
    }

    void add_brokers() {
        response_.cluster_id = request_.cluster.config().cluster_id;
        for (const fake_broker& broker : std::as_const(request_.cluster).brokers()) {
            if (!broker.is_alive) continue;
            response_.brokers.push_back(
                {.node_id = broker.node, .host = broker.host, .port = broker.port, .rack = broker.rack});
            if (response_.controller_id == no_node) response_.controller_id = broker.node;
        }
        if (body_.include_cluster_authorized_operations) {
            response_.cluster_authorized_operations = operations_on_cluster;
        }
    }

    void add_topics() {
        if (is_about_all()) {
            for (const auto& [name, topic] : request_.cluster.topics()) {
                if (!request_.cluster.is_denied(name)) add_topic(*request_.cluster.find_topic(name));
            }
            return;
        }
        const bool uses_ids =
            std::ranges::any_of(*body_.topics, [](const auto& topic) { return !topic.topic_id.is_zero(); });
        for (auto asked = body_.topics->begin(); asked != body_.topics->end(); ++asked) {
            if (is_repeated(asked, uses_ids)) continue;
            if (uses_ids) {
                add_by_id(asked->topic_id);
            } else {
                add_by_name(asked->name.value_or(""));
            }
        }
    }

    // A topic that is asked for twice is answered once.
    bool is_repeated(std::vector<wire::metadata_request_topic>::const_iterator asked,
                     bool uses_ids) const noexcept {
        return std::any_of(body_.topics->begin(), asked, [&](const wire::metadata_request_topic& before) {
            return uses_ids ? before.topic_id == asked->topic_id : before.name == asked->name;
        });
    }

    void add_by_id(const wire::uuid& id) {
        if (id.is_zero()) return;
        fake_topic* topic = request_.cluster.find_topic(id);
        if (topic == nullptr) {
            add_error(code_of(broker_errc::unknown_topic_id), std::nullopt, id);
        } else if (request_.cluster.is_denied(topic->name)) {
            add_error(code_of(broker_errc::topic_authorization_failed), std::nullopt, id);
        } else {
            add_topic(*topic);
        }
    }

    void add_by_name(std::string_view name) {
        if (request_.cluster.is_denied(name)) {
            return add_error(code_of(broker_errc::topic_authorization_failed), name, {});
        }
        fake_topic* topic = request_.cluster.find_topic(name);
        if (topic != nullptr) return add_topic(*topic);
        if (!is_legal_topic_name(name))
            return add_error(code_of(broker_errc::invalid_topic_exception), name, {});
        const bool may_create =
            request_.cluster.config().auto_create_topics_enable && body_.allow_auto_topic_creation;
        if (may_create) topic = request_.cluster.create_automatically(name);
        if (topic != nullptr) return add_topic(*topic);
        add_error(code_of(broker_errc::unknown_topic_or_partition), name, {});
    }

    void add_error(std::int16_t code, std::optional<std::string_view> name, const wire::uuid& id) {
        metadata_response_topic& added = response_.topics.emplace_back();
        added.error_code = code;
        added.name = name;
        added.topic_id = id;
        added.is_internal = name && is_internal_topic(*name);
    }

    void add_topic(fake_topic& topic) {
        if (topic.not_ready_answers > 0) {
            --topic.not_ready_answers;
            return add_error(code_of(request_.broker.profile.not_ready), topic.name, {});
        }
        metadata_response_topic& added = response_.topics.emplace_back();
        added.name = topic.name;
        added.topic_id = topic.id;
        added.is_internal = is_internal_topic(topic.name);
        if (body_.include_topic_authorized_operations)
            added.topic_authorized_operations = operations_on_topic;
        for (std::size_t index = 0; index < topic.partitions.size(); ++index) {
            added.partitions.push_back(describe(topic.partitions[index], static_cast<std::int32_t>(index)));
        }
    }

    metadata_response_partition describe(const fake_partition& partition, std::int32_t index) const {
        metadata_response_partition described;
        described.partition_index = index;
        described.leader_id = partition.leader;
        described.leader_epoch = partition.leader_epoch;
        described.replica_nodes = partition.replicas;
        described.isr_nodes = partition.in_sync;
        std::ranges::copy_if(partition.replicas, std::back_inserter(described.offline_replicas),
                             [this](std::int32_t node) { return !request_.cluster.is_alive(node); });
        if (partition.leader == no_node) described.error_code = code_of(broker_errc::leader_not_available);
        // Version 0 knows no dead replicas: they are left out, and that is an error.
        if (version() == 0 && !described.offline_replicas.empty()) {
            const auto is_dead = [this](std::int32_t node) { return !request_.cluster.is_alive(node); };
            std::erase_if(described.replica_nodes, is_dead);
            std::erase_if(described.isr_nodes, is_dead);
            if (described.error_code == no_error)
                described.error_code = code_of(broker_errc::replica_not_available);
        }
        return described;
    }

    const broker_request& request_;
    const metadata_request& body_;
    metadata_response response_;
};

}  // namespace

reaction handle_metadata(const broker_request& request, const metadata_request& body, wire::writer& out) {
    metadata_answer answer(request, body);
    const bool fails = request.what.code.has_value();
    if (fails && request.what.is_applied) answer.make();
    if (!fails) return send_answer(request, answer.make(), request.header.version, out);
    metadata_answer failed(request, body);
    return send_answer(request, failed.make_error(*request.what.code), request.header.version, out);
}

}  // namespace sluice::testing
