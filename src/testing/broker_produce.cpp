#include "testing/broker_produce.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "testing/kafka_error.hpp"
#include "testing/record_set.hpp"
#include "testing/topic_name.hpp"

namespace sluice::testing {
namespace {

constexpr std::int16_t topic_ids_from = 13;
constexpr std::int16_t leader_hints_from = 10;

bytes bytes_of(const wire::records& records) noexcept {
    return records.pieces().front();
}

// Kafka never answers such a request, which no client sends; we end the connection.
bool has_null_records(const wire::produce_request& body) noexcept {
    return std::ranges::any_of(body.topic_data, [](const wire::topic_produce_data& topic) {
        return std::ranges::any_of(topic.partition_data,
                                   [](const auto& data) { return data.records.is_null(); });
    });
}

// An error that a look at the first batches gives to all partitions, or 0.
std::int16_t error_of_all(const wire::produce_request& body) noexcept {
    for (const wire::topic_produce_data& topic : body.topic_data) {
        for (const wire::partition_produce_data& partition : topic.partition_data) {
            const first_batch first = find_batch(bytes_of(partition.records));
            if (first.what == first_batch::kind::corrupt) return code_of(broker_errc::corrupt_message);
            if (first.data.size() < batch_header::size_bytes) continue;
            if (!header_of(first.data).has(batch_attributes::transactional)) continue;
            return body.transactional_id ? no_error
                                         : code_of(broker_errc::transactional_id_authorization_failed);
        }
    }
    return no_error;
}

bool hits(const fate& what, std::string_view topic, std::int32_t partition) noexcept {
    if (!what.code) return false;
    return what.only.empty() || std::ranges::any_of(what.only, [&](const topic_partition& each) {
               return each.topic == topic && each.partition == partition;
           });
}

std::int64_t timestamp_max_of(const broker_request& request, const topic_config& config) noexcept {
    const auto ahead =
        config.message_timestamp_after_max.value_or(request.broker.profile.timestamp_after_max);
    const std::int64_t now = request.cluster.wall_time_ms(request.now);
    return ahead.count() > INT64_MAX - now ? INT64_MAX : now + ahead.count();
}

std::int16_t code_known_to(const fake_broker& broker, std::int16_t code) noexcept {
    if (code != code_of(broker_errc::invalid_record) || broker.profile.knows_invalid_record) return code;
    return code_of(broker_errc::corrupt_message);
}

void drop_second_half(std::vector<wire::topic_produce_response>& topics) {
    std::size_t count = 0;
    for (const auto& topic : topics) count += topic.partition_responses.size();
    std::size_t left = count / 2;
    for (auto& topic : topics) {
        if (topic.partition_responses.size() > left) topic.partition_responses.resize(left);
        left -= topic.partition_responses.size();
    }
    std::erase_if(topics, [](const auto& topic) { return topic.partition_responses.empty(); });
}

}  // namespace

reaction broker_produce::handle(const broker_request& request, const wire::produce_request& body,
                                wire::writer& out) {
    if (has_null_records(body)) return reaction::disconnect;
    const std::int16_t version = request.header.version;
    const std::int16_t whole_error = error_of_all(body);
    has_error_ = false;
    texts_.clear();
    response_.throttle_time_ms = request.throttle_time_ms();
    response_.node_endpoints.clear();
    response_.responses.resize(body.topic_data.size());
    for (std::size_t t = 0; t < body.topic_data.size(); ++t) {
        const wire::topic_produce_data& asked = body.topic_data[t];
        wire::topic_produce_response& answer = response_.responses[t];
        const fake_topic* topic = version >= topic_ids_from ? request.cluster.find_topic(asked.topic_id)
                                                            : request.cluster.find_topic(asked.name);
        answer.name = asked.name;
        answer.topic_id = asked.topic_id;
        answer.partition_responses.resize(asked.partition_data.size());
        for (std::size_t p = 0; p < asked.partition_data.size(); ++p) {
            wire::partition_produce_response& partition = answer.partition_responses[p];
            partition = {};
            partition.index = asked.partition_data[p].index;
            partition.base_offset = -1;
            const part of_this{body, topic, topic != nullptr ? topic->name : asked.name,
                               asked.partition_data[p]};
            if (whole_error != no_error) {
                partition.error_code = whole_error;
                if (whole_error == code_of(broker_errc::corrupt_message))
                    partition.error_message = "Invalid record batch.";
            } else {
                answer_partition(request, of_this, partition);
            }
            partition.error_code = code_known_to(request.broker, partition.error_code);
            if (partition.error_code != no_error) has_error_ = true;
        }
    }
    if (body.acks == 0) return has_error_ ? reaction::disconnect : reaction::no_answer;
    if (request.what.how == fate::reply::half) drop_second_half(response_.responses);
    return send_answer(request, response_, version, out);
}

void broker_produce::answer_partition(const broker_request& request, const part& asked,
                                      wire::partition_produce_response& answer) {
    const bool is_hit = hits(request.what, asked.topic_name, answer.index);
    if (!is_hit || request.what.is_applied) append(request, asked, answer);
    if (is_hit && answer.error_code == no_error) answer.error_code = code_of(*request.what.code);
    if (answer.error_code == code_of(broker_errc::not_leader_or_follower) ||
        answer.error_code == code_of(broker_errc::fenced_leader_epoch)) {
        hint_at_leader(request, asked, answer);
    }
}

void broker_produce::append(const broker_request& request, const part& asked,
                            wire::partition_produce_response& answer) {
    const std::int16_t version = request.header.version;
    const auto fail = [&](broker_errc code) { answer.error_code = code_of(code); };
    if (asked.topic == nullptr && version >= topic_ids_from) return fail(broker_errc::unknown_topic_id);
    if (request.cluster.is_denied(asked.topic_name)) return fail(broker_errc::topic_authorization_failed);
    fake_partition* partition = request.cluster.find(asked.topic_name, answer.index);
    if (partition == nullptr) return fail(broker_errc::unknown_topic_or_partition);
    const bytes records = bytes_of(asked.data.records);
    answer.error_code = check_shape(records, version);
    if (answer.error_code != no_error) return;
    if (asked.body.acks < -1 || asked.body.acks > 1) return fail(broker_errc::invalid_required_acks);
    if (is_internal_topic(asked.topic_name)) return fail(broker_errc::invalid_topic_exception);
    if (partition->leader != request.broker.node) return fail(broker_errc::not_leader_or_follower);

    const topic_config& config = asked.topic->config;
    const bytes batch = find_batch(records).data;
    const batch_header header = header_of(batch);
    const auto fail_unexpectedly = [&](std::int16_t code) {
        answer.error_code = code;
        answer.log_start_offset = partition->log.start_offset();
    };
    if (asked.body.acks == -1 && partition->in_sync.size() < asked.topic->in_sync_min()) {
        return fail_unexpectedly(code_of(broker_errc::not_enough_replicas));
    }
    const std::int64_t wall_time = request.cluster.wall_time_ms(request.now);
    const std::string partition_name =
        config.is_compacted ? fmt::format("{}-{}", asked.topic_name, answer.index) : std::string();
    batch_verdict verdict = check_batch(header, batch,
                                        {.size_max = config.max_message_bytes,
                                         .timestamps = config.message_timestamp_type,
                                         .timestamp_max = timestamp_max_of(request, config),
                                         .needs_keys = config.is_compacted,
                                         .partition_name = partition_name});
    if (verdict.code != no_error) {
        answer.error_code = verdict.code;
        if (verdict.is_unexpected) answer.log_start_offset = partition->log.start_offset();
        if (verdict.text) answer.error_message = keep(std::move(*verdict.text));
        for (record_fault& fault : verdict.faults) {
            answer.record_errors.push_back({fault.index, keep(std::move(fault.text))});
        }
        return;
    }
    if (const producer_states::stored_batch* known = partition->producers.find_duplicate(header)) {
        answer.base_offset = known->base_offset;
        answer.log_append_time_ms = known->max_timestamp;
        answer.log_start_offset = partition->log.start_offset();
        return;
    }
    // There is no coordinator here that could have opened a transaction.
    if (header.has(batch_attributes::transactional))
        return fail_unexpectedly(code_of(broker_errc::invalid_txn_state));
    const bool accepts_unknown = request.broker.profile.accepts_unknown_producers;
    if (const std::int16_t code = partition->producers.check(header, accepts_unknown))
        return fail_unexpectedly(code);

    const bool is_log_append_time = config.message_timestamp_type == timestamp_type::log_append_time;
    const std::int64_t max_timestamp = is_log_append_time ? wall_time : verdict.max_timestamp;
    answer.base_offset = partition->log.append(header, batch,
                                               {.leader_epoch = partition->leader_epoch,
                                                .type = config.message_timestamp_type,
                                                .max_timestamp = max_timestamp});
    if (is_log_append_time) answer.log_append_time_ms = wall_time;
    answer.log_start_offset = partition->log.start_offset();
    partition->producers.remember(header, answer.base_offset, max_timestamp);
    cluster_state::advance_high_watermark(*asked.topic, *partition);
}

// KIP-951: who leads instead, and where that broker is.
void broker_produce::hint_at_leader(const broker_request& request, const part& asked,
                                    wire::partition_produce_response& answer) {
    if (request.header.version < leader_hints_from) return;
    const fake_partition* partition = request.cluster.find(asked.topic_name, answer.index);
    if (partition == nullptr) return;
    answer.current_leader = {partition->leader, partition->leader_epoch};
    const fake_broker* leader = request.cluster.find_broker(partition->leader);
    if (leader == nullptr) return;
    const auto is_there = std::ranges::any_of(response_.node_endpoints, [&](const wire::node_endpoint& each) {
        return each.node_id == leader->node;
    });
    if (is_there) return;
    response_.node_endpoints.push_back(
        {.node_id = leader->node, .host = leader->host, .port = leader->port, .rack = leader->rack});
}

}  // namespace sluice::testing
