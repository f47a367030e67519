#include "testing/broker_metadata.hpp"

#include <gtest/gtest.h>

#include "unit/testing/fake_client.hpp"

namespace sluice::testing {
namespace {

using nodes = std::vector<std::int32_t>;
using answer = std::optional<answer_of<wire::metadata_response>>;

struct BrokerMetadata : ::testing::Test {
    fake_cluster cluster{{.broker_count = 3, .racks = {"a", "b"}}};
    fake_client client{cluster, 2};

    answer ask(const wire::metadata_request& request, std::int16_t version = 13) {
        answer came = client.ask<wire::metadata_response>(request, version);
        EXPECT_TRUE(came) << "no answer in version " << version;
        return came;
    }
};

TEST_F(BrokerMetadata, NamesBrokersAndCluster) {
    cluster.set_address(2, "there", 1234);

    const answer came = ask(metadata_about({}));

    ASSERT_EQ(came->body.brokers.size(), 3u);
    EXPECT_EQ(came->body.brokers[1].node_id, 2);
    EXPECT_EQ(came->body.brokers[1].host, "there");
    EXPECT_EQ(came->body.brokers[1].port, 1234);
    EXPECT_EQ(came->body.brokers[1].rack, "b");
    EXPECT_EQ(came->body.brokers[2].rack, std::nullopt);
    EXPECT_EQ(came->body.cluster_id, "sluice-fake-cluster-00");
    EXPECT_EQ(came->body.controller_id, 1);
    EXPECT_TRUE(came->body.topics.empty());
}

TEST_F(BrokerMetadata, DescribesTopicsInEveryVersion) {
    cluster.create_topic("t", {.partition_count = 2});
    cluster.move_leader("t", 1, 3);
    for (std::int16_t version = 0; version <= 13; ++version) {
        const answer came = ask(metadata_about({"t"}), version);
        ASSERT_EQ(came->body.topics.size(), 1u) << version;
        const auto& topic = came->body.topics[0];
        EXPECT_EQ(topic.error_code, 0);
        EXPECT_EQ(topic.name, "t");
        EXPECT_EQ(topic.topic_id.octets, version >= 10 ? cluster.id_of("t") : topic_id{});
        ASSERT_EQ(topic.partitions.size(), 2u);
        EXPECT_EQ(topic.partitions[1].partition_index, 1);
        EXPECT_EQ(topic.partitions[1].leader_id, 3);
        EXPECT_EQ(topic.partitions[1].leader_epoch, version >= 7 ? 1 : -1);
        EXPECT_EQ(topic.partitions[1].replica_nodes, (nodes{2, 3, 1}));
        EXPECT_EQ(topic.partitions[1].isr_nodes, (nodes{2, 3, 1}));
    }
}

TEST_F(BrokerMetadata, AllTopicsAreNullOrInVersion0None) {
    cluster.create_topic("a");
    cluster.create_topic("b");
    cluster.deny_topic("b");
    wire::metadata_request all;

    EXPECT_EQ(ask(metadata_about({}), 0)->body.topics.size(), 1u);
    EXPECT_EQ(ask(metadata_about({}), 1)->body.topics.size(), 0u);
    EXPECT_EQ(ask(all, 1)->body.topics.size(), 1u) << "what is denied is not listed";
    EXPECT_EQ(ask(all)->body.topics.size(), 1u);
}

TEST_F(BrokerMetadata, DeadBrokersAreMissingAndTheirReplicasOffline_MD_21) {
    cluster.create_topic("one", {.partition_count = 1, .replication_factor = 1});
    cluster.create_topic("three");
    cluster.kill(1);

    const answer came = ask(metadata_about({"one", "three"}));

    EXPECT_EQ(came->body.brokers.size(), 2u);
    EXPECT_EQ(came->body.controller_id, 2);
    const auto& one = came->body.topics.at(0).partitions.at(0);
    EXPECT_EQ(one.error_code, code(broker_errc::leader_not_available));
    EXPECT_EQ(one.leader_id, -1);
    EXPECT_EQ(one.offline_replicas, nodes{1});
    const auto& three = came->body.topics.at(1).partitions.at(0);
    EXPECT_EQ(three.error_code, 0);
    EXPECT_EQ(three.leader_id, 2);
    EXPECT_EQ(three.replica_nodes, (nodes{1, 2, 3}));
    EXPECT_EQ(three.isr_nodes, (nodes{2, 3}));
    EXPECT_EQ(three.offline_replicas, nodes{1});
}

TEST_F(BrokerMetadata, Version0LeavesDeadReplicasOut) {
    cluster.create_topic("three");
    cluster.kill(1);

    const auto partition = ask(metadata_about({"three"}), 0)->body.topics.at(0).partitions.at(0);

    EXPECT_EQ(partition.error_code, code(broker_errc::replica_not_available));
    EXPECT_EQ(partition.replica_nodes, (nodes{2, 3}));
}

TEST_F(BrokerMetadata, MakesTopicsThatAreAskedFor) {
    const answer first = ask(metadata_about({"new"}));
    EXPECT_EQ(first->body.topics.at(0).error_code, code(broker_errc::unknown_topic_or_partition));
    EXPECT_TRUE(first->body.topics.at(0).partitions.empty());
    EXPECT_TRUE(first->body.topics.at(0).topic_id.is_zero());
    EXPECT_TRUE(cluster.has_topic("new"));

    const answer second = ask(metadata_about({"new"}));
    EXPECT_EQ(second->body.topics.at(0).error_code, 0);
    EXPECT_EQ(second->body.topics.at(0).partitions.size(), 1u);
}

TEST(BrokerMetadataCreates, AsConfiguredAndAsLateAsConfigured) {
    fake_cluster cluster({.profile = broker_profile::kafka_2_1(),
                          .auto_created = {.partition_count = 5},
                          .not_ready_answers = 3});
    fake_client client(cluster);
    for (int index = 0; index < 3; ++index) {
        const auto came = client.ask<wire::metadata_response>(metadata_about({"new"}), 7);
        EXPECT_EQ(came->body.topics.at(0).error_code, code(broker_errc::leader_not_available))
            << "under ZooKeeper";
    }
    EXPECT_EQ(
        client.ask<wire::metadata_response>(metadata_about({"new"}), 7)->body.topics.at(0).partitions.size(),
        5u);

    fake_cluster quick({.not_ready_answers = 0});
    fake_client other(quick);
    EXPECT_EQ(other.ask<wire::metadata_response>(metadata_about({"new"}), 9)->body.topics.at(0).error_code,
              0);
}

TEST(BrokerMetadataCreates, OnlyWhereBothAllowIt) {
    fake_cluster cluster;
    fake_client client(cluster);
    wire::metadata_request request = metadata_about({"new"});
    request.allow_auto_topic_creation = false;
    EXPECT_EQ(client.ask<wire::metadata_response>(request, 9)->body.topics.at(0).error_code,
              code(broker_errc::unknown_topic_or_partition));
    EXPECT_FALSE(cluster.has_topic("new"));

    fake_cluster strict({.auto_create_topics_enable = false});
    fake_client other(strict);
    EXPECT_EQ(other.ask<wire::metadata_response>(metadata_about({"new"}), 9)->body.topics.at(0).error_code,
              code(broker_errc::unknown_topic_or_partition));
    EXPECT_FALSE(strict.has_topic("new"));
}

TEST_F(BrokerMetadata, IllegalNamesAreInvalid_SND_29) {
    const answer came = ask(metadata_about({"a/b", "", ".."}), 9);

    for (const auto& topic : came->body.topics)
        EXPECT_EQ(topic.error_code, code(broker_errc::invalid_topic_exception));
    EXPECT_EQ(came->body.topics.size(), 3u);
}

TEST_F(BrokerMetadata, DeniedTopicsTellNothing) {
    cluster.create_topic("t");
    cluster.deny_topic("t");
    cluster.deny_topic("nothing");

    const answer came = ask(metadata_about({"t", "nothing"}));

    for (const auto& topic : came->body.topics) {
        EXPECT_EQ(topic.error_code, code(broker_errc::topic_authorization_failed));
        EXPECT_TRUE(topic.topic_id.is_zero());
        EXPECT_TRUE(topic.partitions.empty());
    }
    EXPECT_FALSE(cluster.has_topic("nothing"));
}

TEST_F(BrokerMetadata, ATopicAskedForTwiceIsAnsweredOnce) {
    cluster.create_topic("t");

    EXPECT_EQ(ask(metadata_about({"t", "a/b", "t", "a/b"}))->body.topics.size(), 2u);
}

TEST_F(BrokerMetadata, FindsTopicsById) {
    cluster.create_topic("t");
    cluster.create_topic("secret");
    cluster.deny_topic("secret");
    wire::uuid unknown;
    unknown.octets.fill(std::byte{0x5a});
    wire::metadata_request request;
    request.topics.emplace();
    for (const wire::uuid& id :
         {wire::uuid{cluster.id_of("t")}, unknown, wire::uuid{cluster.id_of("secret")}}) {
        request.topics->push_back({.topic_id = id, .name = std::nullopt});
    }

    const answer came = ask(request, 12);

    ASSERT_EQ(came->body.topics.size(), 3u);
    EXPECT_EQ(came->body.topics[0].name, "t");
    EXPECT_EQ(came->body.topics[1].error_code, code(broker_errc::unknown_topic_id));
    EXPECT_EQ(came->body.topics[1].name, std::nullopt);
    EXPECT_EQ(came->body.topics[1].topic_id, unknown);
    EXPECT_EQ(came->body.topics[2].error_code, code(broker_errc::topic_authorization_failed));
    EXPECT_EQ(came->body.topics[2].name, std::nullopt);
}

TEST_F(BrokerMetadata, RefusesIdsBeforeVersion12AndTopicsWithoutEither) {
    cluster.create_topic("t");
    wire::metadata_request request;
    request.topics.emplace().push_back({.topic_id = wire::uuid{cluster.id_of("t")}, .name = ""});
    EXPECT_EQ(ask(request, 10)->body.topics.at(0).error_code, code(broker_errc::invalid_request));

    request.topics->at(0) = {.topic_id = {}, .name = std::nullopt};
    const answer came = ask(request, 13);
    EXPECT_EQ(came->body.error_code, code(broker_errc::unknown_server_error));
    EXPECT_EQ(came->body.topics.at(0).error_code, code(broker_errc::unknown_server_error));
    EXPECT_TRUE(came->body.brokers.empty());
}

TEST_F(BrokerMetadata, InternalTopicsAreMarked) {
    cluster.create_topic("__consumer_offsets");

    EXPECT_TRUE(ask(metadata_about({"__consumer_offsets"}))->body.topics.at(0).is_internal);
}

TEST_F(BrokerMetadata, TellsWhatMayBeDone) {
    cluster.create_topic("t");
    wire::metadata_request request = metadata_about({"t"});
    EXPECT_EQ(ask(request, 8)->body.cluster_authorized_operations, wire::authorized_operations_unknown);
    request.include_cluster_authorized_operations = request.include_topic_authorized_operations = true;

    EXPECT_EQ(ask(request, 8)->body.cluster_authorized_operations, 8096);
    EXPECT_EQ(ask(request, 8)->body.topics.at(0).topic_authorized_operations, 3576);
}

TEST_F(BrokerMetadata, FailsAsFated) {
    cluster.create_topic("t");
    cluster.queue_fate(metadata_key, fate::error(broker_errc::unknown_server_error));
    cluster.queue_fate(metadata_key, fate::error(broker_errc::rebootstrap_required));
    cluster.queue_fate(metadata_key, fate::error_after_apply(broker_errc::leader_not_available));

    EXPECT_EQ(ask(metadata_about({"t"}), 9)->body.topics.at(0).error_code,
              code(broker_errc::unknown_server_error));
    EXPECT_EQ(ask(metadata_about({"t"}), 13)->body.error_code, code(broker_errc::rebootstrap_required));
    EXPECT_EQ(ask(metadata_about({"new"}), 9)->body.topics.at(0).error_code,
              code(broker_errc::leader_not_available));
    EXPECT_TRUE(cluster.has_topic("new"));
}

}  // namespace
}  // namespace sluice::testing
