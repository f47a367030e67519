#include "cluster/merge.hpp"

#include <gtest/gtest.h>

#include "unit/cluster/metadata_answer.hpp"

namespace sluice {
namespace {

constexpr std::int16_t newest = 12;
constexpr bool full = false;
constexpr bool partial = true;
constexpr std::int16_t leader_not_available = 5;
constexpr std::int16_t invalid_topic = 17;
constexpr std::int16_t topic_authorization_failed = 29;

std::shared_ptr<const snapshot> first_of(const metadata_answer& answer, std::int16_t version = newest) {
    return merge(snapshot{}, answer.response, version, full).made;
}

using nodes = std::vector<std::int32_t>;

nodes copy(std::span<const std::int32_t> ids) {
    return {ids.begin(), ids.end()};
}

partition_placement placement(const topic_node& topic, std::size_t partition) {
    return topic.placement_of(topic.partitions[partition]);
}

TEST(Merge, PartitionsShareTheirPlacements) {
    metadata_answer answer({1, 2, 3});
    auto& orders = answer.topic("orders");
    for (int i = 0; i < 1000; ++i) orders.partition(1, 1);
    auto& partitions = answer.response.topics[0].partitions;
    for (std::size_t i = 0; i < partitions.size(); ++i) {
        const auto first = static_cast<std::int32_t>(i % 3);
        partitions[i].replica_nodes = {first + 1, (first + 1) % 3 + 1, (first + 2) % 3 + 1};
        partitions[i].isr_nodes = partitions[i].replica_nodes;
    }

    const auto made = first_of(answer);

    const topic_node& topic = *made->find_topic("orders");
    EXPECT_EQ(copy(placement(topic, 998).replicas), (nodes{3, 1, 2}));
    EXPECT_EQ(copy(placement(topic, 999).in_sync_replicas), (nodes{1, 2, 3}));
    EXPECT_EQ(topic.placements.size(), 3u + 3u * 9u) << "that of nothing, and three";
}

TEST(Merge, PartitionsWithTheSameReplicasMayDifferInWhoIsInSync) {
    metadata_answer answer({1, 2});
    answer.topic("orders").partition(1, 1).partition(1, 1).partition(1, 1);
    auto& partitions = answer.response.topics[0].partitions;
    for (auto& each : partitions) each.replica_nodes = {1, 2};
    partitions[0].isr_nodes = {1, 2};
    partitions[1].isr_nodes = {1};
    partitions[1].offline_replicas = {2};
    partitions[2].isr_nodes = {};

    const auto made = first_of(answer);

    const topic_node& topic = *made->find_topic("orders");
    for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(copy(placement(topic, i).replicas), (nodes{1, 2}));
    EXPECT_EQ(copy(placement(topic, 0).in_sync_replicas), (nodes{1, 2}));
    EXPECT_EQ(copy(placement(topic, 1).in_sync_replicas), nodes{1});
    EXPECT_EQ(copy(placement(topic, 1).offline_replicas), nodes{2});
    EXPECT_TRUE(placement(topic, 2).in_sync_replicas.empty());
    EXPECT_TRUE(placement(topic, 2).offline_replicas.empty());
}

TEST(Merge, APartitionOfWhichNothingIsToldHasNoReplicas) {
    metadata_answer answer({1});
    answer.topic("orders").partition(1, 1).partition(1, 1).partition(1, 1);
    auto& partitions = answer.response.topics[0].partitions;
    for (auto& each : partitions) each.replica_nodes = {1};
    partitions[1].partition_index = 2;  // twice

    const auto made = first_of(answer);

    const topic_node& topic = *made->find_topic("orders");
    ASSERT_EQ(topic.partition_count(), 3);
    EXPECT_EQ(topic.partitions[1].leader, no_node);
    EXPECT_TRUE(placement(topic, 1).replicas.empty());
    EXPECT_EQ(copy(placement(topic, 0).replicas), nodes{1});
}

TEST(Merge, TellsBrokersTopicsAndLeaders_MD_17) {
    metadata_answer answer({3, 1});
    answer.topic("orders", 7).partition(3, 11).partition(1, 12);
    answer.response.cluster_id = "a cluster";
    answer.response.brokers[0].rack = "r3";
    auto& second = answer.response.topics[0].partitions[1];
    second.replica_nodes = {1, 3};
    second.isr_nodes = {1};
    second.offline_replicas = {3};

    const auto made = first_of(answer);

    EXPECT_EQ(made->version, 1u);
    ASSERT_EQ(made->brokers.size(), 2u);
    EXPECT_EQ(made->brokers[0].id, 1) << "by id";
    ASSERT_NE(made->find_broker(3), nullptr);
    EXPECT_EQ(made->find_broker(3)->address, (host_port{"b3", 9003}));
    EXPECT_EQ(made->find_broker(3)->rack, "r3");
    EXPECT_EQ(made->find_broker(2), nullptr);
    EXPECT_EQ(made->cluster_id, "a cluster");
    EXPECT_EQ(made->controller, 1);
    const topic_node* topic = made->find_topic("orders");
    ASSERT_NE(topic, nullptr);
    EXPECT_EQ(topic->name.view(), "orders");
    EXPECT_EQ(topic->id, id_of(7));
    ASSERT_EQ(topic->partition_count(), 2);
    EXPECT_EQ(topic->partitions[0].leader, 3);
    EXPECT_EQ(topic->partitions[0].leader_epoch, 11);
    EXPECT_EQ(topic->partitions[1].leader, 1);
    EXPECT_EQ(copy(placement(*topic, 1).replicas), (nodes{1, 3}));
    EXPECT_EQ(copy(placement(*topic, 1).in_sync_replicas), nodes{1});
    EXPECT_EQ(copy(placement(*topic, 1).offline_replicas), nodes{3});
    EXPECT_EQ(made->find_topic("payments"), nullptr);
}

TEST(Merge, LeavesTheSnapshotBeforeAsItWas_MD_2) {
    const auto before = first_of(metadata_answer().topic("orders").partition(1, 5));

    const auto after =
        merge(*before, metadata_answer().topic("orders").partition(2, 6).response, newest, full).made;

    EXPECT_EQ(before->find_topic("orders")->partitions[0].leader, 1);
    EXPECT_EQ(after->find_topic("orders")->partitions[0].leader, 2);
    EXPECT_EQ(after->version, before->version + 1);
}

TEST(Merge, TopicsThatDidNotChangeAreShared) {
    const auto before =
        first_of(metadata_answer().topic("same", 1).partition(1, 5).topic("other", 2).partition(1, 5));

    const auto after =
        merge(*before,
              metadata_answer().topic("same", 1).partition(1, 5).topic("other", 2).partition(2, 6).response,
              newest, full)
            .made;

    EXPECT_EQ(after->find_topic("same"), before->find_topic("same")) << "the same node";
    EXPECT_NE(after->find_topic("other"), before->find_topic("other"));
}

TEST(Merge, PartitionsMayComeInAnyOrder) {
    metadata_answer answer;
    answer.topic("orders").partition(1, 5).partition(2, 5).partition(3, 5);
    std::swap(answer.response.topics[0].partitions[0], answer.response.topics[0].partitions[2]);

    const auto made = first_of(answer);

    for (std::size_t i = 0; i < 3; ++i) {
        EXPECT_EQ(made->find_topic("orders")->partitions[i].leader, static_cast<std::int32_t>(i) + 1);
    }
}

TEST(Merge, APartitionNumberThatLeavesGapsIsNotBelieved) {
    for (const std::int32_t index : {1, 1'000'000'000, -1}) {
        metadata_answer answer;
        answer.topic("orders").partition(1, 5);
        answer.response.topics[0].partitions[0].partition_index = index;

        EXPECT_EQ(first_of(answer)->find_topic("orders")->partition_count(), 0) << index;
    }
}

TEST(Merge, APartialAnswerLeavesOtherTopicsAFullOneDropsThem_MD_13) {
    const auto before = first_of(
        metadata_answer().topic("kept").partition(1, 5).failed_topic("bad", topic_authorization_failed));
    const wire::metadata_response response =
        metadata_answer(std::vector<std::int32_t>{2}).topic("new").partition(2, 5).response;

    const auto after_partial = merge(*before, response, newest, partial).made;
    const auto after_full = merge(*before, response, newest, full).made;

    EXPECT_EQ(after_partial->find_topic("kept"), before->find_topic("kept"));
    EXPECT_EQ(after_partial->error_of("bad"), topic_authorization_failed);
    EXPECT_NE(after_partial->find_topic("new"), nullptr);
    EXPECT_EQ(after_full->find_topic("kept"), nullptr);
    EXPECT_EQ(after_full->error_of("bad"), 0) << "rebuilt with each full answer (MD-9)";
    for (const auto& made : {after_partial, after_full}) {
        ASSERT_EQ(made->brokers.size(), 1u) << "brokers are those of the answer";
        EXPECT_EQ(made->brokers[0].id, 2);
    }
}

TEST(Merge, AnOlderLeaderEpochIsNotBelieved_MD_10) {
    metadata_answer answer, older;
    answer.topic("orders", 1).partition(1, 5).partition(1, 5);
    answer.response.topics[0].partitions[0].replica_nodes = {1, 2};
    older.topic("orders", 1).partition(2, 4).partition(2, 5);
    for (auto& each : older.response.topics[0].partitions) each.replica_nodes = {2, 3};
    const auto before = first_of(answer);

    const merge_result merged = merge(*before, older.response, newest, full);

    EXPECT_EQ(merged.made->find_topic("orders")->partitions[0].leader, 1) << "what is known stays";
    EXPECT_EQ(merged.made->find_topic("orders")->partitions[0].leader_epoch, 5);
    EXPECT_EQ(merged.made->find_topic("orders")->partitions[1].leader, 2)
        << "of the same epoch the newer word counts";
    EXPECT_EQ(copy(placement(*merged.made->find_topic("orders"), 0).replicas), (nodes{1, 2}));
    EXPECT_EQ(copy(placement(*merged.made->find_topic("orders"), 1).replicas), (nodes{2, 3}));
}

TEST(Merge, ATopicThatWasMadeAnewStartsItsEpochsAnew_MD_11) {
    const auto before = first_of(metadata_answer().topic("orders", 1).partition(1, 5));

    const merge_result merged =
        merge(*before, metadata_answer().topic("orders", 2).partition(2, 0).response, newest, full);

    EXPECT_EQ(merged.made->find_topic("orders")->partitions[0].leader, 2);
    EXPECT_EQ(merged.made->find_topic("orders")->partitions[0].leader_epoch, 0);
    EXPECT_TRUE(merged.has_progress);
}

TEST(Merge, WithoutIdsATopicIsTakenForTheSame_MD_11_MD_16) {
    const auto before = first_of(metadata_answer().topic("orders", 1).partition(1, 5));

    const auto after =
        merge(*before, metadata_answer().topic("orders").partition(2, 4).response, newest, full).made;

    EXPECT_EQ(after->find_topic("orders")->partitions[0].leader, 1);
    EXPECT_TRUE(after->find_topic("orders")->id.is_zero()) << "an answer without an id removes it";
}

TEST(Merge, EpochsCountFromVersion9On_MD_10_MD_12) {
    const auto before = first_of(metadata_answer().topic("orders").partition(1, 5), 9);
    ASSERT_EQ(before->find_topic("orders")->partitions[0].leader_epoch, 5);

    const auto after =
        merge(*before, metadata_answer().topic("orders").partition(2, 4).response, 8, full).made;

    EXPECT_EQ(after->find_topic("orders")->partitions[0].leader, 2);
    EXPECT_EQ(after->find_topic("orders")->partitions[0].leader_epoch, -1) << "what was known is cleared";
}

TEST(Merge, ALeaderThatIsNoBrokerOfTheAnswerIsNone_MD_21) {
    const auto made =
        first_of(metadata_answer({1, 2}).topic("orders").partition(3, 5).partition(-1, 5).partition(2, 5));

    EXPECT_EQ(made->find_topic("orders")->partitions[0].leader, no_node);
    EXPECT_EQ(made->find_topic("orders")->partitions[1].leader, no_node);
    EXPECT_EQ(made->find_topic("orders")->partitions[2].leader, 2);
    EXPECT_EQ(made->find_topic("orders")->partitions[0].leader_epoch, 5);
}

TEST(Merge, ProgressIsANewTopicOrANewerEpoch_MD_6) {
    const auto known = first_of(metadata_answer().topic("orders", 1).partition(1, 5));
    const auto progress = [&](const metadata_answer& answer) {
        return merge(*known, answer.response, newest, full).has_progress;
    };

    EXPECT_FALSE(progress(metadata_answer().topic("orders", 1).partition(1, 5)));
    EXPECT_FALSE(progress(metadata_answer().topic("orders", 1).partition(2, 5))) << "the same epoch";
    EXPECT_FALSE(progress(metadata_answer().topic("orders", 1).partition(2, 4)));
    EXPECT_TRUE(progress(metadata_answer().topic("orders", 1).partition(1, 6)));
    EXPECT_TRUE(progress(metadata_answer().topic("orders", 1).partition(1, 5).partition(1, 0)))
        << "a new partition";
    EXPECT_TRUE(progress(metadata_answer().topic("orders", 1).partition(1, 5).topic("new", 2)));
}

TEST(Merge, ATopicWithAnErrorAndNoPartitionsIsNotKnown_MD_9) {
    const auto before = first_of(metadata_answer().topic("orders").partition(1, 5));

    const merge_result merged =
        merge(*before, metadata_answer().failed_topic("orders", invalid_topic).response, newest, partial);

    EXPECT_EQ(merged.made->find_topic("orders"), nullptr);
    EXPECT_EQ(merged.made->error_of("orders"), invalid_topic);
    EXPECT_FALSE(merged.wants_update) << "asking again does not help";
}

TEST(Merge, ATopicThatIsWellAgainHasNoError) {
    const auto before = first_of(metadata_answer().failed_topic("orders", leader_not_available));
    ASSERT_EQ(before->error_of("orders"), leader_not_available);

    const auto after =
        merge(*before, metadata_answer().topic("orders").partition(1, 5).response, newest, partial).made;

    EXPECT_EQ(after->error_of("orders"), 0);
}

TEST(Merge, ErrorsThatNewMetadataMayHealAskForIt_MD_8_MD_9) {
    const auto wants_update = [](const metadata_answer& answer) {
        return merge(snapshot{}, answer.response, newest, full).wants_update;
    };

    EXPECT_TRUE(wants_update(metadata_answer().failed_topic("orders", leader_not_available)));
    EXPECT_TRUE(wants_update(metadata_answer().topic("orders").partition(1, 5, leader_not_available)));
    EXPECT_FALSE(wants_update(metadata_answer().failed_topic("orders", topic_authorization_failed)));
    EXPECT_FALSE(wants_update(metadata_answer().topic("orders").partition(1, 5)));
}

TEST(Merge, APartitionWithAnErrorIsUsedAllTheSame_MD_8) {
    const auto made = first_of(metadata_answer().topic("orders").partition(2, 5, leader_not_available));

    EXPECT_EQ(made->find_topic("orders")->partitions[0].leader, 2);
}

TEST(Merge, TheClusterIdStaysWhereAnAnswerHasNone) {
    metadata_answer with_id;
    with_id.response.cluster_id = "a cluster";
    const auto before = first_of(with_id);

    EXPECT_EQ(merge(*before, metadata_answer().response, newest, full).made->cluster_id, "a cluster");
}

// ---- hints

leader_hint hint_of(std::int32_t leader, std::int32_t epoch, std::int32_t partition = 0) {
    leader_hint hint;
    hint.topic = "orders";
    hint.partition = partition;
    hint.leader = leader;
    hint.leader_epoch = epoch;
    return hint;
}

TEST(ApplyHint, ChangesThatLeaderAndNothingElse_MD_14) {
    const auto before =
        first_of(metadata_answer().topic("orders").partition(1, 5).partition(1, 5).topic("other"));

    const auto after = apply_hint(*before, hint_of(2, 6, 1));

    ASSERT_NE(after, nullptr);
    EXPECT_EQ(after->version, before->version + 1);
    EXPECT_EQ(after->find_topic("orders")->partitions[1].leader, 2);
    EXPECT_EQ(after->find_topic("orders")->partitions[1].leader_epoch, 6);
    EXPECT_EQ(after->find_topic("orders")->partitions[0], before->find_topic("orders")->partitions[0]);
    EXPECT_EQ(after->find_topic("other"), before->find_topic("other"));
    EXPECT_EQ(after->brokers, before->brokers);
    EXPECT_EQ(before->find_topic("orders")->partitions[1].leader, 1) << "a snapshot is immutable";
}

TEST(ApplyHint, SaysNothingNew_MD_14) {
    const auto before = first_of(metadata_answer({1, 2}).topic("orders").partition(1, 5));
    leader_hint elsewhere = hint_of(2, 6);
    elsewhere.topic = "unknown";

    EXPECT_EQ(apply_hint(*before, hint_of(2, 5)), nullptr) << "the same epoch";
    EXPECT_EQ(apply_hint(*before, hint_of(2, 4)), nullptr) << "an older one";
    EXPECT_EQ(apply_hint(*before, hint_of(2, 6, 1)), nullptr) << "no such partition";
    EXPECT_EQ(apply_hint(*before, hint_of(2, 6, -1)), nullptr);
    EXPECT_EQ(apply_hint(*before, hint_of(3, 6)), nullptr) << "nobody knows where broker 3 is";
    EXPECT_EQ(apply_hint(*before, elsewhere), nullptr);
}

TEST(ApplyHint, BringsTheLeadersAddressAlong_MD_14) {
    const auto before = first_of(metadata_answer({1, 3}).topic("orders").partition(1, 5));
    leader_hint new_broker = hint_of(2, 6);
    new_broker.node = broker_node{2, {"two.example", 9094}, std::nullopt};
    leader_hint moved_broker = hint_of(3, 6);
    moved_broker.node = broker_node{3, {"three.example", 9095}, std::nullopt};

    const auto added = apply_hint(*before, new_broker);
    const auto moved = apply_hint(*before, moved_broker);

    ASSERT_NE(added, nullptr);
    ASSERT_EQ(added->brokers.size(), 3u);
    ASSERT_NE(added->find_broker(2), nullptr) << "in its place, by id";
    EXPECT_EQ(added->find_broker(2)->address, (host_port{"two.example", 9094}));
    EXPECT_NE(added->find_broker(3), nullptr);
    ASSERT_NE(moved, nullptr);
    EXPECT_EQ(moved->brokers.size(), 2u);
    EXPECT_EQ(moved->find_broker(3)->address, (host_port{"three.example", 9095}));
}

}  // namespace
}  // namespace sluice
