// Batches that were too large for the broker, cut into parts.
#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "unit/accumulator/accumulator_fixture.hpp"

namespace sluice {
namespace {

using namespace std::chrono_literals;

struct split_case {
    accumulator_fixture on;
    partition_queue& queue;
    std::vector<held_record> records;
    batch* whole = nullptr;
    texts expected;

    explicit split_case(std::uint32_t chunk_size = 1024)
        : on(limits_of(1 << 20), 4 << 20, chunk_size), queue(on.queue()) {
        queue.ledger.introduce(identity);
    }
    void append(const record_parts& parts) {
        records.push_back(on.append(queue, parts, at(0ms)));
        expected.push_back(text_of(parts));
    }
    void append(bytes_view value) { append(parts_of(std::nullopt, value)); }
    void send(bool is_idempotent = true) {
        whole = &on.accumulator.take_head(queue, at(1ms));
        if (is_idempotent) queue.ledger.on_send(*whole, identity);
    }
    std::size_t split(std::uint32_t target) {
        if (whole->is_tracked()) queue.ledger.on_not_stored(*whole);
        return on.accumulator.split(*whole, target);
    }
};

TEST(ShardAccumulatorSplit, PartsReplaceTheWholeWithItsRecordsInOrder_SPL_3) {
    split_case at_hand;
    for (const char* value : {"one", "two", "three", "four", "five"}) at_hand.append(value);
    at_hand.send();

    // Three of these records make 61 + 10 + 10 + 12 bytes.
    const std::size_t count = at_hand.split(95);

    EXPECT_EQ(count, 2u);
    const std::vector<batch*> parts = waiting_in(at_hand.queue);
    ASSERT_EQ(parts.size(), 2u);
    EXPECT_EQ(texts_of(*parts[0]), (texts{"null=one @1000", "null=two @1000", "null=three @1000"}));
    EXPECT_EQ(texts_of(*parts[1]), (texts{"null=four @1000", "null=five @1000"}));
    for (const batch* part : parts) {
        EXPECT_TRUE(part->is_part);
        EXPECT_TRUE(part->records.is_closed());
        EXPECT_FALSE(part->is_in_flight);
        EXPECT_EQ(part->created, at(0ms)) << "ACC-28";
        EXPECT_EQ(part->attempts, 0u) << "SPL-1";
    }
    EXPECT_EQ(parts[0]->record_count, 3);
    EXPECT_EQ(parts[0]->base_sequence, 0);
    EXPECT_EQ(parts[1]->base_sequence, 3) << "consecutive, from the old base (SPL-4)";
    EXPECT_EQ(parts[1]->identity, identity);
    EXPECT_EQ(at_hand.queue.in_flight_count, 0);
    EXPECT_EQ(at_hand.on.take_sendable(), partitions{0});
    EXPECT_EQ(at_hand.records[4].place().block, &parts[1]->result);
    EXPECT_EQ(at_hand.records[4].place().first_index, 1u);
    EXPECT_FALSE(at_hand.records[4].is_done());
}

TEST(ShardAccumulatorSplit, PartsGoBeforeWhatIsQueuedAndBehindEarlierRetries_SPL_5) {
    split_case at_hand;
    at_hand.append("earlier");
    at_hand.send();
    batch& earlier = *at_hand.whole;
    for (const char* value : {"left", "right"}) at_hand.append(value);
    at_hand.send();
    at_hand.append("fresh");
    at_hand.queue.ledger.on_not_stored(earlier);
    at_hand.on.accumulator.put_back(earlier, at(2ms));

    ASSERT_EQ(at_hand.split(75), 2u);

    const std::vector<batch*> waiting = waiting_in(at_hand.queue);
    ASSERT_EQ(waiting.size(), 4u);
    EXPECT_EQ(waiting[0], &earlier);
    EXPECT_EQ(waiting[1]->base_sequence, 1);
    EXPECT_EQ(waiting[2]->base_sequence, 2);
    EXPECT_FALSE(waiting[3]->has_sequence());
}

TEST(ShardAccumulatorSplit, WithoutSequencesPartsGoToTheHeadInOrder_SPL_5) {
    split_case at_hand;
    for (const char* value : {"left", "right"}) at_hand.append(value);
    at_hand.send(false);
    at_hand.append("fresh");

    ASSERT_EQ(at_hand.split(75), 2u);

    const std::vector<batch*> waiting = waiting_in(at_hand.queue);
    ASSERT_EQ(waiting.size(), 3u);
    EXPECT_EQ(texts_of(*waiting[0]), texts{"null=left @1000"});
    EXPECT_EQ(texts_of(*waiting[1]), texts{"null=right @1000"});
}

TEST(ShardAccumulatorSplit, AFlushWaitsForThePartsAndForNothingYounger_CLS_1) {
    split_case at_hand;
    for (const char* value : {"left", "right"}) at_hand.append(value);
    const std::uint64_t flushed = at_hand.on.accumulator.last_ordinal();
    at_hand.send();
    at_hand.append("fresh");
    ASSERT_EQ(at_hand.split(75), 2u);
    shard_accumulator& accumulator = at_hand.on.accumulator;

    for (int i = 0; i < 2; ++i) {
        EXPECT_FALSE(accumulator.is_resolved_up_to(flushed)) << i;
        batch& part = accumulator.take_head(at_hand.queue, at(3ms));
        at_hand.queue.ledger.on_send(part, identity);
        at_hand.queue.ledger.on_stored(part);
        at_hand.on.complete(part, 5 + i);
    }

    EXPECT_TRUE(accumulator.is_resolved_up_to(flushed));
    EXPECT_EQ(at_hand.records[1].metadata().offset, 6);
}

TEST(ShardAccumulatorSplit, PartsExpireWithTheAgeOfTheWhole_ACC_28) {
    split_case at_hand;
    for (const char* value : {"left", "right"}) at_hand.append(value);
    at_hand.send();
    ASSERT_EQ(at_hand.split(75), 2u);

    EXPECT_EQ(at_hand.on.accumulator.find_expired(at(100ms)), &at_hand.queue.waiting.front());
}

TEST(ShardAccumulatorSplit, ARecordLargerThanTheTargetGetsAPartOfItsOwn_SPL_8) {
    split_case at_hand(256);
    at_hand.append("small");
    at_hand.append(std::string(3000, 'x'));
    at_hand.append("small too");
    at_hand.send();

    EXPECT_EQ(at_hand.split(100), 3u);

    for (const batch& part : at_hand.queue.waiting) EXPECT_EQ(part.record_count, 1);
}

// A part that holds all records of the whole would be refused again, and cut into itself again, for ever.
TEST(ShardAccumulatorSplit, ASplitNeverGivesTheWholeBack_SPL_2) {
    for (std::size_t first_size = 0; first_size < 200; first_size += 7) {
        for (std::size_t second_size = 0; second_size < 40; ++second_size) {
            split_case at_hand;
            at_hand.append(std::string(first_size, 'x'));
            at_hand.append(std::string(second_size, 'y'));
            at_hand.send();
            const auto size = static_cast<std::uint32_t>(at_hand.whole->records.estimated_size());

            ASSERT_EQ(at_hand.split(size - 1), 2u) << first_size << " and " << second_size << " bytes";
        }
    }
}

// How many records each part should have: as many as fit the target, one at least.
std::vector<std::int32_t> counts_of_parts(const std::vector<record_parts>& records, std::size_t target) {
    std::vector<std::int32_t> counts;
    std::size_t size = 0;
    std::int64_t base_timestamp = 0;
    for (const record_parts& each : records) {
        const auto size_at = [&](std::int64_t base, std::int32_t offset) {
            return record_size(record_body_size(record_content_size(each), each.timestamp - base, offset));
        };
        if (!counts.empty() && size + size_at(base_timestamp, counts.back()) <= target) {
            size += size_at(base_timestamp, counts.back());
            ++counts.back();
            continue;
        }
        base_timestamp = each.timestamp;
        counts.push_back(1);
        size = batch_header_size + size_at(base_timestamp, 0);
    }
    return counts;
}

// Whatever the records are and wherever the chunks end: the parts have the records of the whole, as many as fit each.
TEST(ShardAccumulatorSplit, PartsHoldAsManyRecordsAsFitTheTarget_SPL_2) {
    const std::string long_text(700, 'h');
    const std::vector<header> some_headers{{"trace", "abc"}, {"none", std::nullopt}, {"", ""}};
    const std::vector<header> large_header{{"large", long_text}};
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        random randomness(seed);
        split_case at_hand(64u << randomness.below(5));
        std::deque<std::string> strings;
        std::vector<record_parts> appended;
        const auto draw_view = [&]() -> bytes_view {
            const std::uint64_t dice = randomness.below(8);
            if (dice == 0) return std::nullopt;
            return strings.emplace_back(randomness.below(dice == 7 ? 900 : 60),
                                        static_cast<char>('a' + dice));
        };
        for (std::uint64_t left = 2 + randomness.below(80); left > 0; --left) {
            record_parts parts = parts_of(draw_view(), draw_view());
            parts.timestamp = 1'700'000'000'000 + static_cast<std::int64_t>(randomness.below(400));
            const std::uint64_t dice = randomness.below(8);
            if (dice == 0) parts.headers = large_header;
            if (dice == 1) parts.headers = some_headers;
            at_hand.append(parts);
            appended.push_back(parts);
        }
        at_hand.send();
        const std::size_t size = at_hand.whole->records.estimated_size();
        ASSERT_EQ(texts_of(*at_hand.whole), at_hand.expected);
        const auto target = static_cast<std::uint32_t>(62 + randomness.below(size - 62));

        const std::size_t part_count = at_hand.split(target);

        texts all;
        std::vector<std::int32_t> counts;
        std::int32_t sequence = 0;
        for (const batch& part : at_hand.queue.waiting) {
            const texts of_part = texts_of(part);
            EXPECT_EQ(part.base_sequence, sequence);
            EXPECT_EQ(part.record_count, static_cast<std::int32_t>(of_part.size()));
            for (std::uint32_t i = 0; i < of_part.size(); ++i) {
                EXPECT_EQ(at_hand.records[all.size()].place().block, &part.result);
                EXPECT_EQ(at_hand.records[all.size()].place().first_index, i);
                all.push_back(of_part[i]);
            }
            sequence += part.record_count;
            counts.push_back(part.record_count);
        }
        EXPECT_EQ(all, at_hand.expected);
        EXPECT_EQ(counts, counts_of_parts(appended, target)) << "of at most " << target << " bytes";
        EXPECT_EQ(part_count, counts.size());
        while (batch* left = at_hand.on.accumulator.find_unresolved()) {
            at_hand.queue.ledger.on_failed(*left);
            at_hand.on.accumulator.finish(*left, batch_result{});
        }
        EXPECT_TRUE(at_hand.on.is_all_memory_free());
    }
}

TEST(ShardAccumulatorSplit, PartsAreChargedWithoutWaitingAndPaidBack_SPL_7) {
    accumulator_fixture on(limits_of(1024), 1024, 1024);
    std::vector<held_record> records;
    for (int i = 0; i < 4; ++i) records.push_back(on.append(on.queue(), std::string(200, 'x')));
    ASSERT_EQ(on.pool.free_chunks(), 0);
    batch& whole = on.accumulator.take_head(on.queue(), {});

    ASSERT_EQ(on.accumulator.split(whole, 300), 4u);

    EXPECT_EQ(on.pool.free_chunks(), 1 - 4)
        << "the memory of the whole came back, its parts are beyond the budget";
    const held_record more = on.append(on.queue(1), "b");
    EXPECT_FALSE(more.was_appended());
    while (!on.queue().waiting.empty()) on.complete(on.accumulator.take_head(on.queue(), {}));
    EXPECT_TRUE(on.is_all_memory_free());
}

TEST(ShardAccumulatorSplit, DroppedDeliveriesOfThePartsAreCounted) {
    split_case at_hand;
    for (const char* value : {"one", "two", "three"}) at_hand.append(value);
    for (const held_record& each : at_hand.records) each.place().block->note_dropped();
    at_hand.send();

    ASSERT_EQ(at_hand.split(85), 2u);

    const std::vector<batch*> parts = waiting_in(at_hand.queue);
    EXPECT_EQ(parts[0]->result.dropped_count(), static_cast<std::uint32_t>(parts[0]->record_count));
    EXPECT_EQ(parts[1]->result.dropped_count(), static_cast<std::uint32_t>(parts[1]->record_count));
}

}  // namespace
}  // namespace sluice
