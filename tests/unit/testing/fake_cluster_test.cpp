#include "sluice/testing/fake_cluster.hpp"

#include <gtest/gtest.h>

#include "unit/testing/fake_client.hpp"

namespace sluice::testing {
namespace {

using nodes = std::vector<std::int32_t>;

// As before Kafka 4: the last replica in sync stays so.
cluster_config without_eligible_leaders(std::int32_t broker_count) {
    return {.broker_count = broker_count, .profile = broker_profile::kafka_3_9()};
}

TEST(FakeCluster, SpreadsPartitionsOverItsBrokers) {
    fake_cluster cluster({.broker_count = 3});
    ASSERT_FALSE(cluster.create_topic("t", {.partition_count = 4, .replication_factor = 2}));

    EXPECT_EQ(cluster.partition_count("t"), 4);
    for (const std::int32_t partition : {0, 1, 2, 3})
        EXPECT_EQ(cluster.leader("t", partition), partition % 3 + 1);
    EXPECT_EQ(cluster.replicas("t", 2), (nodes{3, 1}));
    EXPECT_EQ(cluster.in_sync_replicas("t", 2), (nodes{3, 1}));
    EXPECT_EQ(cluster.leader_epoch("t", 2), 0);
}

TEST(FakeCluster, HasAtMostThreeReplicasUnlessToldOtherwise) {
    fake_cluster cluster({.broker_count = 5});
    cluster.create_topic("usual");
    cluster.create_topic("five", {.replication_factor = 5});

    EXPECT_EQ(cluster.replicas("usual", 0).size(), 3u);
    EXPECT_EQ(cluster.replicas("five", 0).size(), 5u);
}

TEST(FakeCluster, RefusesTopicsAsKafkaDoes) {
    fake_cluster cluster;
    ASSERT_FALSE(cluster.create_topic("t"));

    EXPECT_EQ(cluster.create_topic("a/b"), broker_errc::invalid_topic_exception);
    EXPECT_EQ(cluster.create_topic("t").value(), 36);
    EXPECT_EQ(cluster.create_topic("u", {.partition_count = 0}).value(), 37);
    EXPECT_EQ(cluster.create_topic("u", {.replication_factor = 2}).value(), 38);
    EXPECT_FALSE(cluster.has_topic("u"));
    EXPECT_EQ(cluster.add_partitions("t", 1).value(), 37);
    EXPECT_EQ(cluster.delete_topic("u"), broker_errc::unknown_topic_or_partition);
}

TEST(FakeCluster, ATopicThatIsMadeAgainHasAnotherId) {
    fake_cluster cluster;
    cluster.create_topic("t");
    const topic_id first = cluster.id_of("t");

    ASSERT_FALSE(cluster.delete_topic("t"));
    EXPECT_EQ(cluster.id_of("t"), topic_id{});
    cluster.create_topic("t");

    EXPECT_NE(cluster.id_of("t"), first);
    EXPECT_NE(cluster.id_of("t"), topic_id{});
}

TEST(FakeCluster, TwoClustersMadeAlikeAreAlike) {
    fake_cluster one, other;
    one.create_topic("t");
    other.create_topic("t");

    EXPECT_EQ(one.id_of("t"), other.id_of("t"));
}

TEST(FakeCluster, GrowsTopics) {
    fake_cluster cluster({.broker_count = 2});
    cluster.create_topic("t");

    ASSERT_FALSE(cluster.add_partitions("t", 3));

    EXPECT_EQ(cluster.partition_count("t"), 3);
    EXPECT_EQ(cluster.leader("t", 1), 2);
}

TEST(FakeCluster, MovesLeaders) {
    fake_cluster cluster({.broker_count = 3});
    cluster.create_topic("t", {.replication_factor = 2});

    ASSERT_FALSE(cluster.move_leader("t", 0, 2));
    EXPECT_EQ(cluster.leader("t", 0), 2);
    EXPECT_EQ(cluster.leader_epoch("t", 0), 1);
    ASSERT_FALSE(cluster.move_leader("t", 0, 2));
    EXPECT_EQ(cluster.leader_epoch("t", 0), 2) << "an election, with the same outcome";
    EXPECT_EQ(cluster.move_leader("t", 0, 3), broker_errc::replica_not_available);
    EXPECT_EQ(cluster.move_leader("t", 0, 9), broker_errc::broker_not_available);
    EXPECT_EQ(cluster.move_leader("t", 1, 1), broker_errc::unknown_topic_or_partition);
    cluster.kill(1);
    EXPECT_EQ(cluster.move_leader("t", 0, 1), broker_errc::broker_not_available);
}

TEST(FakeCluster, ElectsTheNextReplicaInSyncWhenALeaderDies) {
    fake_cluster cluster({.broker_count = 3});
    cluster.create_topic("t", {.partition_count = 3});

    cluster.kill(1);

    EXPECT_FALSE(cluster.is_alive(1));
    EXPECT_EQ(cluster.leader("t", 0), 2);
    EXPECT_EQ(cluster.leader_epoch("t", 0), 1);
    EXPECT_EQ(cluster.in_sync_replicas("t", 0), (nodes{2, 3}));
    EXPECT_EQ(cluster.leader("t", 1), 2) << "nothing changes where another led";
    EXPECT_EQ(cluster.leader_epoch("t", 1), 0);
    EXPECT_EQ(cluster.in_sync_replicas("t", 1), (nodes{2, 3}));
}

TEST(FakeCluster, ABrokerThatComesBackFollows) {
    fake_cluster cluster({.broker_count = 3});
    cluster.create_topic("t");
    cluster.kill(1);

    cluster.start(1);

    EXPECT_TRUE(cluster.is_alive(1));
    EXPECT_EQ(cluster.leader("t", 0), 2);
    EXPECT_EQ(cluster.leader_epoch("t", 0), 1);
    EXPECT_EQ(cluster.in_sync_replicas("t", 0).size(), 3u);
}

TEST(FakeCluster, WithoutAReplicaAliveThereIsNoLeader) {
    fake_cluster cluster({.broker_count = 2});
    cluster.create_topic("t", {.replication_factor = 1});

    cluster.kill(1);
    EXPECT_EQ(cluster.leader("t", 0), -1);
    EXPECT_EQ(cluster.leader_epoch("t", 0), 1);
    EXPECT_TRUE(cluster.in_sync_replicas("t", 0).empty());

    cluster.start(1);
    EXPECT_EQ(cluster.leader("t", 0), 1);
    EXPECT_EQ(cluster.leader_epoch("t", 0), 2);
    EXPECT_EQ(cluster.in_sync_replicas("t", 0), nodes{1});
}

TEST(FakeCluster, BeforeKip966OnlyTheLastInSyncMayLeadAgain) {
    fake_cluster cluster(without_eligible_leaders(3));
    cluster.create_topic("t", {.min_insync_replicas = 2});
    for (const std::int32_t node : {1, 2, 3}) cluster.kill(node);
    EXPECT_EQ(cluster.in_sync_replicas("t", 0), nodes{3});

    cluster.start(2);
    EXPECT_EQ(cluster.leader("t", 0), -1);
    cluster.start(3);
    EXPECT_EQ(cluster.leader("t", 0), 3);
    EXPECT_EQ(cluster.in_sync_replicas("t", 0), (nodes{3, 2})) << "node 2 has somebody to follow now";
}

TEST(FakeCluster, SinceKip966WhoLeftBelowTheMinimumMayLeadToo) {
    fake_cluster cluster({.broker_count = 3});
    cluster.create_topic("t", {.min_insync_replicas = 2});
    for (const std::int32_t node : {1, 2, 3}) cluster.kill(node);
    EXPECT_TRUE(cluster.in_sync_replicas("t", 0).empty());

    cluster.start(1);
    EXPECT_EQ(cluster.leader("t", 0), -1)
        << "it left while two others were in sync, and may lack what they took";
    cluster.start(2);
    EXPECT_EQ(cluster.leader("t", 0), 2);
    EXPECT_EQ(cluster.in_sync_replicas("t", 0), (nodes{2, 1}));
}

TEST(FakeCluster, ShrinksAndExpandsWhatIsInSync) {
    fake_cluster cluster({.broker_count = 3});
    cluster.create_topic("t");
    cluster.move_leader("t", 0, 3);

    ASSERT_FALSE(cluster.shrink_isr("t", 0, 2));
    EXPECT_EQ(cluster.in_sync_replicas("t", 0), (nodes{3, 1})) << "the leader stays";
    ASSERT_FALSE(cluster.shrink_isr("t", 0, 0));
    EXPECT_EQ(cluster.in_sync_replicas("t", 0), nodes{3});
    ASSERT_FALSE(cluster.expand_isr("t", 0));
    EXPECT_EQ(cluster.in_sync_replicas("t", 0), (nodes{1, 2, 3}));
    EXPECT_EQ(cluster.leader("t", 0), 3);
    EXPECT_EQ(cluster.shrink_isr("t", 7, 1), broker_errc::unknown_topic_or_partition);
    EXPECT_EQ(cluster.expand_isr("u", 0), broker_errc::unknown_topic_or_partition);
}

TEST(FakeCluster, TheHighWatermarkWaitsForEnoughReplicas) {
    fake_cluster cluster({.broker_count = 3});
    cluster.create_topic("t", {.min_insync_replicas = 2});
    cluster.shrink_isr("t", 0, 1);
    fake_client client(cluster);

    client.produce(made_produce{{{"t", 0, made_batch::of(2).bytes()}}, 1});
    EXPECT_EQ(cluster.end_offset("t", 0), 2);
    EXPECT_EQ(cluster.high_watermark("t", 0), 0);

    cluster.expand_isr("t", 0);
    EXPECT_EQ(cluster.high_watermark("t", 0), 2);
}

TEST(FakeCluster, DeletesRecords) {
    fake_cluster cluster;
    cluster.create_topic("t");
    fake_client(cluster).produce(made_batch::of(3));

    EXPECT_EQ(cluster.delete_records_before("t", 0, 4), broker_errc::offset_out_of_range);
    EXPECT_EQ(cluster.delete_records_before("t", 1, 1), broker_errc::unknown_topic_or_partition);
    ASSERT_FALSE(cluster.delete_records_before("t", 0, 2));

    EXPECT_EQ(cluster.log_start_offset("t", 0), 2);
    EXPECT_EQ(cluster.records("t", 0).size(), 1u);
}

TEST(FakeCluster, AnswersQuestionsAboutNothing) {
    const fake_cluster cluster;

    EXPECT_FALSE(cluster.has_topic("t"));
    EXPECT_EQ(cluster.partition_count("t"), -1);
    EXPECT_EQ(cluster.leader("t", 0), -1);
    EXPECT_EQ(cluster.leader_epoch("t", 0), -1);
    EXPECT_TRUE(cluster.replicas("t", 0).empty());
    EXPECT_TRUE(cluster.in_sync_replicas("t", 0).empty());
    EXPECT_TRUE(cluster.records("t", 0).empty());
    EXPECT_TRUE(cluster.batches("t", 0).empty());
    EXPECT_EQ(cluster.end_offset("t", 0), -1);
    EXPECT_EQ(cluster.log_start_offset("t", 0), -1);
    EXPECT_EQ(cluster.high_watermark("t", 0), -1);
    EXPECT_EQ(cluster.totals("t", 0), append_totals{});
    EXPECT_FALSE(cluster.is_alive(2));
    EXPECT_EQ(cluster.request_count(2, produce_key), 0u);
    EXPECT_EQ(cluster.bytes_received(2) + cluster.bytes_sent(2) + cluster.connection_count(2), 0u);
}

TEST(FakeCluster, CountsRequestsBytesAndConnections) {
    fake_cluster cluster({.broker_count = 2});
    fake_client one(cluster, 1), two(cluster, 2), again(cluster, 2);
    const std::vector<std::byte> request = frame_of(metadata_about({}), 9);

    one.send(request);
    two.send(request);
    two.send(request);

    EXPECT_EQ(cluster.request_count(metadata_key), 3u);
    EXPECT_EQ(cluster.request_count(2, metadata_key), 2u);
    EXPECT_EQ(cluster.request_count(produce_key), 0u);
    EXPECT_EQ(cluster.bytes_received(2), 2 * request.size());
    EXPECT_EQ(cluster.bytes_sent(2), two.answered_size());
    EXPECT_EQ(cluster.connection_count(2), 2u);
}

TEST(FakeCluster, MayBeMovedWhileItIsInUse) {
    fake_cluster made;
    made.create_topic("t");
    fake_client client(made);

    fake_cluster cluster = std::move(made);

    EXPECT_EQ(client.produce(made_batch::of(1)).error_code, 0);
    EXPECT_EQ(cluster.end_offset("t", 0), 1);
}

}  // namespace
}  // namespace sluice::testing
