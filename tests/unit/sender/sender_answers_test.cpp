// What an answer, or the lack of one, means for each batch.
#include <gtest/gtest.h>

#include <limits>

#include "unit/sender/sender_fixture.hpp"

namespace sluice {
namespace {

using namespace std::chrono_literals;

constexpr auto retriable_code = broker_errc::not_enough_replicas;  // stored nothing, asks for no metadata

// ---- acknowledged

TEST(SenderAnswers, ASuccessGivesEveryRecordItsOffset_SND_20) {
    sender_fixture on;
    const held_record a = on.send(0, "a"), b = on.send(0, "b"), c = on.send(1, "c");
    produce_attempt attempt = on.next();

    ASSERT_FALSE(on.answer(attempt, {stored(0, 40), stored(1, 7)}));

    EXPECT_EQ(a.metadata().offset, 40);
    EXPECT_EQ(b.metadata().offset, 41);
    EXPECT_EQ(c.metadata().offset, 7);
    EXPECT_EQ(b.result().outcome, outcome::persisted);
    EXPECT_TRUE(on.queue(0).ledger.is_idle());
    EXPECT_EQ(on.queue(0).ledger.next_sequence(), 2);
    EXPECT_TRUE(on.is_all_memory_free());
    EXPECT_EQ(on.tested.broker(1).in_flight_count, 0u);
    EXPECT_TRUE(attempt.batches.empty());
}

TEST(SenderAnswers, TheBrokersAppendTimeIsToldOn_RB_13) {
    sender_fixture on;
    const held_record a = on.send(0, "a");
    produce_attempt attempt = on.next();
    auto answer = stored(0, 40);
    answer.log_append_time_ms = 1234567;

    on.answer(attempt, {answer});

    EXPECT_EQ(a.metadata().timestamp, 1234567);
}

TEST(SenderAnswers, ADuplicateIsASuccessWithoutAnOffset_IDM_6) {
    sender_fixture on;
    const held_record a = on.send(0, "a");
    produce_attempt attempt = on.next();

    on.answer(attempt, {refused(0, broker_errc::duplicate_sequence_number)});

    ASSERT_TRUE(a.is_done());
    EXPECT_FALSE(a.result().error);
    EXPECT_EQ(a.metadata().outcome, outcome::persisted);
    EXPECT_EQ(a.metadata().offset, -1);
    EXPECT_TRUE(on.queue(0).ledger.is_idle());
}

TEST(SenderAnswers, WithoutAcknowledgementsBeingWrittenIsAllThereIs_SND_19) {
    sender_config config = plain_config();
    config.acks = 0;
    sender_fixture on(config);
    const held_record a = on.send(0, "a"), b = on.send(1, "b");
    produce_attempt attempt = on.next();

    on.tested.on_written(attempt);

    EXPECT_EQ(a.metadata().outcome, outcome::persisted);
    EXPECT_EQ(a.metadata().offset, -1);
    EXPECT_TRUE(b.is_done());
    EXPECT_TRUE(on.is_all_memory_free());
    EXPECT_EQ(on.tested.broker(1).in_flight_count, 0u);
}

// ---- retried

TEST(SenderAnswers, ARetriableErrorIsRetriedAfterItsBackoff_ACC_11) {
    sender_fixture on;
    const held_record a = on.send(0, "a");
    produce_attempt attempt = on.next();

    on.answer(attempt, {refused(0, retriable_code)}, at(10ms));

    EXPECT_FALSE(a.is_done());
    EXPECT_EQ(on.tested.next_deadline(), at(110ms));
    on.tested.on_time(at(110ms) - 1ns);
    EXPECT_TRUE(on.next(1, at(110ms) - 1ns).batches.empty());
    on.tested.on_time(at(110ms));
    batch& retried = on.next_batch(attempt, 1, at(110ms));
    EXPECT_EQ(retried.base_sequence, 0);
    EXPECT_EQ(retried.attempts, 1u);
    EXPECT_EQ(on.tested.next_deadline(), never);
    on.answer(attempt, {stored(0, 3)}, at(111ms));
    EXPECT_EQ(a.metadata().offset, 3);
}

TEST(SenderAnswers, NothingOvertakesABackoff_ACC_11) {
    sender_fixture on;
    const auto sent = on.send_batches(0, 2);
    produce_attempt attempt = on.next();
    on.answer(attempt, {refused(0, retriable_code)});

    on.accumulator.set_forced(true);  // flush, close, memory

    EXPECT_TRUE(on.next().batches.empty()) << "neither the head nor what is behind it";
}

TEST(SenderAnswers, BackoffsDoubleWithJitterUpToTheirMaximum_ACC_11) {
    sender_config config = steady_config();
    config.retry_backoff = 100ms;
    config.retry_backoff_max = 1000ms;
    config.delivery_timeout = 1h;
    duration smallest_first = 1h, largest_first = 0h;
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
        sender_fixture on(config);
        sender tested(on.config, on.accumulator, seed);
        tested.on_broker_usable(1);
        tested.set_identity(identity);
        tested.set_leader(on.queue(0), 1, 5);
        const held_record a = on.append(on.queue(0), "a", at(0ms));
        time_point now = at(0ms);
        const std::chrono::milliseconds expected[] = {100ms, 200ms, 400ms, 800ms, 1000ms, 1000ms};
        for (const std::chrono::milliseconds wait : expected) {
            tested.collect();
            produce_attempt attempt;
            ASSERT_TRUE(tested.fill(tested.broker(1), attempt, now));
            tested.on_lost(attempt, errc::disconnected, true, "", now);

            const duration drawn = tested.next_deadline() - now;

            EXPECT_GE(drawn, wait * 8 / 10 - 1ms);
            EXPECT_LE(drawn, std::min<duration>(wait * 12 / 10, 1000ms));
            if (wait == 100ms) {
                smallest_first = std::min(smallest_first, drawn);
                largest_first = std::max(largest_first, drawn);
            }
            now = tested.next_deadline();
            tested.on_time(now);
        }
    }
    EXPECT_LT(smallest_first, 90ms) << "there is jitter";
    EXPECT_GT(largest_first, 110ms);
}

TEST(SenderAnswers, TheFirstAttemptOnANewLeaderIsImmediate_ACC_12) {
    sender_fixture on;
    const held_record a = on.send(0, "a");
    produce_attempt attempt = on.next();
    on.answer(attempt, {refused(0, broker_errc::not_leader_or_follower)});
    EXPECT_TRUE(on.next().batches.empty());

    on.tested.set_leader(on.queue(0), 2, 6);  // during the backoff

    on.next_batch(attempt, 2);
    on.answer(attempt, {refused(0, broker_errc::not_leader_or_follower)});
    EXPECT_TRUE(on.next(2).batches.empty()) << "a further failure on the same leader backs off";
    on.tested.on_time(at(100ms));
    on.next_batch(attempt, 2, at(100ms));
    on.answer(attempt, {stored(0, 0)});
}

TEST(SenderAnswers, ALeaderThatWasNewBeforeTheAnswerNeedsNoBackoff_ACC_12) {
    sender_fixture on;
    const held_record a = on.send(0, "a");
    produce_attempt attempt = on.next();
    on.tested.set_leader(on.queue(0), 2, 6);

    on.answer(attempt, {refused(0, broker_errc::not_leader_or_follower)});

    EXPECT_EQ(on.tested.next_deadline(), never);
    on.next_batch(attempt, 2);
    on.answer(attempt, {stored(0, 0)});
}

TEST(SenderAnswers, TheSameLeaderTwiceEndsNoBackoff_ACC_12) {
    sender_fixture on;
    const held_record a = on.send(0, "a");
    produce_attempt attempt = on.next();
    on.answer(attempt, {refused(0, broker_errc::not_leader_or_follower)});

    on.tested.set_leader(on.queue(0), 1, 5);
    EXPECT_TRUE(on.next().batches.empty());
    on.tested.set_leader(on.queue(0), 2, 5);  // another broker, but in the same epoch

    EXPECT_TRUE(on.next(2).batches.empty());
}

TEST(SenderAnswers, ABackoffThatEndedEarlyDoesNotEndTheNextOne) {
    sender_fixture on;
    const held_record a = on.send(0, "a");
    produce_attempt attempt = on.next();
    on.answer(attempt, {refused(0, broker_errc::not_leader_or_follower)}, at(0ms));  // until 100 ms
    on.tested.set_leader(on.queue(0), 2, 6);
    on.next_batch(attempt, 2, at(50ms));
    on.answer(attempt, {refused(0, retriable_code)}, at(50ms));  // until 150 ms

    on.tested.on_time(at(100ms));

    EXPECT_TRUE(on.next(2, at(100ms)).batches.empty());
    EXPECT_EQ(on.tested.next_deadline(), at(150ms));
    on.tested.on_time(at(150ms));
    on.next_batch(attempt, 2, at(150ms));
    on.answer(attempt, {stored(0, 0)}, at(150ms));
}

TEST(SenderAnswers, ABatchIsSentAtMostRetriesPlusOneTimes_ACC_29) {
    sender_config config = steady_config();
    config.retries = 2;
    sender_fixture on(config);
    const held_record a = on.send(0, "a");
    int sent_count = 0;
    for (time_point now = at(0ms); !a.is_done() && sent_count < 10; now += 1s) {
        on.tested.on_time(now);
        produce_attempt attempt = on.next(1, now);
        if (attempt.batches.empty()) continue;
        ++sent_count;
        on.answer(attempt, {refused(0, sent_count == 3 ? broker_errc::corrupt_message : retriable_code)},
                  now);
    }

    EXPECT_EQ(sent_count, 3);
    EXPECT_EQ(a.result().error, broker_errc::corrupt_message) << "the last error itself (ERR-4)";
    EXPECT_EQ(a.result().outcome, outcome::not_persisted);
    EXPECT_TRUE(on.is_all_memory_free());
}

TEST(SenderAnswers, ARetriableErrorOfABatchThatIsTooOldIsFinal_ACC_28) {
    sender_fixture on;
    const held_record a = on.send(0, "a", at(0ms));
    produce_attempt attempt = on.next(1, at(9s));

    on.answer(attempt, {refused(0, retriable_code)}, at(10s));

    ASSERT_TRUE(a.is_done());
    EXPECT_EQ(a.result().error, retriable_code);
}

TEST(SenderAnswers, WhatAnEarlierAttemptLeftOpenDecidesTheOutcome) {
    sender_config config = steady_config();
    config.retries = 1;
    sender_fixture on(config);
    const held_record a = on.send(0, "a");
    produce_attempt attempt = on.next();
    on.lose(attempt);
    on.tested.on_time(at(100ms));
    on.next_batch(attempt, 1, at(100ms));

    on.answer(attempt, {refused(0, retriable_code)}, at(100ms));

    EXPECT_EQ(a.result().error, retriable_code) << "which alone would mean: not stored";
    EXPECT_EQ(a.result().outcome, outcome::possibly_persisted);
}

TEST(SenderAnswers, WithIdempotenceRetriesGoInOrderOneByOne_SDR_16_IDM_7) {
    sender_fixture on;
    const auto sent = on.send_batches(0, 3);
    produce_attempt first = on.next(), second = on.next(), third = on.next();
    on.answer(first, {refused(0, retriable_code)});
    on.answer(second, {refused(0, broker_errc::out_of_order_sequence_number)});
    on.answer(third, {refused(0, broker_errc::out_of_order_sequence_number)});
    on.tested.on_time(at(100ms));

    std::vector<std::int32_t> sequences;
    for (int i = 0; i < 3; ++i) {
        produce_attempt attempt;
        sequences.push_back(on.next_batch(attempt, 1, at(100ms)).base_sequence);
        EXPECT_TRUE(on.next(1, at(100ms)).batches.empty()) << "one in flight until the retries are through";
        on.answer(attempt, {stored(0, i)}, at(100ms));
    }

    EXPECT_EQ(sequences, (std::vector<std::int32_t>{0, 1, 2}));
    EXPECT_EQ(on.tested.identity(), identity) << "no new epoch: they only waited for the first (IDM-9)";
    for (std::size_t i = 0; i < sent.size(); ++i)
        EXPECT_EQ(sent[i].metadata().offset, static_cast<std::int64_t>(i));
}

TEST(SenderAnswers, WithoutIdempotenceARetryMayBeOvertaken_SDR_15) {
    sender_fixture on(plain_config());
    const auto sent = on.send_batches(0, 2);
    produce_attempt first = on.next(), second = on.next();

    on.answer(first, {refused(0, retriable_code)});
    on.answer(second, {stored(0, 0)});

    EXPECT_TRUE(sent[1].is_done());
    on.tested.on_time(at(100ms));
    on.next_batch(first, 1, at(100ms));
    on.answer(first, {stored(0, 1)}, at(100ms));
    EXPECT_EQ(sent[0].metadata().offset, 1);
}

// ---- failed

TEST(SenderAnswers, AnErrorThatIsNotRetriableFailsItsBatchAlone_ERR_9) {
    sender_fixture on;
    const held_record bad = on.send(0, "a"), good = on.send(1, "b"), again = on.send(2, "c");
    produce_attempt attempt = on.next();

    on.answer(attempt,
              {refused(0, broker_errc::invalid_record, "no key"), stored(1, 5), refused(2, retriable_code)});

    ASSERT_TRUE(bad.is_done());
    EXPECT_EQ(bad.result().error, broker_errc::invalid_record);
    EXPECT_EQ(bad.result().message.view(), "no key") << "the broker's words (ERR-1)";
    EXPECT_EQ(bad.result().outcome, outcome::not_persisted);
    EXPECT_EQ(good.metadata().offset, 5);
    EXPECT_FALSE(again.is_done());
}

TEST(SenderAnswers, WithoutTheBrokersWordsTheCodeSpeaks_ERR_1) {
    sender_fixture on;
    const held_record a = on.send(0, "a");
    produce_attempt attempt = on.next();

    on.answer(attempt, {refused(0, broker_errc::topic_authorization_failed)});

    EXPECT_EQ(a.result().message.view(), make_error_code(broker_errc::topic_authorization_failed).message());
}

TEST(SenderAnswers, AfterAnUnknownServerErrorTheBatchMayBeStored) {
    sender_fixture on;
    const held_record a = on.send(0, "a");
    produce_attempt attempt = on.next();

    on.answer(attempt, {refused(0, broker_errc::unknown_server_error)});

    EXPECT_EQ(a.result().error, broker_errc::unknown_server_error);
    EXPECT_EQ(a.result().outcome, outcome::possibly_persisted);
}

TEST(SenderAnswers, SomeErrorsEndAnIdempotentProducer_ERR) {
    for (const bool is_idempotent : {true, false}) {
        sender_fixture on(is_idempotent ? steady_config() : plain_config());
        const held_record a = on.send(0, "a"), b = on.send(1, "b");
        produce_attempt attempt = on.next();

        on.answer(attempt, {refused(0, broker_errc::producer_fenced, "fenced"), refused(1, retriable_code)});

        EXPECT_EQ(a.result().error, broker_errc::producer_fenced);
        ASSERT_EQ(on.tested.fatal() != nullptr, is_idempotent);
        EXPECT_EQ(b.is_done(), is_idempotent) << "nothing is retried any more";
        if (!is_idempotent) continue;
        EXPECT_EQ(on.tested.fatal()->error, broker_errc::producer_fenced);
        EXPECT_EQ(on.tested.fatal()->message.view(), "fenced");
    }
}

TEST(SenderAnswers, TheFirstFatalErrorStays) {
    sender_fixture on;
    on.tested.set_fatal(broker_errc::producer_fenced, "first");
    on.tested.set_fatal(broker_errc::unsupported_version, "second");

    EXPECT_EQ(on.tested.fatal()->error, broker_errc::producer_fenced);
    EXPECT_EQ(on.tested.fatal()->message.view(), "first");
}

// ---- answers that are not what they should be

TEST(SenderAnswers, APartitionThatTheAnswerForgotIsTakenForLost_SDR_12) {
    sender_fixture on;
    const held_record told = on.send(0, "a"), forgotten = on.send(1, "b");
    produce_attempt attempt = on.next();

    ASSERT_FALSE(on.answer(attempt, {stored(0, 5)}));

    EXPECT_TRUE(told.is_done());
    EXPECT_FALSE(forgotten.is_done());
    EXPECT_TRUE(on.queue(1).waiting.front().may_be_stored);
    EXPECT_TRUE(on.tested.wants_metadata());
    on.tested.on_time(at(100ms));
    batch& retried = on.next_batch(attempt, 1, at(100ms));
    EXPECT_EQ(retried.base_sequence, 0) << "the same: the broker tells whether it has it";
    on.answer(attempt, {refused(1, broker_errc::duplicate_sequence_number)}, at(100ms));
    EXPECT_EQ(forgotten.metadata().outcome, outcome::persisted);
}

TEST(SenderAnswers, WhatWasNotAskedOrToldTwiceIsIgnored_SDR_12) {
    sender_fixture on;
    const held_record a = on.send(0, "a"), b = on.send(1, "b");
    produce_attempt attempt = on.next();

    ASSERT_FALSE(on.answer(
        attempt, {stored(7, 99), stored(1, 5), refused(1, broker_errc::producer_fenced), stored(0, 6)}));

    EXPECT_EQ(a.metadata().offset, 6) << "in whatever order";
    EXPECT_EQ(b.metadata().offset, 5);
    EXPECT_EQ(on.tested.fatal(), nullptr);
}

TEST(SenderAnswers, BytesThatAreNoAnswerChangeNothing) {
    sender_fixture on;
    const held_record a = on.send(0, "a");
    produce_attempt attempt = on.next();
    const std::vector<std::byte> nonsense(5, std::byte{0x7f});

    EXPECT_EQ(on.tested.on_answer(attempt, nonsense, at(0ms)), errc::protocol_error);

    EXPECT_EQ(on.tested.broker(1).in_flight_count, 1u);
    EXPECT_FALSE(a.is_done());
    ASSERT_EQ(attempt.batches.size(), 1u) << "to be given to on_lost";
    on.lose(attempt);
    EXPECT_EQ(on.tested.broker(1).in_flight_count, 0u);
}

TEST(SenderAnswers, AnAnswerByIdIsMatchedWithTheIdThatWasAskedFor_SDR_12) {
    sender_fixture on;
    on.topic.id.octets[0] = std::byte{1};
    const held_record a = on.send(0, "a");
    produce_attempt attempt = on.next();
    wire::writer frame;
    ASSERT_FALSE(on.tested.encode(attempt, 13, "", frame));
    wire::produce_response response;
    response.responses.emplace_back().topic_id = on.topic.id;
    response.responses.back().partition_responses = {stored(0, 9)};
    wire::writer out;
    ASSERT_FALSE(wire::encode(response, 13, out));
    const std::vector<std::byte> body = out.gathered();
    on.topic.id.octets[0] = std::byte{2};  // metadata told another one meanwhile

    ASSERT_FALSE(on.tested.on_answer(attempt, body, at(0ms)));

    ASSERT_TRUE(a.is_done());
    EXPECT_EQ(a.metadata().offset, 9);
}

// ---- lost

TEST(SenderAnswers, ALostRequestIsSentAgainAndMetadataIsWanted_NET_14) {
    sender_fixture on;
    const held_record a = on.send(0, "a");
    produce_attempt attempt = on.next();

    on.lose(attempt);

    EXPECT_FALSE(a.is_done());
    EXPECT_TRUE(on.tested.take_metadata_wants().update);
    EXPECT_EQ(on.tested.broker(1).in_flight_count, 0u);
    EXPECT_EQ(on.tested.next_deadline(), at(100ms));
}

TEST(SenderAnswers, BehindARequestThatMayHaveArrivedNothingFreshIsSent) {
    for (const bool was_sent : {true, false}) {
        sender_fixture on;
        const auto sent = on.send_batches(0, 2);
        produce_attempt attempt = on.next();
        on.tested.on_lost(attempt, errc::disconnected, was_sent, "", at(0ms));
        on.tested.on_time(at(100ms));
        on.next_batch(attempt, 1, at(100ms));

        produce_attempt second = on.next(1, at(100ms));

        EXPECT_EQ(second.batches.empty(), was_sent) << "(exactly_once/sequence_ledger.hpp: window)";
        on.answer(attempt, {stored(0, 0)}, at(100ms));
        if (!was_sent) on.answer(second, {stored(0, 1)}, at(100ms));
    }
}

TEST(SenderAnswers, ALostRequestWithoutRetriesMayBeStoredIfItWasSent) {
    for (const bool was_sent : {true, false}) {
        sender_config config = plain_config();
        config.retries = 0;
        sender_fixture on(config);
        const held_record a = on.send(0, "a");
        produce_attempt attempt = on.next();

        on.tested.on_lost(attempt, errc::disconnected, was_sent, "broker 1 went away", at(0ms));

        EXPECT_EQ(a.result().error, errc::disconnected);
        EXPECT_EQ(a.result().message.view(), "broker 1 went away");
        EXPECT_EQ(a.result().outcome, was_sent ? outcome::possibly_persisted : outcome::not_persisted);
        EXPECT_TRUE(on.is_all_memory_free());
    }
}

// ---- metadata

TEST(SenderAnswers, ALeaderThatIsStaleMeansNewMetadata_ERR) {
    for (const auto code :
         {broker_errc::not_leader_or_follower, broker_errc::unknown_topic_id, retriable_code}) {
        sender_fixture on;
        const held_record a = on.send(0, "a");
        produce_attempt attempt = on.next();

        on.answer(attempt, {refused(0, code)});

        EXPECT_EQ(on.tested.wants_metadata(), code != retriable_code);
    }
}

wire::partition_produce_response hinted(broker_errc why, std::int32_t leader, std::int32_t epoch) {
    auto answer = refused(0, why);
    answer.current_leader = {leader, epoch};
    return answer;
}

std::vector<wire::node_endpoint> node_2() {
    wire::node_endpoint node;
    node.node_id = 2;
    node.host = "two.example";
    node.port = 9094;
    return {node};
}

TEST(SenderAnswers, ALeaderHintIsTakenOnWithTheLeadersAddress_ERR_7) {
    for (const auto code : {broker_errc::not_leader_or_follower, broker_errc::fenced_leader_epoch}) {
        sender_fixture on;
        const held_record a = on.send(0, "a");
        produce_attempt attempt = on.next();

        on.answer(attempt, {hinted(code, 2, 6)}, at(0ms), node_2());

        const auto wants = on.tested.take_metadata_wants();
        ASSERT_EQ(wants.hints.size(), 1u);
        EXPECT_EQ(wants.hints[0].topic, "orders");
        EXPECT_EQ(wants.hints[0].partition, 0);
        EXPECT_EQ(wants.hints[0].leader, 2);
        EXPECT_EQ(wants.hints[0].leader_epoch, 6);
        ASSERT_TRUE(wants.hints[0].node.has_value());
        EXPECT_EQ(wants.hints[0].node->id, 2);
        EXPECT_EQ(wants.hints[0].node->address, (host_port{"two.example", 9094}));
    }
}

TEST(SenderAnswers, AHintWithoutTheAddressIsAHintStill_MD_14) {
    sender_fixture on;
    const held_record a = on.send(0, "a");
    produce_attempt attempt = on.next();

    on.answer(attempt, {hinted(broker_errc::not_leader_or_follower, 3, 6)}, at(0ms), node_2());

    const auto wants = on.tested.take_metadata_wants();
    ASSERT_EQ(wants.hints.size(), 1u);
    EXPECT_EQ(wants.hints[0].leader, 3);
    EXPECT_FALSE(wants.hints[0].node.has_value());
}

TEST(SenderAnswers, OtherHintsAreNone_ERR_7) {
    const wire::partition_produce_response none[] = {
        hinted(broker_errc::unknown_leader_epoch, 2, 6),     // not of these errors
        hinted(broker_errc::not_leader_or_follower, 2, 5),   // no newer epoch (MD-14)
        hinted(broker_errc::not_leader_or_follower, -1, 6),  // no leader
        hinted(broker_errc::not_leader_or_follower, 2, -1),  // no epoch
    };
    for (const auto& answer : none) {
        sender_fixture on;
        const held_record a = on.send(0, "a");
        produce_attempt attempt = on.next();

        on.answer(attempt, {answer}, at(0ms), node_2());

        EXPECT_TRUE(on.tested.take_metadata_wants().hints.empty());
    }
}

// ---- too large

TEST(SenderAnswers, ABatchThatIsTooLargeIsSentInParts_SPL_1) {
    sender_config config = steady_config();
    config.retries = 0;  // a split uses up no attempt
    sender_fixture on(config);
    std::vector<held_record> sent;
    for (const char letter : {'a', 'b', 'c', 'd'}) sent.push_back(on.send(0, std::string(1000, letter)));
    produce_attempt attempt = on.next();

    on.answer(attempt, {refused(0, broker_errc::message_too_large)});

    EXPECT_EQ(on.tested.next_deadline(), never) << "at once";
    std::int64_t offset = 0;
    std::int32_t sequence = 0;
    for (attempt = on.next(); !attempt.batches.empty(); attempt = on.next()) {
        const batch& part = *attempt.batches.front();
        EXPECT_LT(part.records.estimated_size(), 4000u) << "of less than the whole";
        EXPECT_EQ(part.base_sequence, sequence);
        sequence += part.record_count;
        const std::int32_t count = part.record_count;
        on.answer(attempt, {stored(0, offset)});
        offset += count;
    }
    EXPECT_EQ(offset, 4);
    for (std::size_t i = 0; i < sent.size(); ++i)
        EXPECT_EQ(sent[i].metadata().offset, static_cast<std::int64_t>(i));
    EXPECT_TRUE(on.is_all_memory_free());
}

// Against a broker that takes no batch above its limit: it ends, and nothing is lost that fits.
TEST(SenderAnswers, SplittingEndsWhateverTheBrokersLimit_SPL_2) {
    for (const bool is_idempotent : {true, false}) {
        for (const std::size_t limit : {90u, 130u, 200u, 400u, 1000u, 3000u}) {
            SCOPED_TRACE(limit);
            sender_fixture on(is_idempotent ? steady_config() : plain_config());
            std::vector<held_record> sent;
            std::vector<std::size_t> sizes;
            for (const std::size_t size : {5u, 100u, 0u, 600u, 1u, 1u, 20u, 300u, 2u, 50u}) {
                sent.push_back(on.send(0, std::string(size, 'x')));
                sizes.push_back(size);
            }
            int request_count = 0;
            std::int64_t offset = 0;
            for (produce_attempt attempt = on.next(); !attempt.batches.empty(); attempt = on.next()) {
                ASSERT_LT(++request_count, 60) << "it goes round for ever";
                const batch& tried = *attempt.batches.front();
                const bool fits = tried.records.estimated_size() <= limit;
                const std::int32_t count = tried.record_count;
                on.answer(attempt, {fits ? stored(0, offset) : refused(0, broker_errc::message_too_large)});
                if (fits) offset += count;
            }
            for (std::size_t i = 0; i < sent.size(); ++i) {
                ASSERT_TRUE(sent[i].is_done());
                const bool fits = batch_header_size + sizes[i] + 12 <= limit;
                if (fits) {
                    EXPECT_FALSE(sent[i].result().error) << i;
                }
                if (batch_header_size + sizes[i] + 7 > limit) {
                    EXPECT_EQ(sent[i].result().error, broker_errc::message_too_large) << i;
                }
            }
            EXPECT_TRUE(on.is_all_memory_free());
        }
    }
}

TEST(SenderAnswers, ASingleRecordThatIsTooLargeFails_SPL_1) {
    sender_fixture on;
    const held_record a = on.send(0, std::string(1000, 'a'));
    produce_attempt attempt = on.next();

    on.answer(attempt, {refused(0, broker_errc::message_too_large)});

    ASSERT_TRUE(a.is_done());
    EXPECT_EQ(a.result().error, broker_errc::message_too_large);
    EXPECT_EQ(a.result().outcome, outcome::not_persisted);
}

// The parts would take its sequences, and the broker may know the whole under them.
TEST(SenderAnswers, ABatchThatMayBeStoredIsNotCut) {
    sender_fixture on;
    const held_record a = on.send(0, "a"), b = on.send(0, "b");
    produce_attempt attempt = on.next();
    on.lose(attempt);
    on.tested.on_time(at(100ms));
    on.next_batch(attempt, 1, at(100ms));

    on.answer(attempt, {refused(0, broker_errc::message_too_large)}, at(100ms));

    ASSERT_TRUE(a.is_done());
    EXPECT_EQ(a.result().outcome, outcome::possibly_persisted);
    EXPECT_EQ(on.accumulator.batch_count(), 0u);
}

// ---- epochs

TEST(SenderAnswers, ARefusedBatchRaisesTheEpochAndTheNextBeginsAtZero_IDM_8_IDM_11) {
    sender_fixture on;
    const auto sent = on.send_batches(0, 2);
    produce_attempt attempt = on.next();

    on.answer(attempt, {refused(0, broker_errc::invalid_record)});

    const batch& second = on.next_batch(attempt);
    EXPECT_EQ(on.tested.identity(), (producer_identity{7, 1}));
    EXPECT_EQ(second.identity, (producer_identity{7, 1}));
    EXPECT_EQ(second.base_sequence, 0);
    on.answer(attempt, {stored(0, 0)});
}

TEST(SenderAnswers, OutOfOrderOfTheOldestRaisesTheEpochAndIsRetried_IDM_9) {
    sender_fixture on;
    const held_record a = on.send(0, "a");
    produce_attempt attempt = on.next();
    on.answer(attempt, {refused(0, broker_errc::out_of_order_sequence_number)});
    EXPECT_FALSE(a.is_done());
    on.tested.on_time(at(100ms));

    const batch& retried = on.next_batch(attempt, 1, at(100ms));

    EXPECT_EQ(retried.identity, (producer_identity{7, 1}));
    EXPECT_EQ(retried.base_sequence, 0);
    on.answer(attempt, {stored(0, 0)}, at(100ms));
    EXPECT_EQ(a.metadata().offset, 0);
}

TEST(SenderAnswers, AnUnknownProducerIdRaisesTheEpochAndIsRetried_IDM_10) {
    sender_fixture on;
    const held_record before = on.send(0, "before");
    produce_attempt attempt = on.next();
    on.answer(attempt, {stored(0, 3)});
    const held_record a = on.send(0, "a");
    EXPECT_EQ(on.next_batch(attempt).base_sequence, 1);
    auto forgotten = refused(0, broker_errc::unknown_producer_id);
    forgotten.log_start_offset = 10;
    on.answer(attempt, {forgotten});
    on.tested.on_time(at(100ms));

    const batch& retried = on.next_batch(attempt, 1, at(100ms));

    EXPECT_EQ(retried.identity, (producer_identity{7, 1}));
    EXPECT_EQ(retried.base_sequence, 0);
    on.answer(attempt, {stored(0, 10)}, at(100ms));
}

TEST(SenderAnswers, OtherPartitionsKeepTheirEpochUntilTheyAreIdle_IDM_12) {
    sender_fixture on;
    const held_record a = on.send(0, "a"), b = on.send(1, "b");
    produce_attempt attempt = on.next();
    const held_record b_again = on.send(1, "b again");
    produce_attempt second = on.next();
    ASSERT_EQ(partitions_of(second), partitions{1});
    const held_record fresh = on.send(1, "fresh"), c = on.send(0, "c");

    on.answer(attempt, {refused(0, broker_errc::invalid_record), stored(1, 0)});
    produce_attempt third = on.next();

    EXPECT_EQ(partitions_of(third), partitions{0}) << "partition 1 has a batch of the old epoch in flight";
    EXPECT_EQ(third.batches.at(0)->identity.epoch, 1);
    on.answer(second, {stored(1, 1)});
    produce_attempt fourth = on.next();
    ASSERT_EQ(partitions_of(fourth), partitions{1});
    EXPECT_EQ(fourth.batches[0]->identity.epoch, 1);
    EXPECT_EQ(fourth.batches[0]->base_sequence, 0);
    on.answer(third, {stored(0, 0)});
    on.answer(fourth, {stored(1, 2)});
}

TEST(SenderAnswers, SeveralPartitionsRaiseTheEpochOnce_IDM_11) {
    sender_fixture on;
    const held_record a = on.send(0, "a"), b = on.send(1, "b"), c = on.send(0, "c"), d = on.send(1, "d");
    produce_attempt attempt = on.next();

    on.answer(attempt, {refused(0, broker_errc::invalid_record), refused(1, broker_errc::invalid_timestamp)});
    on.tested.collect();

    EXPECT_EQ(on.tested.identity().epoch, 1);
}

TEST(SenderAnswers, BehindTheLastEpochComesANewId_IDM_11) {
    sender_fixture on;
    on.tested.set_identity({7, std::numeric_limits<std::int16_t>::max()});
    const auto sent = on.send_batches(0, 2);
    produce_attempt attempt = on.next();
    on.answer(attempt, {refused(0, broker_errc::invalid_record)});

    EXPECT_TRUE(on.next().batches.empty());
    EXPECT_TRUE(on.tested.wants_identity());
    EXPECT_FALSE(on.tested.identity().is_valid());

    on.tested.set_identity({8, 0});
    const batch& second = on.next_batch(attempt);
    EXPECT_EQ(second.identity, (producer_identity{8, 0}));
    EXPECT_EQ(second.base_sequence, 0);
    on.answer(attempt, {stored(0, 0)});
}

TEST(SenderAnswers, WhatMayBeStoredIsAskedAboutBeforeTheEpochIsRaised) {
    sender_fixture on;
    const auto sent = on.send_batches(0, 3);
    produce_attempt first = on.next(), second = on.next();
    on.answer(second, {refused(0, broker_errc::invalid_record)});  // a gap: a new epoch is wanted
    on.lose(first);
    on.tested.on_time(at(100ms));

    const batch& asked = on.next_batch(first, 1, at(100ms));

    EXPECT_EQ(asked.identity, identity) << "the old epoch";
    EXPECT_EQ(asked.base_sequence, 0);
    EXPECT_TRUE(on.next(1, at(100ms)).batches.empty());
    on.answer(first, {refused(0, broker_errc::duplicate_sequence_number)}, at(100ms));
    EXPECT_EQ(on.next_batch(first, 1, at(100ms)).identity.epoch, 1);
    on.answer(first, {stored(0, 1)}, at(100ms));
}

// ---- time

TEST(SenderAnswers, AQueuedBatchExpiresWithoutATrace_ACC_23_IDM_16) {
    sender_fixture on;
    on.tested.on_broker_lost(1);
    const held_record a = on.send(0, "a", at(0ms)), b = on.send(0, "b", at(1ms));
    on.tested.on_time(at(10s) - 1ns);
    EXPECT_FALSE(a.is_done());

    on.tested.on_time(at(10s));

    ASSERT_TRUE(a.is_done());
    EXPECT_TRUE(b.is_done()) << "of the same batch";
    EXPECT_EQ(a.result().error, errc::delivery_timeout);
    EXPECT_EQ(a.result().outcome, outcome::not_persisted);
    EXPECT_FALSE(on.queue(0).ledger.wants_new_epoch());
    EXPECT_FALSE(on.queue(0).ledger.has_hole());
    EXPECT_TRUE(on.is_all_memory_free());
}

TEST(SenderAnswers, ATimeOutSaysWhatTheBatchWaitedFor_ACC_23) {
    const std::string opening = "Expiring 1 record(s) for orders-0: 10000 ms has passed since batch creation";
    {
        sender_fixture on;
        const held_record a = on.append(on.queue(0), "a", at(0ms));
        on.tested.set_connection_trouble("kafka:9092: refused");
        on.tested.on_time(at(10s));
        EXPECT_EQ(
            a.result().message.view(),
            opening + "; the partition has no known leader; last connection error: kafka:9092: refused");
    }
    {
        sender_fixture on;
        on.tested.on_broker_lost(1);
        const held_record a = on.send(0, "a", at(0ms));
        on.tested.on_time(at(10s));
        EXPECT_EQ(a.result().message.view(), opening + "; no connection to its leader, broker 1");
    }
    {
        sender_fixture on;
        const held_record a = on.send(0, "a", at(0ms));
        produce_attempt attempt = on.next();
        on.tested.on_time(at(10s));
        EXPECT_EQ(a.result().message.view(), opening + "; the request was not answered");
        on.lose(attempt, at(10s));
    }
    {
        sender_fixture on;
        const held_record a = on.send(0, "a", at(0ms));
        produce_attempt attempt = on.next();
        on.answer(attempt, {refused(0, retriable_code)});
        on.tested.on_time(at(10s));
        EXPECT_EQ(a.result().message.view(),
                  opening + "; last error: " + make_error_code(retriable_code).message());
    }
}

TEST(SenderAnswers, ABatchInFlightExpiresButKeepsItsMemoryUntilTheAnswer_ACC_24) {
    sender_fixture on;
    const held_record a = on.send(0, "a", at(0ms));
    produce_attempt attempt = on.next();

    on.tested.on_time(at(10s));

    ASSERT_TRUE(a.is_done());
    EXPECT_EQ(a.result().error, errc::delivery_timeout);
    EXPECT_EQ(a.result().outcome, outcome::possibly_persisted);
    EXPECT_FALSE(on.is_all_memory_free());
    on.answer(attempt, {stored(0, 5)}, at(11s));
    EXPECT_TRUE(on.is_all_memory_free());
    EXPECT_EQ(a.result().error, errc::delivery_timeout) << "a result is set once (ACC-34)";
    EXPECT_TRUE(on.queue(0).ledger.is_idle()) << "a late success counts (ERR-6)";
    EXPECT_FALSE(on.queue(0).ledger.wants_new_epoch());
    EXPECT_FALSE(on.queue(0).ledger.has_hole());
}

TEST(SenderAnswers, ALateFailureOfAnExpiredBatchRaisesTheEpoch_ERR_6) {
    sender_fixture on;
    const held_record a = on.send(0, "a", at(0ms));
    produce_attempt attempt = on.next();
    const held_record b = on.send(0, "b", at(5s));
    on.tested.on_time(at(10s));

    on.answer(attempt, {refused(0, retriable_code)}, at(11s));  // not retried, and not stored

    EXPECT_EQ(on.accumulator.batch_count(), 1u) << "it is gone";
    const batch& next = on.next_batch(attempt, 1, at(11s));
    EXPECT_EQ(next.identity.epoch, 1);
    EXPECT_EQ(next.base_sequence, 0);
    on.answer(attempt, {stored(0, 0)}, at(11s));
}

TEST(SenderAnswers, AfterALostBatchHasExpiredTheNextHasANewEpoch_IDM_14_IDM_15) {
    sender_fixture on;
    const held_record a = on.send(0, "a", at(0ms));
    produce_attempt attempt = on.next();
    on.lose(attempt, at(9s + 950ms));  // its backoff ends after its time
    const held_record b = on.send(0, "b", at(9s));

    on.tested.on_time(at(10s));

    EXPECT_EQ(a.result().outcome, outcome::possibly_persisted);
    on.tested.on_time(at(11s));
    const batch& next = on.next_batch(attempt, 1, at(11s));
    EXPECT_EQ(next.identity.epoch, 1) << "nobody can tell any more: a new epoch";
    on.answer(attempt, {stored(0, 0)}, at(11s));
}

TEST(SenderAnswers, AnExpiredHeadDoesNotKeepTheNextFromGoing) {
    sender_fixture on(plain_config());
    const held_record a = on.send(0, std::string(20000, 'a'), at(0ms));
    produce_attempt attempt = on.next();
    on.answer(attempt, {refused(0, retriable_code)}, at(9s + 950ms));
    const held_record b = on.send(0, "b", at(9s));
    on.tested.on_time(at(10s));
    ASSERT_TRUE(a.is_done());

    on.tested.on_time(at(10s + 50ms));

    on.next_batch(attempt, 1, at(10s + 50ms));
    on.answer(attempt, {stored(0, 0)}, at(11s));
    EXPECT_EQ(b.metadata().offset, 0);
}

// ---- the end

TEST(SenderAnswers, FailingAllEndsWhatIsQueuedAndWhatIsInFlight_ACC_33) {
    sender_fixture on;
    const held_record in_flight = on.send(0, "a");
    produce_attempt attempt = on.next();
    const held_record queued = on.send(0, "b"), elsewhere = on.send(3, "c");

    on.tested.fail_all(errc::closed, "the producer was closed");

    for (const held_record* each : {&in_flight, &queued, &elsewhere}) {
        ASSERT_TRUE(each->is_done());
        EXPECT_EQ(each->result().error, errc::closed);
        EXPECT_EQ(each->result().message.view(), "the producer was closed");
    }
    EXPECT_EQ(in_flight.result().outcome, outcome::possibly_persisted);
    EXPECT_EQ(queued.result().outcome, outcome::not_persisted);
    EXPECT_TRUE(on.accumulator.is_empty());
    EXPECT_EQ(on.accumulator.batch_count(), 1u) << "the kernel may still read what is in flight";
    on.lose(attempt);
    EXPECT_EQ(on.accumulator.batch_count(), 0u);
    EXPECT_TRUE(on.is_all_memory_free());
}

}  // namespace
}  // namespace sluice
