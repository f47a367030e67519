#include "accumulator/shard_accumulator.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "unit/accumulator/accumulator_fixture.hpp"

namespace sluice {
namespace {

using namespace std::chrono_literals;

// A value beside which no other fits when batch.size is 1 (three of one byte would, see ACC-3).
std::string alone(char letter) {
    return std::string(30, letter);
}

// ---- records in

TEST(ShardAccumulator, RecordsOfAPartitionShareABatchAndAreCounted) {
    accumulator_fixture on;
    partition_queue& queue = on.queue();

    const held_record first = on.append(queue, "a");
    const held_record second = on.append(queue, "b");

    EXPECT_EQ(first.place().block, second.place().block);
    EXPECT_EQ(first.place().first_index, 0u);
    EXPECT_EQ(second.place().first_index, 1u);
    EXPECT_EQ(on.accumulator.batch_count(), 1u);
    EXPECT_EQ(first.place().block->topic().view(), "orders");
    EXPECT_EQ(first.place().block->partition(), 0);
}

TEST(ShardAccumulator, PartitionsHaveBatchesOfTheirOwn) {
    accumulator_fixture on;

    const held_record far = on.append(on.queue(9), "a");
    const held_record near = on.append(on.queue(2), "b");

    EXPECT_NE(far.place().block, near.place().block);
    EXPECT_EQ(far.place().block->partition(), 9);
    EXPECT_EQ(on.accumulator.queue_count(), 2u);
    EXPECT_EQ(&on.queue(9), on.topic.find(9));
    EXPECT_EQ(on.topic.find(3), nullptr) << "made at its first use";
    EXPECT_EQ(on.topic.find(100), nullptr);
}

TEST(ShardAccumulator, TellsByHowMuchTheEstimatedSizeGrew_PRT_9) {
    accumulator_fixture on;
    const record_parts parts = parts_of(std::nullopt, "0123456789");
    const std::size_t size = record_size(record_body_size(record_content_size(parts), 0, 0));

    const auto first = on.accumulator.append(on.queue(), parts, {});
    const auto second = on.accumulator.append(on.queue(), parts, {});

    EXPECT_EQ(first.grown_bytes, batch_header_size + size) << "a new batch counts whole";
    EXPECT_EQ(second.grown_bytes, size);
    EXPECT_EQ(on.queue().waiting.front().records.estimated_size(), batch_header_size + 2 * size);
    first.result->drop_reference();
    second.result->drop_reference();
}

TEST(ShardAccumulator, ABatchWithoutRoomForTheNextRecordIsClosedAndSendable_ACC_2) {
    accumulator_fixture on(limits_of(200));
    partition_queue& queue = on.queue();
    const held_record first = on.append(queue, std::string(132, 'x'), at(0ms));  // 61 and 2 + 3 + 136 bytes
    batch& open = queue.waiting.front();
    EXPECT_EQ(open.records.write_limit(), 61u + 21 + 136) << "so that the first record fits";
    const held_record second = on.append(queue, std::string(8, 'x'), at(0ms));  // all but one byte
    EXPECT_EQ(second.place().first_index, 1u);
    EXPECT_FALSE(open.records.is_closed());
    EXPECT_TRUE(on.take_sendable().empty());

    const held_record third = on.append(queue, "", at(0ms));

    EXPECT_EQ(third.place().first_index, 0u);
    EXPECT_TRUE(open.records.is_closed());
    EXPECT_EQ(open.record_count, 2);
    EXPECT_FALSE(open.is_lingering());
    EXPECT_EQ(on.take_sendable(), partitions{0});
}

TEST(ShardAccumulator, ABatchThatARecordDidNotFitDoesNotLingerEvenIfTheRecordGoesElsewhere_ACC_2) {
    accumulator_fixture on(limits_of(200));
    const held_record first = on.append(on.queue(0), std::string(132, 'x'), at(0ms));
    const record_parts large = parts_of(std::nullopt, "no room for these bytes");

    const auto refused = on.accumulator.append_to_open(on.queue(0), large);
    const held_record elsewhere = on.append(on.queue(1), large, at(0ms));

    EXPECT_EQ(refused.result, nullptr);
    EXPECT_EQ(on.queue(0).open_batch(), nullptr);
    EXPECT_EQ(on.take_sendable(), partitions{0}) << "the sticky choice has moved on: nothing more will come";
    EXPECT_EQ(on.accumulator.next_deadline(), at(5ms)) << "partition 1 lingers";
}

TEST(ShardAccumulator, FillingABatchToTheByteIsTheEndOfIt_PRT_11) {
    accumulator_fixture on(limits_of(300));
    partition_queue& queue = on.queue();
    const held_record first = on.append(queue, std::string(100, 'x'), at(0ms));
    const std::size_t left = 300 - queue.waiting.front().records.estimated_size();
    const std::string value(left - 9, 'y');  // its size and the record's take two bytes each: 9 in all

    const record_parts parts = parts_of(std::nullopt, value);
    const auto done = on.accumulator.append(queue, parts, at(0ms));

    EXPECT_EQ(queue.waiting.front().records.estimated_size(), 300u);
    EXPECT_TRUE(done.is_batch_full);
    EXPECT_EQ(queue.open_batch(), nullptr);
    EXPECT_FALSE(queue.waiting.front().is_lingering());
    EXPECT_EQ(on.take_sendable(), partitions{0});
    done.result->drop_reference();
}

TEST(ShardAccumulator, ARecordLargerThanTheBatchSizeGetsABatchThatFitsIt_ACC_3) {
    accumulator_fixture on(limits_of(200));
    partition_queue& queue = on.queue();
    const held_record small = on.append(queue, "small", at(0ms));

    const held_record large = on.append(queue, std::string(5000, 'x'), at(0ms));

    EXPECT_EQ(waiting_in(queue).size(), 2u);
    EXPECT_EQ(large.place().first_index, 0u);
    EXPECT_EQ(queue.waiting.back().records.write_limit(), 61u + 21 + 1 + 2 + 5000 + 1);
    EXPECT_EQ(queue.waiting.back().records.chunk_count(), 5u);
    EXPECT_EQ(on.take_sendable(), partitions{0}) << "there is more than one batch";
}

TEST(ShardAccumulator, ABatchSizeOfZeroGivesEachRecordABatch) {
    accumulator_fixture on(limits_of(0));
    partition_queue& queue = on.queue();

    std::vector<held_record> records;
    for (int i = 0; i < 3; ++i) records.push_back(on.append(queue, std::string(100, 'x')));

    EXPECT_EQ(waiting_in(queue).size(), 3u);
}

TEST(ShardAccumulator, WithoutMemoryForANewBatchNothingHappens) {
    accumulator_fixture on(limits_of(1024), 2 * 1024, 1024);
    const held_record first = on.append(on.queue(0), "a");
    const held_record second = on.append(on.queue(1), "b");
    const std::uint64_t ordinal = on.accumulator.last_ordinal();

    const held_record third = on.append(on.queue(2), "c");
    EXPECT_FALSE(third.was_appended());
    EXPECT_EQ(on.accumulator.batch_count(), 2u);
    EXPECT_EQ(on.accumulator.last_ordinal(), ordinal);
    EXPECT_TRUE(on.queue(2).waiting.empty());

    const held_record no_room = on.append(on.queue(0), std::string(900, 'x'));
    EXPECT_TRUE(no_room.was_appended());
    const held_record over = on.append(on.queue(0), std::string(900, 'x'));
    EXPECT_FALSE(over.was_appended()) << "the open batch is full, and there is no memory for another";
    EXPECT_EQ(on.queue(0).open_batch(), nullptr) << "closed: sending it is what gives memory back";
}

TEST(ShardAccumulator, ABatchThatCannotGrowIsAsGoodAsFull) {
    accumulator_fixture on(limits_of(4096), 2 * 1024, 1024);
    const held_record first = on.append(on.queue(0), std::string(900, 'x'));
    const held_record other = on.append(on.queue(1), "b");

    const held_record growing = on.append(on.queue(0), std::string(900, 'y'));

    EXPECT_FALSE(growing.was_appended());
    EXPECT_EQ(on.queue(0).open_batch(), nullptr);
    EXPECT_EQ(on.take_sendable(), partitions{0});
    batch& taken = on.accumulator.take_head(on.queue(1), {});
    on.complete(taken);
    const held_record again = on.append(on.queue(0), std::string(900, 'y'));
    EXPECT_TRUE(again.was_appended());
    EXPECT_EQ(again.place().first_index, 0u) << "in a batch of its own";
}

TEST(ShardAccumulator, KnowsTheLargestRecordOfABatch) {
    accumulator_fixture on;
    partition_queue& queue = on.queue();
    std::vector<held_record> records;
    records.push_back(on.append(queue, "short"));
    records.push_back(on.append(queue, std::string(500, 'x')));
    records.push_back(on.append(queue, "short"));

    // 500 bytes, 2 for their size, and 7 around them.
    EXPECT_EQ(queue.waiting.front().record_size_max, 509u);
}

// ---- when a queue is sendable

TEST(ShardAccumulator, ABatchLingersFromItsCreationNotFromTheLastAppend_ACC_10) {
    accumulator_fixture on(limits_of(1024, 5ms));
    partition_queue& queue = on.queue();
    const held_record first = on.append(queue, "a", at(0ms));
    const held_record second = on.append(queue, "b", at(4ms));
    EXPECT_TRUE(on.take_sendable().empty());
    EXPECT_EQ(on.accumulator.next_deadline(), at(5ms));

    on.accumulator.end_lingering(at(5ms) - 1ns);
    EXPECT_TRUE(on.take_sendable().empty());
    EXPECT_FALSE(queue.is_sendable());

    on.accumulator.end_lingering(at(5ms));
    EXPECT_TRUE(queue.is_sendable());
    EXPECT_EQ(on.take_sendable(), partitions{0});
    EXPECT_TRUE(on.take_sendable().empty()) << "taken once";
}

TEST(ShardAccumulator, LingeredBatchesTakeMoreRecordsUntilTheyAreTaken_ACC_30) {
    accumulator_fixture on(limits_of(1024, 0ms));
    partition_queue& queue = on.queue();
    const held_record first = on.append(queue, "a", at(0ms));
    EXPECT_EQ(on.take_sendable(), partitions{0}) << "linger.ms=0: at once";

    const held_record second = on.append(queue, "b", at(3ms));
    batch& taken = on.accumulator.take_head(queue, at(3ms));

    EXPECT_EQ(taken.records.record_count(), 2u);
    on.complete(taken);
}

TEST(ShardAccumulator, QueuesBecomeSendableInTheOrderOfTheirBatches) {
    accumulator_fixture on(limits_of(1024, 5ms));
    const held_record a = on.append(on.queue(4), "a", at(0ms));
    const held_record b = on.append(on.queue(1), "b", at(1ms));
    const held_record c = on.append(on.queue(3), "c", at(2ms));
    const held_record d = on.append(on.queue(0), "d", at(9ms));

    on.accumulator.end_lingering(at(8ms));

    EXPECT_EQ(on.take_sendable(), (partitions{4, 1, 3}));
    EXPECT_EQ(on.accumulator.next_deadline(), at(14ms));
}

TEST(ShardAccumulator, ForcingEndsTheLingeringOfAllAndOfWhatComes_ACC_9) {
    accumulator_fixture on(limits_of(1024, 5ms));
    const held_record a = on.append(on.queue(0), "a", at(0ms));
    const held_record b = on.append(on.queue(1), "b", at(0ms));

    on.accumulator.set_forced(true);
    EXPECT_EQ(on.take_sendable(), (partitions{0, 1}));
    const held_record c = on.append(on.queue(2), "c", at(0ms));
    EXPECT_EQ(on.take_sendable(), partitions{2});

    on.accumulator.set_forced(false);
    const held_record d = on.append(on.queue(3), "d", at(0ms));
    EXPECT_TRUE(on.take_sendable().empty());
    EXPECT_TRUE(on.queue(0).is_sendable()) << "what was sendable stays so";
}

TEST(ShardAccumulator, ASecondBatchMakesTheFirstSendable_ACC_9) {
    accumulator_fixture on(limits_of(256));
    partition_queue& queue = on.queue();
    const held_record a = on.append(queue, std::string(100, 'x'), at(0ms));
    EXPECT_TRUE(on.take_sendable().empty());

    const held_record b = on.append(queue, std::string(100, 'x'), at(1ms));

    EXPECT_EQ(on.take_sendable(), partitions{0});
    EXPECT_FALSE(queue.waiting.front().is_lingering());
    EXPECT_TRUE(queue.waiting.back().is_lingering());
    batch& taken = on.accumulator.take_head(queue, at(1ms));
    EXPECT_FALSE(queue.is_sendable()) << "the second one lingers on";
    on.complete(taken);
}

// ---- batches out and back

TEST(ShardAccumulator, TakingTheHeadClosesItAndCountsItInFlight) {
    accumulator_fixture on;
    partition_queue& queue = on.queue();
    queue.leader_epoch = 12;
    const held_record record = on.append(queue, "a", at(0ms));

    batch& taken = on.accumulator.take_head(queue, at(3ms));

    EXPECT_TRUE(taken.records.is_closed());
    EXPECT_EQ(taken.record_count, 1);
    EXPECT_TRUE(taken.is_in_flight);
    EXPECT_FALSE(taken.is_queued());
    EXPECT_FALSE(taken.is_lingering());
    EXPECT_EQ(taken.created, at(0ms));
    EXPECT_EQ(taken.last_attempt, at(3ms));
    EXPECT_EQ(taken.attempted_leader_epoch, 12);
    EXPECT_EQ(queue.in_flight_count, 1);
    on.complete(taken);
    EXPECT_EQ(queue.in_flight_count, 0);
    EXPECT_TRUE(on.accumulator.is_empty());
}

TEST(ShardAccumulator, ARecordAfterTheHeadWasTakenGoesToANewBatch) {
    accumulator_fixture on;
    partition_queue& queue = on.queue();
    const held_record first = on.append(queue, "a");
    batch& taken = on.accumulator.take_head(queue, {});

    const held_record second = on.append(queue, "b");

    EXPECT_NE(first.place().block, second.place().block);
    EXPECT_EQ(taken.records.record_count(), 1u);
    on.complete(taken);
}

TEST(ShardAccumulator, WithoutSequencesARetryGoesToTheHead_ACC_26) {
    accumulator_fixture on(limits_of(1));
    partition_queue& queue = on.queue();
    std::vector<held_record> records;
    for (const char each : {'a', 'b', 'c'}) records.push_back(on.append(queue, alone(each), at(0ms)));
    batch& first = on.accumulator.take_head(queue, at(1ms));
    batch& second = on.accumulator.take_head(queue, at(1ms));
    on.take_sendable();

    on.accumulator.put_back(second, at(5ms));

    EXPECT_EQ(queue.waiting.front().ordinal, second.ordinal);
    EXPECT_EQ(second.last_attempt, at(5ms));
    EXPECT_EQ(second.created, at(0ms)) << "ACC-28";
    EXPECT_FALSE(second.is_in_flight);
    EXPECT_EQ(queue.in_flight_count, 1);
    EXPECT_EQ(on.take_sendable(), partitions{0});
    on.accumulator.put_back(first, at(6ms));
    EXPECT_EQ(queue.waiting.front().ordinal, first.ordinal);
}

TEST(ShardAccumulator, WithSequencesARetryGoesToItsPlaceWhateverTheOrderOfTheAnswers_ACC_26) {
    const int orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    // The second case: the sequences wrap to 0 between the first and the second batch.
    for (const std::int32_t before : {0, std::numeric_limits<std::int32_t>::max() - 1}) {
        for (const auto& order : orders) {
            accumulator_fixture on(limits_of(1));
            partition_queue& queue = on.queue();
            queue.ledger.introduce(identity);
            sequenced earlier;
            earlier.record_count = before;
            if (before != 0) {
                queue.ledger.on_send(earlier, identity);
                queue.ledger.on_stored(earlier);
            }
            std::vector<held_record> records;
            for (const char each : {'a', 'b', 'c', 'd'}) records.push_back(on.append(queue, alone(each)));
            batch* in_flight[3];
            for (batch*& each : in_flight) {
                each = &on.accumulator.take_head(queue, {});
                queue.ledger.on_send(*each, identity);
            }

            for (const int index : order) {
                queue.ledger.on_not_stored(*in_flight[index]);
                on.accumulator.put_back(*in_flight[index], {});
            }

            const std::vector<batch*> waiting = waiting_in(queue);
            ASSERT_EQ(waiting.size(), 4u);
            for (int i = 0; i < 3; ++i) EXPECT_EQ(waiting[static_cast<std::size_t>(i)], in_flight[i]) << i;
            EXPECT_FALSE(waiting[3]->has_sequence()) << "fresh ones stay behind";
        }
    }
}

TEST(ShardAccumulator, TheOpenBatchStaysTheLastWhateverComesBack) {
    accumulator_fixture on(limits_of(1024));
    partition_queue& queue = on.queue();
    const held_record sent = on.append(queue, "a");
    batch& taken = on.accumulator.take_head(queue, {});
    const held_record open = on.append(queue, "b");

    on.accumulator.put_back(taken, {});

    EXPECT_EQ(queue.open_batch(), &queue.waiting.back());
    EXPECT_EQ(queue.open_batch()->records.record_count(), 1u);
    EXPECT_TRUE(queue.is_sendable()) << "its head does not linger";
    const held_record more = on.append(queue, "c");
    EXPECT_EQ(more.place().block, open.place().block);
}

// ---- the end of a batch

TEST(ShardAccumulator, FinishingAQueuedBatchGivesItsMemoryBackAtOnce) {
    accumulator_fixture on;
    const held_record record = on.append(on.queue(), "a");
    ASSERT_FALSE(on.is_all_memory_free());

    batch_result result;
    result.error = errc::closed;
    on.accumulator.finish(on.queue().waiting.front(), std::move(result));

    EXPECT_TRUE(on.is_all_memory_free());
    EXPECT_TRUE(on.queue().waiting.empty());
    EXPECT_TRUE(on.accumulator.is_empty());
    EXPECT_EQ(on.accumulator.batch_count(), 0u);
    ASSERT_TRUE(record.is_done());
    EXPECT_EQ(record.result().error, errc::closed);
    EXPECT_EQ(on.accumulator.next_deadline(), never);
}

TEST(ShardAccumulator, TheMemoryOfABatchInFlightStaysUntilItIsReleased_ACC_24) {
    accumulator_fixture on;
    const held_record record = on.append(on.queue(), "a");
    batch& in_flight = on.accumulator.take_head(on.queue(), {});

    on.accumulator.finish(in_flight, batch_result{});

    EXPECT_TRUE(record.is_done());
    EXPECT_TRUE(on.accumulator.is_empty()) << "nothing is without a result";
    EXPECT_FALSE(on.is_all_memory_free()) << "the kernel may still read it (KAFKA-19012)";
    EXPECT_EQ(on.queue().in_flight_count, 1);
    on.accumulator.release(in_flight);
    EXPECT_TRUE(on.is_all_memory_free());
    EXPECT_EQ(on.queue().in_flight_count, 0);
}

TEST(ShardAccumulator, ResultsAreTakenInTheOrderInWhichTheyWereSet) {
    accumulator_fixture on;
    const held_record a = on.append(on.queue(0), "a");
    const held_record b = on.append(on.queue(1), "b");
    on.complete(on.accumulator.take_head(on.queue(1), {}));
    on.complete(on.accumulator.take_head(on.queue(0), {}));
    ASSERT_TRUE(on.accumulator.has_finished());

    std::vector<std::int32_t> taken;
    on.accumulator.take_finished([&](result_block& block) {
        taken.push_back(block.partition());
        block.drop_reference();
    });

    EXPECT_EQ(taken, (partitions{1, 0}));
    EXPECT_FALSE(on.accumulator.has_finished());
}

TEST(ShardAccumulator, TheOldestBatchExpiresWhenItsTimeHasCome_ACC_23) {
    accumulator_fixture on(limits_of(1024, 500ms));  // lingering batches expire too
    const held_record first = on.append(on.queue(0), "a", at(0ms));
    const held_record second = on.append(on.queue(1), "b", at(30ms));
    batch& in_flight = on.accumulator.take_head(on.queue(0), at(40ms));

    EXPECT_EQ(on.accumulator.find_expired(at(100ms) - 1ns), nullptr);
    EXPECT_EQ(on.accumulator.next_deadline(), at(100ms));
    EXPECT_EQ(on.accumulator.find_expired(at(100ms)), &in_flight)
        << "counted from creation, in flight or not (ACC-24)";
    on.accumulator.finish(in_flight, batch_result{});
    EXPECT_EQ(on.accumulator.find_expired(at(129ms)), nullptr) << "it has its result";
    EXPECT_EQ(on.accumulator.find_expired(at(130ms)), &on.queue(1).waiting.front());
    on.accumulator.release(in_flight);
}

TEST(ShardAccumulator, ARetryKeepsTheTimeOfItsCreation_ACC_28) {
    accumulator_fixture on(limits_of(1));
    const held_record first = on.append(on.queue(), alone('a'), at(0ms));
    const held_record second = on.append(on.queue(), alone('b'), at(50ms));
    batch& retried = on.accumulator.take_head(on.queue(), at(60ms));

    on.accumulator.put_back(retried, at(90ms));

    EXPECT_EQ(on.accumulator.find_expired(at(100ms)), &retried);
}

TEST(ShardAccumulator, AFlushWaitsForWhatIsThereNotForWhatComes_CLS_1) {
    accumulator_fixture on;
    EXPECT_TRUE(on.accumulator.is_resolved_up_to(on.accumulator.last_ordinal())) << "nothing is there";
    const held_record before = on.append(on.queue(0), "a");
    const held_record before_too = on.append(on.queue(1), "b");
    const std::uint64_t flushed = on.accumulator.last_ordinal();
    on.accumulator.set_forced(true);
    batch& first = on.accumulator.take_head(on.queue(0), {});
    batch& second = on.accumulator.take_head(on.queue(1), {});
    const held_record later = on.append(on.queue(0), "later");

    EXPECT_FALSE(on.accumulator.is_resolved_up_to(flushed));
    on.complete(second);
    EXPECT_FALSE(on.accumulator.is_resolved_up_to(flushed));
    on.complete(first);
    EXPECT_TRUE(on.accumulator.is_resolved_up_to(flushed));
    EXPECT_FALSE(on.accumulator.is_resolved_up_to(on.accumulator.last_ordinal()));
}

// ---- waiting for memory (BUF-8 is of memory/buffer_pool; here: what it means with batches)

struct waiting_record final : memory_waiter {
    waiting_record(accumulator_fixture& on_, partition_queue& to_, std::string value_)
        : on(on_), to(to_), value(std::move(value_)) {
        on.pool.wait(*this);
    }
    bool serve_memory(time_point) override {
        record = on.append(to, value);
        if (!record.was_appended()) return false;
        list_hook<memory_waiter>::unlink();
        return true;
    }
    accumulator_fixture& on;
    partition_queue& to;
    std::string value;
    held_record record;
};

TEST(ShardAccumulator, ARecordBehindOneThatGaveUpIsServedWithWhatIsFree_BUF_14) {
    accumulator_fixture on(limits_of(1024), 4 * 1024, 1024);
    const held_record first = on.append(on.queue(0), std::string(1500, 'x'));
    auto large = std::make_unique<waiting_record>(on, on.queue(1), std::string(3000, 'y'));
    waiting_record small(on, on.queue(2), "z");
    on.pool.serve({});
    ASSERT_FALSE(small.record.was_appended()) << "the large one was first";

    large.reset();  // cancelled, or its max.block.ms is over
    on.pool.serve({});

    EXPECT_TRUE(small.record.was_appended()) << "two chunks are free, and nobody is before it";
}

}  // namespace
}  // namespace sluice
