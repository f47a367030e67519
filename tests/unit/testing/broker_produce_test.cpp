#include "testing/broker_produce.hpp"

#include <gtest/gtest.h>

#include "unit/testing/fake_client.hpp"

namespace sluice::testing {
namespace {

// One broker of three, and a topic that it leads.
struct BrokerProduce : ::testing::Test {
    fake_cluster cluster{{.broker_count = 3}};
    fake_client client{cluster, 1};

    BrokerProduce() { EXPECT_FALSE(cluster.create_topic("t", {.partition_count = 3})); }

    made_produce to(std::int32_t partition, std::int16_t acks = -1) {
        return {{{"t", partition, made_batch::of(2).bytes()}}, acks};
    }
};

TEST_F(BrokerProduce, AppendsAndSaysWhere) {
    const auto first = client.produce(made_batch::of(3));
    EXPECT_EQ(first.error_code, 0);
    EXPECT_EQ(first.base_offset, 0);
    EXPECT_EQ(first.log_append_time_ms, -1) << "CreateTime, RB-13";
    EXPECT_EQ(first.log_start_offset, 0);

    cluster.delete_records_before("t", 0, 2);
    const auto second = client.produce(made_batch::of(1));
    EXPECT_EQ(second.base_offset, 3);
    EXPECT_EQ(second.log_start_offset, 2);
    EXPECT_EQ(cluster.records("t", 0).size(), 2u);
}

TEST_F(BrokerProduce, AnswersEveryVersion) {
    for (std::int16_t version = 3; version <= 13; ++version) {
        made_produce request = to(0);
        request.ids = {wire::uuid{cluster.id_of("t")}};
        const auto answer = client.produce(request, version);
        EXPECT_EQ(answer.error_code, 0) << version;
        EXPECT_EQ(answer.base_offset, 2 * (version - 3)) << version;
        if (version >= 13) {
            EXPECT_EQ(client.produced().responses[0].topic_id.octets, cluster.id_of("t"));
        } else {
            EXPECT_EQ(client.produced().responses[0].name, "t") << version;
        }
    }
}

TEST_F(BrokerProduce, AnswersEachPartitionForItself_ERR_9) {
    const std::vector<std::byte> good = made_batch::of(2).bytes();
    std::vector<std::byte> corrupt = good;
    corrupt.back() ^= std::byte{1};

    client.send(made_produce{{{"t", 0, good}, {"t", 1, good}, {"u", 0, good}, {"t", 9, good}}}.frame(9));
    const auto answer = client.next<wire::produce_response>(9);

    ASSERT_TRUE(answer);
    const auto& t = answer->body.responses.at(0).partition_responses;
    EXPECT_EQ(t.at(0).error_code, 0);
    EXPECT_EQ(t.at(1).error_code, code(broker_errc::not_leader_or_follower));
    EXPECT_EQ(t.at(2).error_code, code(broker_errc::unknown_topic_or_partition)) << "partition 9";
    EXPECT_EQ(answer->body.responses.at(1).partition_responses.at(0).error_code,
              code(broker_errc::unknown_topic_or_partition));
    EXPECT_EQ(client.produce(corrupt).error_code, code(broker_errc::corrupt_message));
    EXPECT_EQ(cluster.end_offset("t", 0), 2);
}

TEST_F(BrokerProduce, ADuplicateSucceedsWhereItWasAppended_IDM_5) {
    client.produce(made_batch::of(1));
    for (int index = 0; index < 6; ++index) client.produce(made_batch::of(2, 7, 0, 2 * index));
    const auto end = cluster.end_offset("t", 0);

    const auto again = client.produce(made_batch::of(2, 7, 0, 2));
    EXPECT_EQ(again.error_code, 0);
    EXPECT_EQ(again.base_offset, 3);
    EXPECT_EQ(again.log_append_time_ms, 1000) << "of duplicates Kafka tells the batch's largest timestamp";
    EXPECT_EQ(cluster.end_offset("t", 0), end) << "nothing is stored twice";

    EXPECT_EQ(client.produce(made_batch::of(2, 7, 0, 0)).error_code,
              code(broker_errc::out_of_order_sequence_number))
        << "beyond the window of five";
}

TEST_F(BrokerProduce, ChecksSequencesAndEpochs) {
    client.produce(made_batch::of(2, 7, 1, 0));

    EXPECT_EQ(client.produce(made_batch::of(1, 7, 1, 3)).error_code,
              code(broker_errc::out_of_order_sequence_number));
    EXPECT_EQ(client.produce(made_batch::of(1, 7, 0, 2)).error_code,
              code(broker_errc::invalid_producer_epoch));
    EXPECT_EQ(client.produce(made_batch::of(1, 7, 2, 2)).error_code,
              code(broker_errc::out_of_order_sequence_number));
    EXPECT_EQ(client.produce(made_batch::of(1, 7, 2, 0)).error_code, 0);
    EXPECT_EQ(cluster.end_offset("t", 0), 3);
}

TEST_F(BrokerProduce, ErrorsThatKafkaDidNotForeseeTellTheLogStart_IDM_10) {
    client.produce(made_batch::of(3, 7, 0, 0));
    cluster.delete_records_before("t", 0, 3);

    EXPECT_EQ(client.produce(made_batch::of(1, 7, 0, 9)).log_start_offset, 3);
    EXPECT_EQ(client.produce(made_batch::of(1, 7, 0, -1)).log_start_offset, 3);
    std::vector<std::byte> corrupt = made_batch::of(1).bytes();
    corrupt.back() ^= std::byte{1};
    EXPECT_EQ(client.produce(corrupt).log_start_offset, -1);
}

TEST_F(BrokerProduce, ForgottenProducersMayGoOn) {
    client.produce(made_batch::of(2, 7, 0, 0));

    cluster.expire_producer_ids();

    EXPECT_EQ(client.produce(made_batch::of(1, 7, 0, 40)).error_code, 0);
    EXPECT_EQ(client.produce(made_batch::of(2, 7, 0, 0)).error_code,
              code(broker_errc::out_of_order_sequence_number));
}

TEST(BrokerProduce21, ForgottenProducersMustBeginAgain) {
    fake_cluster cluster({.profile = broker_profile::kafka_2_1()});
    cluster.create_topic("t");
    fake_client client(cluster);
    client.produce(made_batch::of(2, 7, 0, 0), 7);

    cluster.expire_producer_ids();
    EXPECT_EQ(client.produce(made_batch::of(1, 7, 0, 2), 7).error_code,
              code(broker_errc::unknown_producer_id));
    EXPECT_EQ(client.produce(made_batch::of(1, 7, 0, 0), 7).error_code, 0);

    cluster.delete_records_before("t", 0, 3);
    const auto forgotten = client.produce(made_batch::of(1, 7, 0, 1), 7);
    EXPECT_EQ(forgotten.error_code, code(broker_errc::unknown_producer_id))
        << "with its records the producer went too";
    EXPECT_EQ(forgotten.log_start_offset, 3);
}

TEST(BrokerProduce21, HasNoCodeForInvalidRecords) {
    fake_cluster cluster({.profile = broker_profile::kafka_2_1()});
    cluster.create_topic("t");
    fake_client client(cluster);

    EXPECT_EQ(client.produce(std::vector<std::byte>(), 7).error_code, code(broker_errc::corrupt_message));
}

TEST_F(BrokerProduce, ALeaderElsewhereIsNamed_KIP_951) {
    cluster.set_address(2, "there", 1234);
    cluster.move_leader("t", 0, 2);

    const auto old = client.produce(to(0), 9);
    EXPECT_EQ(old.error_code, code(broker_errc::not_leader_or_follower));
    EXPECT_TRUE(client.produced().node_endpoints.empty());

    const auto hinted = client.produce(to(0), 10);
    EXPECT_EQ(hinted.current_leader.leader_id, 2);
    EXPECT_EQ(hinted.current_leader.leader_epoch, 1);
    ASSERT_EQ(client.produced().node_endpoints.size(), 1u);
    EXPECT_EQ(client.produced().node_endpoints[0].node_id, 2);
    EXPECT_EQ(client.produced().node_endpoints[0].host, "there");
    EXPECT_EQ(client.produced().node_endpoints[0].port, 1234);
    EXPECT_EQ(cluster.end_offset("t", 0), 0);
}

TEST_F(BrokerProduce, NoLeaderIsNamedWhereThereIsNone) {
    cluster.create_topic("u", {.partition_count = 2, .replication_factor = 1});
    cluster.kill(2);

    const auto answer = client.produce(made_produce{{{"u", 1, made_batch::of(1).bytes()}}}, 10);

    EXPECT_EQ(answer.error_code, code(broker_errc::not_leader_or_follower));
    EXPECT_EQ(answer.current_leader.leader_id, -1);
    EXPECT_EQ(answer.current_leader.leader_epoch, 1);
    EXPECT_TRUE(client.produced().node_endpoints.empty());
}

TEST_F(BrokerProduce, NewBatchesCarryTheEpochOfTheirLeader) {
    client.produce(made_batch::of(1));
    cluster.move_leader("t", 0, 1);
    client.produce(made_batch::of(1));

    EXPECT_EQ(cluster.records("t", 0).at(0).leader_epoch, 0);
    EXPECT_EQ(cluster.records("t", 0).at(1).leader_epoch, 1);
}

TEST_F(BrokerProduce, TopicsAreKnownByIdFromVersion13) {
    made_produce request = to(0);
    request.ids = {wire::uuid{cluster.id_of("t")}};
    EXPECT_EQ(client.produce(request, 13).error_code, 0);

    request.ids[0].octets[3] ^= std::byte{1};
    EXPECT_EQ(client.produce(request, 13).error_code, code(broker_errc::unknown_topic_id));
    EXPECT_EQ(client.produced().responses[0].topic_id, request.ids[0]);

    request.ids = {wire::uuid{cluster.id_of("t")}};
    cluster.delete_topic("t");
    cluster.create_topic("t");
    EXPECT_EQ(client.produce(request, 13).error_code, code(broker_errc::unknown_topic_id)) << "made again";
    EXPECT_EQ(client.produce(request, 12).error_code, 0);
}

TEST_F(BrokerProduce, AcksAllNeedsEnoughInSync) {
    cluster.create_topic("u", {.min_insync_replicas = 2});
    const std::vector<std::byte> batch = made_batch::of(1).bytes();
    EXPECT_EQ(client.produce(made_produce{{{"u", 0, batch}}}).error_code, 0);

    cluster.shrink_isr("u", 0, 1);

    EXPECT_EQ(client.produce(made_produce{{{"u", 0, batch}}}).error_code,
              code(broker_errc::not_enough_replicas));
    EXPECT_EQ(cluster.end_offset("u", 0), 1);
    EXPECT_EQ(client.produce(made_produce{{{"u", 0, batch}}, 1}).error_code, 0) << "acks = 1 does not care";
    cluster.expand_isr("u", 0);
    EXPECT_EQ(client.produce(made_produce{{{"u", 0, batch}}}).error_code, 0);
}

TEST_F(BrokerProduce, MoreReplicasThanThereAreCannotBeAskedFor) {
    cluster.create_topic("u", {.replication_factor = 1, .min_insync_replicas = 2});

    EXPECT_EQ(client.produce(made_produce{{{"u", 0, made_batch::of(1).bytes()}}}).error_code, 0);
}

TEST_F(BrokerProduce, OtherAcksAreRefused) {
    for (const std::int16_t acks : std::vector<std::int16_t>{2, -2, 100}) {
        EXPECT_EQ(client.produce(to(0, acks)).error_code, code(broker_errc::invalid_required_acks)) << acks;
    }
    EXPECT_EQ(cluster.end_offset("t", 0), 0);
}

TEST_F(BrokerProduce, AcksZeroIsNotAnswered_SND_19) {
    client.send(to(0, 0).frame(9));
    client.send(frame_of(metadata_about({}), 9));

    EXPECT_EQ(cluster.end_offset("t", 0), 2);
    EXPECT_TRUE(client.next<wire::metadata_response>(9)) << "the first answer is that of the second request";
    EXPECT_FALSE(client.is_closed());
}

TEST_F(BrokerProduce, AcksZeroThatFailsEndsTheConnection) {
    client.send(to(1, 0).frame(9));

    EXPECT_TRUE(client.is_closed());
    EXPECT_EQ(client.answered_size(), 0u);
}

TEST_F(BrokerProduce, MessageTooLargeIsMeasuredByTheWholeBatch) {
    const std::vector<std::byte> batch = made_batch::of(2).bytes();
    cluster.create_topic("fits", {.max_message_bytes = static_cast<std::int32_t>(batch.size())});
    cluster.create_topic("not", {.max_message_bytes = static_cast<std::int32_t>(batch.size()) - 1});

    EXPECT_EQ(client.produce(made_produce{{{"fits", 0, batch}}}).error_code, 0);
    EXPECT_EQ(client.produce(made_produce{{{"not", 0, batch}}}).error_code,
              code(broker_errc::message_too_large));
}

TEST_F(BrokerProduce, LogAppendTimeIsTheBrokersTime_RB_13) {
    fake_cluster stamping({.wall_time_at_zero = std::chrono::milliseconds(500)});
    stamping.create_topic("t", {.message_timestamp_type = timestamp_type::log_append_time});
    fake_client writer(stamping);
    writer.wait(20ms);

    EXPECT_EQ(writer.produce(made_batch::of(1, 7, 0, 0)).log_append_time_ms, 520);
    EXPECT_EQ(stamping.records("t", 0).at(0).timestamp, 520);
    writer.wait(20ms);
    EXPECT_EQ(writer.produce(made_batch::of(1, 7, 0, 0)).log_append_time_ms, 520)
        << "a duplicate: when it was appended";
}

TEST_F(BrokerProduce, RecordsFromTheFutureAreRefusedOneByOne_ERR_2) {
    fake_cluster strict({.wall_time_at_zero = std::chrono::milliseconds(500)});
    strict.create_topic("t", {.message_timestamp_after_max = 1000ms});
    fake_client writer(strict);
    made_batch batch = made_batch::of(3);
    batch.records[1].timestamp = 1501;

    const auto refused = writer.produce(batch);

    EXPECT_EQ(refused.error_code, code(broker_errc::invalid_timestamp));
    EXPECT_TRUE(refused.error_message.has_value());
    ASSERT_EQ(refused.record_errors.size(), 1u);
    EXPECT_EQ(refused.record_errors[0].batch_index, 1);
    EXPECT_TRUE(refused.record_errors[0].batch_index_error_message.has_value());
    batch.records[1].timestamp = 1500;
    EXPECT_EQ(writer.produce(batch).error_code, 0);
}

TEST_F(BrokerProduce, CompactedTopicsNeedKeys_ERR_2) {
    cluster.create_topic("c", {.is_compacted = true});
    made_batch batch = made_batch::of(3);
    batch.records[0].key = batch.records[2].key = std::nullopt;

    const auto refused = client.produce(made_produce{{{"c", 0, batch.bytes()}}});

    EXPECT_EQ(refused.error_code, code(broker_errc::invalid_record));
    ASSERT_EQ(refused.record_errors.size(), 2u);
    EXPECT_EQ(refused.record_errors[1].batch_index, 2);
    EXPECT_EQ(client.produce(made_produce{{{"c", 0, batch.bytes()}}}, 7).record_errors.size(), 0u)
        << "before version 8";
}

TEST_F(BrokerProduce, DeniedTopicsAreNotWrittenTo) {
    cluster.deny_topic("t");
    EXPECT_EQ(client.produce(to(0)).error_code, code(broker_errc::topic_authorization_failed));
    EXPECT_EQ(cluster.end_offset("t", 0), 0);

    cluster.deny_topic("t", false);
    EXPECT_EQ(client.produce(to(0)).error_code, 0);
}

TEST_F(BrokerProduce, InternalTopicsAreKafkasOwn) {
    cluster.create_topic("__consumer_offsets");

    EXPECT_EQ(client.produce(made_produce{{{"__consumer_offsets", 0, made_batch::of(1).bytes()}}}).error_code,
              code(broker_errc::invalid_topic_exception));
}

TEST_F(BrokerProduce, AFirstBatchThatCannotBeMadeOutFailsTheWholeRequest) {
    const std::vector<std::byte> good = made_batch::of(2).bytes();

    client.send(
        made_produce{{{"t", 0, good}, {"t", 1, with_field<std::int32_t>(good, size_at, 3)}}}.frame(9));
    const auto answer = client.next<wire::produce_response>(9);

    ASSERT_TRUE(answer);
    for (const auto& partition : answer->body.responses.at(0).partition_responses) {
        EXPECT_EQ(partition.error_code, code(broker_errc::corrupt_message));
    }
    EXPECT_EQ(cluster.end_offset("t", 0), 0);
}

TEST_F(BrokerProduce, TransactionsAreUnknownHere) {
    made_batch batch = made_batch::of(1, 7, 0, 0);
    batch.attributes = 16;
    made_produce request{{{"t", 0, batch.bytes()}}};

    EXPECT_EQ(client.produce(request).error_code, code(broker_errc::transactional_id_authorization_failed));
    request.transactional_id = "mine";
    EXPECT_EQ(client.produce(request).error_code, code(broker_errc::invalid_txn_state));
    EXPECT_EQ(cluster.end_offset("t", 0), 0);
}

TEST_F(BrokerProduce, NullRecordsEndTheConnection) {
    wire::produce_request request;
    request.acks = -1;
    request.topic_data.emplace_back().name = "t";
    request.topic_data[0].partition_data.push_back({0, wire::records()});

    client.send(frame_of(request, 9));

    EXPECT_TRUE(client.is_closed());
}

}  // namespace
}  // namespace sluice::testing
