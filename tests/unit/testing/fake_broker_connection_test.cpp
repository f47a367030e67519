#include "sluice/testing/fake_broker_connection.hpp"

#include <gtest/gtest.h>

#include "unit/testing/fake_client.hpp"

namespace sluice::testing {
namespace {

struct FakeBrokerConnection : ::testing::Test {
    fake_cluster cluster{{.broker_count = 2}};
    fake_client client{cluster, 1};

    FakeBrokerConnection() { EXPECT_FALSE(cluster.create_topic("t", {.partition_count = 4})); }

    std::vector<std::byte> metadata(std::int32_t correlation_id) {
        return frame_of(metadata_about({}), 9, correlation_id);
    }
    std::vector<std::byte> produce(std::int32_t correlation_id, std::int16_t acks = -1) {
        return made_produce{{{"t", 0, made_batch::of(1).bytes()}}, acks}.frame(9, correlation_id);
    }
    // Correlation ids of the answers that are here.
    std::vector<std::int32_t> answered() {
        std::vector<std::int32_t> ids;
        while (const auto frame = client.next_frame())
            ids.push_back(wire::load_big_endian<std::int32_t>(frame->data()));
        return ids;
    }
    using ids = std::vector<std::int32_t>;
};

TEST_F(FakeBrokerConnection, TakesFramesByteByByte) {
    const std::vector<std::byte> requests = joined(metadata(1), joined(produce(2), metadata(3)));

    for (const std::byte& each : requests) client.send({&each, 1});

    EXPECT_EQ(answered(), (ids{1, 2, 3}));
    EXPECT_EQ(cluster.end_offset("t", 0), 1);
}

TEST_F(FakeBrokerConnection, TakesManyFramesAtOnce) {
    std::vector<std::byte> requests;
    ids expected;
    for (std::int32_t id = 0; id < 500; ++id) {
        requests = joined(std::move(requests), produce(id));
        expected.push_back(id);
    }

    client.send(requests);

    EXPECT_EQ(answered(), expected);
    EXPECT_EQ(cluster.end_offset("t", 0), 500);
}

TEST_F(FakeBrokerConnection, TakesFramesThatAreLargerThanItsBuffer) {
    made_batch batch = made_batch::of(1);
    batch.records[0].value = std::string(700'000, 'x');
    const std::vector<std::byte> request = made_produce{{{"t", 0, batch.bytes()}}}.frame(9, 5);

    for (std::size_t at = 0; at < request.size(); at += 1000) {
        client.send(bytes(request).subspan(at, std::min<std::size_t>(1000, request.size() - at)));
    }

    EXPECT_EQ(answered(), ids{5});
    EXPECT_EQ(cluster.records("t", 0).at(0).value->size(), 700'000u);
}

TEST_F(FakeBrokerConnection, MayBeFilledWithoutACopy) {
    broker_output out;
    fake_broker_connection connection(cluster, 1);
    const std::vector<std::byte> request = metadata(7);

    const std::span<std::byte> room = connection.receive_buffer();
    ASSERT_GE(room.size(), request.size());
    std::ranges::copy(request, room.begin());
    connection.received(request.size(), time_point(), out);

    EXPECT_EQ(wire::load_big_endian<std::int32_t>(out.bytes.data() + 4), 7);
}

TEST_F(FakeBrokerConnection, RefusesFramesBySize) {
    fake_cluster small({.socket_request_max_bytes = 100});
    const auto is_refused = [&](fake_cluster& asked, std::int32_t size) {
        fake_client any(asked);
        wire::writer out;
        out.write_int32(size);
        any.send(out.gathered());
        return any.is_closed();
    };

    EXPECT_TRUE(is_refused(cluster, -1));
    EXPECT_TRUE(is_refused(cluster, INT32_MAX));
    EXPECT_TRUE(is_refused(cluster, 104857601));
    EXPECT_FALSE(is_refused(cluster, 104857600));
    EXPECT_TRUE(is_refused(cluster, 0)) << "no header";
    EXPECT_TRUE(is_refused(small, 101));
    EXPECT_FALSE(is_refused(small, 100));
}

TEST_F(FakeBrokerConnection, EndsAtRequestsThatTheBrokerDoesNotKnow) {
    const auto is_refused = [&](std::int16_t key, std::int16_t version, std::vector<std::byte> body = {}) {
        fake_client any(cluster);
        wire::writer out;
        const auto frame =
            wire::begin_request(out, static_cast<wire::api_key>(key), version, false, 7, "tests");
        out.write_raw(body);
        EXPECT_FALSE(wire::end_request(out, frame));
        any.send(out.gathered());
        return any.is_closed();
    };

    EXPECT_TRUE(is_refused(999, 0));
    EXPECT_TRUE(is_refused(produce_key, 14));
    EXPECT_TRUE(is_refused(produce_key, 2)) << "listed, but refused, VER-9";
    EXPECT_TRUE(is_refused(1, 4)) << "Fetch is listed for show";
    EXPECT_TRUE(is_refused(metadata_key, 4)) << "no body";
    EXPECT_TRUE(is_refused(metadata_key, 4, std::vector<std::byte>(40, std::byte{0x55})));
}

TEST_F(FakeBrokerConnection, AnswersBeforeABadRequestAreSent) {
    client.send(joined(metadata(1), std::vector<std::byte>(8, std::byte{0xff})));

    EXPECT_TRUE(client.is_closed());
    EXPECT_EQ(answered(), ids{1});
}

TEST_F(FakeBrokerConnection, IgnoresWhatComesAfterTheEnd) {
    cluster.queue_fate(metadata_key, fate::disconnect());
    client.send(joined(metadata(1), produce(2)));
    client.send(produce(3));

    EXPECT_TRUE(client.is_closed());
    EXPECT_EQ(cluster.end_offset("t", 0), 0);
    EXPECT_EQ(answered(), ids{});
}

TEST_F(FakeBrokerConnection, ADelayedRequestHoldsUpThoseBehindIt) {
    cluster.queue_fate(produce_key, fate::delay(20ms));

    client.send(joined(metadata(1), joined(produce(2), metadata(3))));

    EXPECT_EQ(answered(), ids{1});
    EXPECT_EQ(cluster.end_offset("t", 0), 0) << "not applied yet";
    EXPECT_EQ(client.due_in(), 20ms);
    EXPECT_FALSE(client.connection().wants_bytes());
    client.send(metadata(4));
    client.wait(19ms);
    EXPECT_EQ(answered(), ids{});
    client.wait(1ms);
    EXPECT_EQ(answered(), (ids{2, 3, 4}));
    EXPECT_EQ(cluster.end_offset("t", 0), 1);
    EXPECT_EQ(client.due_in(), std::nullopt);
    EXPECT_TRUE(client.connection().wants_bytes());
}

TEST_F(FakeBrokerConnection, ALateAnswerHoldsUpTheAnswersBehindIt) {
    cluster.queue_fate(produce_key, fate::answer_late(20ms));
    cluster.queue_fate(produce_key, fate::answer_late(5ms));

    client.send(joined(produce(1), joined(produce(2), metadata(3))));

    EXPECT_EQ(cluster.end_offset("t", 0), 2) << "applied at once";
    EXPECT_TRUE(client.connection().wants_bytes());
    EXPECT_EQ(client.due_in(), 20ms);
    client.wait(10ms);
    EXPECT_EQ(answered(), ids{}) << "the second is ready, but answers keep the order of requests";
    client.wait(10ms);
    EXPECT_EQ(answered(), (ids{1, 2, 3}));
}

TEST_F(FakeBrokerConnection, HoldsABoundedNumberOfAnswers) {
    cluster.queue_fate(metadata_key, fate::answer_late(20ms));
    for (std::int32_t id = 0; id < 5000; ++id) client.send(metadata(id));
    EXPECT_FALSE(client.connection().wants_bytes());

    client.wait(20ms);

    EXPECT_EQ(answered().size(), 5000u);
    EXPECT_TRUE(client.connection().wants_bytes());
}

TEST_F(FakeBrokerConnection, MayNeverAnswer) {
    cluster.queue_fate(produce_key, fate::never_answer());
    client.send(joined(produce(1), metadata(2)));
    client.wait(std::chrono::hours(10000));
    EXPECT_EQ(answered(), ids{});
    EXPECT_EQ(cluster.end_offset("t", 0), 0);
    EXPECT_EQ(client.due_in(), std::nullopt);

    fake_client other(cluster);
    cluster.queue_fate(produce_key, fate::apply_and_never_answer());
    other.send(joined(produce(1), metadata(2)));
    other.wait(std::chrono::hours(10000));
    EXPECT_EQ(other.answered_size(), 0u);
    EXPECT_EQ(cluster.end_offset("t", 0), 1);
}

TEST_F(FakeBrokerConnection, MayEndBeforeOrAfterApplying) {
    cluster.queue_fate(produce_key, fate::disconnect());
    client.send(produce(1));
    EXPECT_TRUE(client.is_closed());
    EXPECT_EQ(cluster.end_offset("t", 0), 0);

    fake_client other(cluster);
    cluster.queue_fate(produce_key, fate::apply_then_disconnect());
    other.send(produce(1));
    EXPECT_TRUE(other.is_closed());
    EXPECT_EQ(other.answered_size(), 0u);
    EXPECT_EQ(cluster.end_offset("t", 0), 1);
}

TEST_F(FakeBrokerConnection, MayAnswerWithAnError) {
    cluster.queue_fate(produce_key, fate::error(broker_errc::not_enough_replicas));
    EXPECT_EQ(client.produce(made_batch::of(1)).error_code, code(broker_errc::not_enough_replicas));
    EXPECT_EQ(cluster.end_offset("t", 0), 0);

    cluster.queue_fate(produce_key, fate::error(broker_errc::not_enough_replicas_after_append));
    const auto after = client.produce(made_batch::of(1));
    EXPECT_EQ(after.error_code, code(broker_errc::not_enough_replicas_after_append));
    EXPECT_EQ(after.base_offset, 0) << "the offset is told, as Kafka does";
    EXPECT_EQ(cluster.end_offset("t", 0), 1);

    cluster.queue_fate(produce_key, fate::error(broker_errc::request_timed_out));
    client.produce(made_batch::of(1));
    EXPECT_EQ(cluster.end_offset("t", 0), 2);

    cluster.queue_fate(produce_key, fate::error_after_apply(broker_errc::kafka_storage_error));
    EXPECT_EQ(client.produce(made_batch::of(1)).error_code, code(broker_errc::kafka_storage_error));
    EXPECT_EQ(cluster.end_offset("t", 0), 3);
}

TEST_F(FakeBrokerConnection, AnErrorMayBeForSomePartitionsOnly) {
    cluster.queue_fate(produce_key, fate::error(broker_errc::kafka_storage_error, {{"t", 2}}));

    client.send(
        made_produce{{{"t", 0, made_batch::of(1).bytes()}, {"t", 2, made_batch::of(1).bytes()}}}.frame(9));
    const auto answer = client.next<wire::produce_response>(9);

    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->body.responses[0].partition_responses[0].error_code, 0);
    EXPECT_EQ(answer->body.responses[0].partition_responses[1].error_code,
              code(broker_errc::kafka_storage_error));
    EXPECT_EQ(cluster.end_offset("t", 0), 1);
    EXPECT_EQ(cluster.end_offset("t", 2), 0);
}

TEST_F(FakeBrokerConnection, AnErrorOfItsOwnComesBeforeAFatedOne) {
    cluster.queue_fate(produce_key, fate::error_after_apply(broker_errc::kafka_storage_error));

    EXPECT_EQ(client.produce(std::vector<std::byte>()).error_code, code(broker_errc::invalid_record));
}

TEST_F(FakeBrokerConnection, AFatedLeaderErrorHintsAtTheLeader) {
    cluster.queue_fate(produce_key, fate::error(broker_errc::fenced_leader_epoch));

    const auto answer = client.produce(made_batch::of(1), 10);

    EXPECT_EQ(answer.error_code, code(broker_errc::fenced_leader_epoch));
    EXPECT_EQ(answer.current_leader.leader_id, 1);
}

TEST_F(FakeBrokerConnection, AFatedErrorWithAcksZeroEndsTheConnection) {
    cluster.queue_fate(produce_key, fate::error(broker_errc::kafka_storage_error));

    client.send(produce(1, 0));

    EXPECT_TRUE(client.is_closed());
}

TEST_F(FakeBrokerConnection, MayAnswerNonsense) {
    cluster.queue_fate(metadata_key, fate::garbage("nonsense"));
    cluster.queue_fate(metadata_key, fate::wrong_correlation_id());
    cluster.queue_fate(metadata_key, fate::huge_frame());

    client.send(joined(metadata(1), joined(metadata(20), metadata(3))));

    EXPECT_EQ(as_text(client.next_frame().value()), "nonsense");
    EXPECT_EQ(answered(), ids{21});
    EXPECT_GT(client.answered_size(), 4u) << "a frame that never ends";
    EXPECT_FALSE(client.is_closed());
}

TEST_F(FakeBrokerConnection, MayAnswerHalf) {
    made_produce request;
    for (const std::int32_t partition : {0, 2})
        request.parts.push_back({"t", partition, made_batch::of(1).bytes()});
    cluster.create_topic("u");
    request.parts.push_back({"u", 0, made_batch::of(1).bytes()});
    cluster.queue_fate(produce_key, fate::half_answer());

    client.send(request.frame(9));
    const auto answer = client.next<wire::produce_response>(9);

    ASSERT_TRUE(answer);
    ASSERT_EQ(answer->body.responses.size(), 1u);
    EXPECT_EQ(answer->body.responses[0].partition_responses.size(), 1u);
    EXPECT_EQ(cluster.end_offset("t", 2), 1) << "all are applied";
}

TEST_F(FakeBrokerConnection, FatesMayBeCombined) {
    fate lost = fate::error(broker_errc::not_enough_replicas);
    lost.handle_after = 10ms;
    lost.answer_after = 5ms;
    cluster.queue_fate(produce_key, lost);

    client.send(produce(1));
    client.wait(10ms);
    EXPECT_EQ(client.due_in(), 5ms);
    client.wait(5ms);

    EXPECT_EQ(client.next<wire::produce_response>(9)->body.responses[0].partition_responses[0].error_code,
              code(broker_errc::not_enough_replicas));
}

TEST_F(FakeBrokerConnection, QueuedFatesAreForTheirApiAndNode) {
    fake_client other(cluster, 2);
    cluster.queue_fate(produce_key, fate::disconnect(), 2);
    cluster.queue_fate(metadata_key, fate::disconnect());
    EXPECT_EQ(cluster.queued_fate_count(), 2u);

    EXPECT_EQ(client.produce(made_batch::of(1)).error_code, 0);
    other.send(metadata(1));
    EXPECT_TRUE(other.is_closed());
    EXPECT_EQ(cluster.queued_fate_count(), 1u);
}

TEST_F(FakeBrokerConnection, AHookSeesRequestsAndDecides) {
    std::vector<request_info> seen;
    cluster.on_request([&](const request_info& request) {
        seen.push_back(request);
        return request.api_key == metadata_key ? fate::disconnect() : fate::answer();
    });
    made_produce request{{{"t", 2, made_batch::of(3, 7, 1, 40).bytes()}, {"t", 0, {}}}, 1};

    client.send(request.frame(9, 77));
    request.ids = {wire::uuid{cluster.id_of("t")}};
    client.send(request.frame(13));
    client.send(metadata(1));

    ASSERT_EQ(seen.size(), 3u);
    EXPECT_EQ(seen[0].node_id, 1);
    EXPECT_EQ(seen[0].api_key, produce_key);
    EXPECT_EQ(seen[0].api_version, 9);
    EXPECT_EQ(seen[0].correlation_id, 77);
    EXPECT_EQ(seen[0].client_id, "tests");
    EXPECT_EQ(seen[0].connection, client.connection().number());
    EXPECT_EQ(seen[0].acks, 1);
    ASSERT_EQ(seen[0].partitions.size(), 2u);
    EXPECT_EQ(seen[0].partitions[0].where, (topic_partition{"t", 2}));
    EXPECT_EQ(seen[0].partitions[0].producer_id, 7);
    EXPECT_EQ(seen[0].partitions[0].producer_epoch, 1);
    EXPECT_EQ(seen[0].partitions[0].base_sequence, 40);
    EXPECT_EQ(seen[0].partitions[0].record_count, 3);
    EXPECT_GT(seen[0].partitions[0].size_bytes, 61);
    EXPECT_EQ(seen[0].partitions[1].record_count, -1) << "no batch";
    EXPECT_EQ(seen[1].partitions.at(0).where.topic, "t") << "ids are looked up";
    EXPECT_TRUE(client.is_closed());
}

TEST_F(FakeBrokerConnection, AHookIsAskedOncePerRequest) {
    int asked = 0;
    cluster.on_request([&](const request_info&) {
        ++asked;
        return fate::delay(10ms);
    });

    client.send(produce(1));
    client.wait(5ms);
    client.wait(5ms);

    EXPECT_EQ(answered(), ids{1});
    EXPECT_EQ(asked, 1);
}

TEST_F(FakeBrokerConnection, QueuedFatesComeBeforeTheHook) {
    int asked = 0;
    cluster.on_request([&](const request_info&) {
        ++asked;
        return fate::answer();
    });
    cluster.queue_fate(metadata_key, fate::garbage());

    client.send(metadata(1));

    EXPECT_EQ(asked, 0);
    client.send(metadata(2));
    EXPECT_EQ(asked, 1);
}

TEST_F(FakeBrokerConnection, AHookMayChangeTheClusterAndReplaceItself) {
    cluster.on_request([this](const request_info&) {
        cluster.on_request(nullptr);
        cluster.move_leader("t", 0, 2);
        return fate::answer();
    });

    EXPECT_EQ(client.produce(made_batch::of(1)).error_code, code(broker_errc::not_leader_or_follower));
    fake_client leader(cluster, 2);
    EXPECT_EQ(leader.produce(made_batch::of(1)).error_code, 0);
}

TEST_F(FakeBrokerConnection, AHookMayKillTheBrokerItself) {
    cluster.on_request([this](const request_info& request) {
        cluster.kill(request.node_id);
        return fate::answer();
    });

    client.send(produce(1));

    EXPECT_TRUE(client.is_closed());
    EXPECT_EQ(cluster.end_offset("t", 0), 0);
}

TEST_F(FakeBrokerConnection, EndsWithItsBroker) {
    cluster.queue_fate(produce_key, fate::answer_late(10ms));
    client.send(produce(1));

    cluster.kill(1);
    client.advance();

    EXPECT_TRUE(client.is_closed());
    EXPECT_EQ(client.answered_size(), 0u) << "what was held back is lost";
}

TEST_F(FakeBrokerConnection, DoesNotOutliveADeathItDidNotSee) {
    cluster.kill(1);
    cluster.start(1);

    client.send(metadata(1));
    EXPECT_TRUE(client.is_closed());
    fake_client again(cluster, 1);
    again.send(metadata(1));
    EXPECT_FALSE(again.is_closed());
}

TEST_F(FakeBrokerConnection, ToNobodyIsClosed) {
    cluster.kill(2);
    fake_client dead(cluster, 2), none(cluster, 9);

    dead.advance();
    none.send(metadata(1));

    EXPECT_TRUE(dead.is_closed());
    EXPECT_TRUE(none.is_closed());
}

TEST_F(FakeBrokerConnection, ThrottledClientsAreToldAndNotRead_KIP_219) {
    cluster.set_throttle_time(30ms);
    const auto first = client.ask<wire::metadata_response>(metadata_about({}), 9);
    EXPECT_EQ(first->body.throttle_time_ms, 30) << "the answer comes at once";
    EXPECT_FALSE(client.connection().wants_bytes());
    EXPECT_EQ(client.due_in(), 30ms);

    client.send(produce(2));
    EXPECT_EQ(cluster.end_offset("t", 0), 0);
    client.wait(30ms);
    EXPECT_EQ(answered(), ids{2});

    cluster.set_throttle_time(0ms);
    client.wait(30ms);
    EXPECT_EQ(client.ask<wire::metadata_response>(metadata_about({}), 9)->body.throttle_time_ms, 0);
}

TEST_F(FakeBrokerConnection, TheSameBytesGiveTheSameBytes) {
    fake_cluster twin({.broker_count = 2});
    twin.create_topic("t", {.partition_count = 4});
    fake_client other(twin);
    const std::vector<std::byte> requests =
        joined(metadata(1), joined(produce(2), frame_of(wire::init_producer_id_request{}, 5)));

    client.send(requests);
    other.send(requests);

    for (int index = 0; index < 3; ++index)
        EXPECT_EQ(client.next_frame().value(), other.next_frame().value());
    EXPECT_EQ(cluster.batches("t", 0), twin.batches("t", 0));
}

}  // namespace
}  // namespace sluice::testing
