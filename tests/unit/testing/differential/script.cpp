#include "unit/testing/differential/script.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <chrono>

namespace sluice::testing {
namespace {

std::int64_t wall_time_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

// Errors of the same test find each other by name.
std::string unique_prefix(std::int16_t version) {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    return fmt::format("{}-{}-{}-", test->test_suite_name(), test->name(), version);
}

}  // namespace

std::int64_t script::producer() {
    wire::init_producer_id_request request;
    request.transaction_timeout_ms = 60000;
    for (int attempt = 0; attempt < 200; ++attempt) {
        const auto answer = asked_.ask<wire::init_producer_id_response>(1, request, 4);
        if (answer && answer->body.error_code == 0) return answer->body.producer_id;
    }
    ADD_FAILURE() << "no producer id";
    return -1;
}

void script::produce(const std::string& what, std::vector<std::byte> records) {
    made_produce request;
    request.parts.push_back({"t", 0, std::move(records)});
    produce(what, std::move(request));
}

void script::produce(const std::string& what, made_produce request, std::int32_t node) {
    std::vector<std::string> asked_topics;
    for (made_part& part : request.parts) {
        part.topic = full_name(part.topic);
        if (version_ < 13 || !request.ids.empty()) continue;
        if (!ids_.contains(part.topic)) ids_[part.topic] = asked_.id_of(part.topic);
    }
    if (version_ >= 13 && request.ids.empty()) {
        for (const made_part& part : request.parts) request.ids.push_back(ids_[part.topic]);
    }
    const std::vector<std::byte> frame = request.frame(version_);
    if (request.acks == 0) {
        // No answer: a request behind it tells whether the connection lives.
        asked_.connection(node).send(frame);
        const auto after = asked_.ask<wire::api_versions_response>(node, wire::api_versions_request{}, 0);
        return write(what + ": " + (after ? "the connection lives" : "the connection ended"));
    }
    const auto answer = asked_.read_answer<wire::produce_response>(node, frame, version_);
    write(what + ": " + (answer ? describe(answer->body, version_ >= 10) : "the connection ended"));
}

std::string script::describe(const wire::produce_response& answer, bool shows_endpoints) const {
    std::vector<std::string> parts;
    for (const auto& topic : answer.responses) {
        std::string name = short_name(topic.name);
        for (const auto& [known, id] : ids_) {
            if (topic.name.empty() && id == topic.topic_id) name = short_name(known);
        }
        for (const auto& partition : topic.partition_responses) {
            std::vector<std::string> faults;
            for (const auto& fault : partition.record_errors) {
                faults.push_back(
                    fmt::format("{}{}", fault.batch_index, fault.batch_index_error_message ? "!" : ""));
            }
            parts.push_back(
                fmt::format("{}-{} code={} base={} time={} start={} faults=[{}] text={} leader={}/{}", name,
                            partition.index, partition.error_code, partition.base_offset,
                            describe_time(partition.log_append_time_ms), partition.log_start_offset,
                            fmt::join(faults, ","), partition.error_message ? "yes" : "no",
                            partition.current_leader.leader_id, partition.current_leader.leader_epoch));
        }
    }
    std::ranges::sort(parts);
    std::vector<std::int32_t> nodes;
    for (const auto& endpoint : answer.node_endpoints) nodes.push_back(endpoint.node_id);
    std::ranges::sort(nodes);
    return fmt::format("{} throttle={}{}", fmt::join(parts, "; "), answer.throttle_time_ms,
                       shows_endpoints ? fmt::format(" endpoints=[{}]", fmt::join(nodes, ",")) : "");
}

std::string script::describe(const wire::metadata_response& answer, std::int16_t version) const {
    std::vector<std::string> parts;
    for (const auto& topic : answer.topics) {
        std::vector<std::string> partitions;
        for (const auto& each : topic.partitions) {
            std::vector<std::int32_t> in_sync = each.isr_nodes;
            std::ranges::sort(in_sync);
            partitions.push_back(fmt::format("{}: code={} leader={}/{} replicas=[{}] isr=[{}] offline=[{}]",
                                             each.partition_index, each.error_code, each.leader_id,
                                             each.leader_epoch, fmt::join(each.replica_nodes, ","),
                                             fmt::join(in_sync, ","), fmt::join(each.offline_replicas, ",")));
        }
        std::ranges::sort(partitions);
        parts.push_back(fmt::format("{} code={} id={} internal={} operations={} {{{}}}",
                                    topic.name ? short_name(*topic.name) : "null", topic.error_code,
                                    topic.topic_id.is_zero() ? "no" : "yes", topic.is_internal,
                                    topic.topic_authorized_operations, fmt::join(partitions, "; ")));
    }
    std::ranges::sort(parts);
    std::vector<std::int32_t> nodes;
    for (const auto& broker : answer.brokers) nodes.push_back(broker.node_id);
    std::ranges::sort(nodes);
    return fmt::format("v{} code={} brokers=[{}] cluster={} controller={} operations={} topics=[{}]", version,
                       answer.error_code, fmt::join(nodes, ","), answer.cluster_id ? "yes" : "no",
                       answer.controller_id >= 1 ? "yes" : "no", answer.cluster_authorized_operations,
                       fmt::join(parts, "; "));
}

std::string script::short_name(std::string_view topic) const {
    return std::string(topic.starts_with(prefix_) ? topic.substr(prefix_.size()) : topic);
}

std::string script::describe_time(std::int64_t time) const {
    const std::int64_t age = wall_time_ms() - time;
    return age >= -60000 && age < 60000 ? "now" : std::to_string(time);
}

void compare(const std::function<void(script&)>& run, std::vector<std::int16_t> versions) {
    std::string why_not;
    witness* real = real_kafka(why_not);
    if (real == nullptr) GTEST_SKIP() << why_not;
    fake_witness fake;
    for (const std::int16_t version : versions) {
        if (version > fake.produce_version_max()) continue;
        script expected(*real, unique_prefix(version), version);
        script actual(fake, unique_prefix(version), version);
        run(expected);
        run(actual);
        ASSERT_EQ(expected.lines().size(), actual.lines().size());
        for (std::size_t index = 0; index < expected.lines().size(); ++index) {
            EXPECT_EQ(expected.lines()[index], actual.lines()[index])
                << "in version " << version << "; Kafka's is the first";
        }
    }
}

}  // namespace sluice::testing
