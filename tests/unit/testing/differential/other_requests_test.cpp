// Does a fake broker answer Metadata, ApiVersions, InitProducerId and nonsense as a real one does?
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "unit/testing/differential/script.hpp"

namespace sluice::testing {
namespace {

using versions = std::vector<std::int16_t>;

const versions metadata_versions{0, 1, 4, 5, 7, 8, 9, 10, 11, 12, 13};

void ask_metadata(script& run, const std::string& what, const wire::metadata_request& request,
                  std::int16_t version) {
    const auto answer = run.cluster().ask<wire::metadata_response>(1, request, version);
    run.write(what + ": " + (answer ? run.describe(answer->body, version) : "the connection ended"));
}

wire::metadata_request about(std::initializer_list<std::string_view> names) {
    wire::metadata_request request;
    request.topics.emplace();
    for (const std::string_view name : names) request.topics->push_back({.topic_id = {}, .name = name});
    return request;
}

TEST(DifferentialMetadata, TopicsByName) {
    compare(
        [](script& run) {
            run.topic("t", {.partition_count = 3, .replication_factor = 2});
            const std::string known = run.full_name("t");
            const std::string unknown = run.full_name("nothing");
            for (const std::int16_t version : metadata_versions) {
                wire::metadata_request request =
                    about({known, unknown, "no/such", "", ".", "..", std::string_view(known)});
                if (version >= 4)
                    request.allow_auto_topic_creation = false;
                else
                    request.topics->erase(request.topics->begin() + 1);  // it would be made
                ask_metadata(run, "names", request, version);
            }
        },
        {9});
}

TEST(DifferentialMetadata, NoTopics) {
    compare(
        [](script& run) {
            for (const std::int16_t version : metadata_versions) {
                if (version > 0) ask_metadata(run, "none", about({}), version);
            }
        },
        {9});
}

TEST(DifferentialMetadata, LongNames) {
    compare(
        [](script& run) {
            wire::metadata_request request;
            const std::string longest(249, 'x');
            const std::string too_long(250, 'x');
            request = about({longest, too_long});
            request.allow_auto_topic_creation = false;
            ask_metadata(run, "long", request, 9);
        },
        {9});
}

TEST(DifferentialMetadata, TopicsById) {
    compare(
        [](script& run) {
            run.topic("t");
            const wire::uuid id = run.cluster().id_of(run.full_name("t"));
            wire::uuid unknown;
            unknown.octets.fill(std::byte{0x5a});
            for (const std::int16_t version :
                 {std::int16_t{10}, std::int16_t{11}, std::int16_t{12}, std::int16_t{13}}) {
                wire::metadata_request request;
                request.allow_auto_topic_creation = false;
                request.topics.emplace().push_back(
                    {.topic_id = id,
                     .name = version < 12 ? std::optional<std::string_view>("") : std::nullopt});
                ask_metadata(run, "known", request, version);
                request.topics->front().topic_id = unknown;
                ask_metadata(run, "unknown", request, version);
                request.topics->front().topic_id = {};
                ask_metadata(run, "neither", request, version);
            }
        },
        {9});
}

TEST(DifferentialMetadata, AuthorizedOperations) {
    compare(
        [](script& run) {
            run.topic("t", {.replication_factor = 1});
            const std::string name = run.full_name("t");
            for (const std::int16_t version :
                 {std::int16_t{8}, std::int16_t{10}, std::int16_t{11}, std::int16_t{13}}) {
                wire::metadata_request request = about({name});
                request.include_cluster_authorized_operations = version <= 10;
                request.include_topic_authorized_operations = true;
                ask_metadata(run, "operations", request, version);
            }
        },
        {9});
}

TEST(DifferentialMetadata, TopicsThatComeToBe) {
    compare(
        [](script& run) {
            const std::string name = run.full_name("new");
            wire::metadata_request request = about({name});
            const auto first = run.cluster().ask<wire::metadata_response>(1, request, 9);
            ASSERT_TRUE(first);
            run.write(fmt::format("at first: {}", first->body.topics.front().error_code));
            request.allow_auto_topic_creation = false;
            for (int attempt = 0; attempt < 500; ++attempt) {
                const auto answer = run.cluster().ask<wire::metadata_response>(1, request, 9);
                ASSERT_TRUE(answer);
                if (answer->body.topics.front().error_code == 0) break;
                std::this_thread::sleep_for(std::chrono::milliseconds(20));
            }
            const auto last = run.cluster().ask<wire::metadata_response>(1, request, 9);
            ASSERT_TRUE(last);
            run.write(fmt::format("at last: {}, {} partitions", last->body.topics.front().error_code,
                                  last->body.topics.front().partitions.size()));
        },
        {9});
}

std::string describe(const wire::api_versions_response& answer) {
    std::vector<std::string> apis;
    for (const auto& api : answer.api_keys) {
        // Those that fake brokers have too.
        if (api.api_key == 0 || api.api_key == 1 || api.api_key == 3 || api.api_key == 18 ||
            api.api_key == 22) {
            apis.push_back(fmt::format("{}:{}-{}", api.api_key, api.min_version, api.max_version));
        }
    }
    std::vector<std::string> supported;
    for (const auto& each : answer.supported_features) {
        supported.push_back(fmt::format("{}:{}-{}", each.name, each.min_version, each.max_version));
    }
    std::ranges::sort(supported);
    std::vector<std::string> finalized;
    for (const auto& each : answer.finalized_features) {
        finalized.push_back(
            fmt::format("{}:{}-{}", each.name, each.min_version_level, each.max_version_level));
    }
    std::ranges::sort(finalized);
    return fmt::format("code={} apis=[{}] supported=[{}] finalized=[{}] epoch={} throttle={}",
                       answer.error_code, fmt::join(apis, " "), fmt::join(supported, " "),
                       fmt::join(finalized, " "), answer.finalized_features_epoch > 0 ? "yes" : "no",
                       answer.throttle_time_ms);
}

TEST(DifferentialApiVersions, EveryVersion) {
    compare(
        [](script& run) {
            wire::api_versions_request request;
            request.client_software_name = "sluice";
            request.client_software_version = "0.1";
            for (std::int16_t version = 0; version <= 5; ++version) {
                const auto answer = run.cluster().ask<wire::api_versions_response>(1, request, version);
                run.write(fmt::format("v{}: {}", version,
                                      answer ? describe(answer->body) : "the connection ended"));
            }
        },
        {9});
}

TEST(DifferentialApiVersions, SoftwareNames) {
    compare(
        [](script& run) {
            for (const std::string_view name : {"a", "a-b.c", "", "-a", "a-", "a b", "ä", "a_b"}) {
                wire::api_versions_request request;
                request.client_software_name = name;
                request.client_software_version = "1";
                const auto answer = run.cluster().ask<wire::api_versions_response>(1, request, 3);
                run.write(fmt::format("'{}': {}", name, answer ? answer->body.error_code : -99));
            }
        },
        {9});
}

TEST(DifferentialInitProducerId, Identities) {
    compare(
        [](script& run) {
            for (std::int16_t version = 0; version <= 5; ++version) {
                run.producer();  // the first may have to wait for a block of ids
                wire::init_producer_id_request request;
                request.transaction_timeout_ms = 60000;
                const auto one = run.cluster().ask<wire::init_producer_id_response>(1, request, version);
                const auto two = run.cluster().ask<wire::init_producer_id_response>(1, request, version);
                ASSERT_TRUE(one);
                ASSERT_TRUE(two);
                run.write(fmt::format("v{}: code={} epoch={} another={}", version, one->body.error_code,
                                      one->body.producer_epoch,
                                      two->body.producer_id > one->body.producer_id));
                if (version < 3) continue;
                request.producer_id = one->body.producer_id;
                request.producer_epoch = one->body.producer_epoch;
                const auto raised = run.cluster().ask<wire::init_producer_id_response>(1, request, version);
                run.write(fmt::format("v{} with its identity: code={} epoch={} same id={}", version,
                                      raised->body.error_code, raised->body.producer_epoch,
                                      raised->body.producer_id == one->body.producer_id));
                request.producer_epoch = -1;
                const auto half = run.cluster().ask<wire::init_producer_id_response>(1, request, version);
                run.write(fmt::format("v{} with half of it: code={} id={} epoch={}", version,
                                      half->body.error_code, half->body.producer_id,
                                      half->body.producer_epoch));
            }
        },
        {9});
}

// Sends raw bytes and writes down whether the broker says anything.
void send_raw(script& run, const std::string& what, const std::vector<std::byte>& request) {
    blocking_client& connection = run.cluster().connection(1);
    connection.send(request);
    run.write(what + ": " + (connection.is_closed_by_peer() ? "the connection ended" : "an answer"));
    run.cluster().drop_connection(1);
}

std::vector<std::byte> header_frame(std::int16_t key, std::int16_t version,
                                    std::vector<std::byte> body = {}) {
    wire::writer out;
    const auto frame = wire::begin_request(out, static_cast<wire::api_key>(key), version, false, 7, "tests");
    out.write_raw(body);
    EXPECT_FALSE(wire::end_request(out, frame));
    return out.gathered();
}

std::vector<std::byte> size_alone(std::int32_t size) {
    wire::writer out;
    out.write_int32(size);
    return out.gathered();
}

TEST(DifferentialNonsense, EndsTheConnection) {
    compare(
        [](script& run) {
            send_raw(run, "unknown API", header_frame(999, 0));
            send_raw(run, "negative API", header_frame(-1, 0));
            if (!is_kafka_3_9()) {  // which still speaks them; we do not
                send_raw(run, "Produce 2", header_frame(0, 2, std::vector<std::byte>(10)));
                send_raw(run, "Produce 0", header_frame(0, 0, std::vector<std::byte>(10)));
            }
            send_raw(run, "Produce 99", header_frame(0, 99));
            send_raw(run, "Metadata 14", header_frame(3, 14));
            send_raw(run, "InitProducerId 99", header_frame(22, 99));
            send_raw(run, "Metadata without a body", header_frame(3, 4));
            send_raw(run, "Metadata with a count that is too large",
                     header_frame(3, 4, std::vector<std::byte>(4, std::byte{0x70})));
            send_raw(run, "size 0", size_alone(0));
            send_raw(run, "size -1", size_alone(-1));
            send_raw(run, "size 2 GiB", size_alone(INT32_MAX));
            send_raw(run, "size 104857601", size_alone(104857601));
        },
        {9});
}

}  // namespace
}  // namespace sluice::testing
