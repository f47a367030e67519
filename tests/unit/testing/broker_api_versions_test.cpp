#include "testing/broker_api_versions.hpp"

#include <gtest/gtest.h>

#include "unit/testing/fake_client.hpp"
#include "wire/negotiated_versions.hpp"

namespace sluice::testing {
namespace {

wire::api_versions_request named(std::string_view name = "sluice") {
    wire::api_versions_request request;
    request.client_software_name = name;
    request.client_software_version = "0.1";
    return request;
}

TEST(BrokerApiVersions, TheNewestProfileIsAModernBroker) {
    fake_cluster cluster;
    fake_client client(cluster);

    const auto answer = client.ask<wire::api_versions_response>(named(), 4);

    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->body.error_code, 0);
    const wire::negotiated_versions versions(answer->body);
    EXPECT_EQ(versions.version_for(wire::api_key::produce), 13);
    EXPECT_EQ(versions.version_for(wire::api_key::metadata), 13);
    EXPECT_EQ(versions.version_for(wire::api_key::init_producer_id), 5);
    EXPECT_EQ(versions.finalized_level("transaction.version"), 2);
    const auto fetch = std::ranges::find(answer->body.api_keys, 1, &wire::api_version::api_key);
    ASSERT_NE(fetch, answer->body.api_keys.end()) << "without Fetch librdkafka takes it for an old one";
    EXPECT_GE(fetch->max_version, 4);
}

TEST(BrokerApiVersions, AnswersEveryVersion_VER_2) {
    fake_cluster cluster;
    fake_client client(cluster);
    for (std::int16_t version = 0; version <= 4; ++version) {
        const auto answer = client.ask<wire::api_versions_response>(named(), version);
        ASSERT_TRUE(answer) << version;
        EXPECT_EQ(answer->body.error_code, 0) << version;
        EXPECT_EQ(answer->body.finalized_features.empty(), version < 3) << version;
    }
}

TEST(BrokerApiVersions, FeaturesFromLevelZeroAreForVersion4) {
    fake_cluster cluster;
    fake_client client(cluster);
    const auto has_zero = [&](std::int16_t version) {
        const auto answer = client.ask<wire::api_versions_response>(named(), version);
        return std::ranges::any_of(answer->body.supported_features,
                                   [](const auto& each) { return each.min_version == 0; });
    };

    EXPECT_FALSE(has_zero(3));
    EXPECT_TRUE(has_zero(4));
}

TEST(BrokerApiVersions, AVersionThatItLacksIsAnsweredInTheShapeOf0_VER_3) {
    fake_cluster cluster;
    fake_client client(cluster);

    client.send(frame_of(named(), 5));
    const auto frame = client.next_frame();

    ASSERT_TRUE(frame);
    wire::reader in(*frame);
    wire::read_response_header(in, wire::api_key::api_versions, 0);
    wire::api_versions_response answer;
    ASSERT_FALSE(wire::decode(answer, 0, in));
    EXPECT_EQ(answer.error_code, code(broker_errc::unsupported_version));
    ASSERT_EQ(answer.api_keys.size(), 1u);
    EXPECT_EQ(answer.api_keys[0].api_key, 18);
    EXPECT_EQ(answer.api_keys[0].max_version, 4);
    EXPECT_FALSE(client.is_closed());
}

TEST(BrokerApiVersions, BeforeKip511TheAnswerNamesNoVersion) {
    fake_cluster cluster({.profile = broker_profile::kafka_2_1()});
    fake_client client(cluster);

    const auto refused = client.ask<wire::api_versions_response>(named(), 3);
    EXPECT_EQ(refused->body.error_code, code(broker_errc::unsupported_version));
    EXPECT_TRUE(refused->body.api_keys.empty());
    const auto answer = client.ask<wire::api_versions_response>(named(), 2);
    EXPECT_EQ(answer->body.error_code, 0);
    EXPECT_EQ(wire::negotiated_versions(answer->body).version_for(wire::api_key::produce), 7);
}

TEST(BrokerApiVersions, SoftwareNamesFollowARule_VER_1) {
    fake_cluster cluster;
    fake_client client(cluster);

    for (const std::string_view legal : {"a", "a-b.c", "apache-kafka-java"}) {
        EXPECT_EQ(client.ask<wire::api_versions_response>(named(legal), 3)->body.error_code, 0) << legal;
    }
    for (const std::string_view illegal : {"", "-a", "a-", "a b", "a_b"}) {
        const auto answer = client.ask<wire::api_versions_response>(named(illegal), 3);
        EXPECT_EQ(answer->body.error_code, code(broker_errc::invalid_request)) << illegal;
        EXPECT_TRUE(answer->body.api_keys.empty());
    }
}

TEST(BrokerApiVersions, Version5ChecksThatTheClientIsWhereItThinks_VER_4) {
    fake_cluster cluster(
        {.broker_count = 2, .profile = broker_profile::newest().offer(api_versions_key, 0, 5)});
    fake_client client(cluster, 2);
    wire::api_versions_request request = named();
    const auto error = [&] { return client.ask<wire::api_versions_response>(request, 5)->body.error_code; };

    EXPECT_EQ(error(), 0) << "neither";
    request.cluster_id = "sluice-fake-cluster-00";
    EXPECT_EQ(error(), code(broker_errc::invalid_request)) << "only one of both";
    request.node_id = 2;
    EXPECT_EQ(error(), 0);
    request.node_id = 1;
    EXPECT_EQ(error(), code(broker_errc::rebootstrap_required));
    request.cluster_id = "elsewhere";
    request.node_id = 2;
    EXPECT_EQ(error(), code(broker_errc::rebootstrap_required));
}

TEST(BrokerApiVersions, ProfilesMayBeOnesOwn) {
    broker_profile profile = broker_profile::newest();
    profile.withdraw(init_producer_id_key).offer(produce_key, 3, 5);
    fake_cluster cluster({.broker_count = 2});
    cluster.set_profile(2, profile);
    fake_client client(cluster, 2), other(cluster, 1);

    const wire::negotiated_versions versions(client.ask<wire::api_versions_response>(named(), 3)->body);
    EXPECT_EQ(versions.version_for(wire::api_key::produce), 5);
    EXPECT_EQ(versions.version_for(wire::api_key::init_producer_id), std::nullopt);
    EXPECT_TRUE(other.ask<wire::init_producer_id_response>(wire::init_producer_id_request{}, 4));
    EXPECT_FALSE(client.ask<wire::init_producer_id_response>(wire::init_producer_id_request{}, 4));
    EXPECT_TRUE(client.is_closed());
}

TEST(BrokerApiVersions, FailsAsFated) {
    fake_cluster cluster;
    fake_client client(cluster);
    cluster.queue_fate(api_versions_key, fate::error(broker_errc::unknown_server_error));

    EXPECT_EQ(client.ask<wire::api_versions_response>(named(), 3)->body.error_code,
              code(broker_errc::unknown_server_error));
    EXPECT_EQ(client.ask<wire::api_versions_response>(named(), 3)->body.error_code, 0);
}

}  // namespace
}  // namespace sluice::testing
