// Batches that are compressed before they are sent.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "base/random.hpp"
#include "record/codecs/codec.hpp"
#include "unit/accumulator/accumulator_fixture.hpp"

namespace sluice {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t batch_size = 4096;

accumulator_limits compressing(compression type = compression::lz4, int level = 9,
                               std::uint32_t size = batch_size) {
    accumulator_limits limits = limits_of(size);
    limits.compression = type;
    limits.compression_level = level;
    return limits;
}

// Slow: a turn compresses 16 KB.
accumulator_limits slowly_compressing(std::uint32_t size) {
    return compressing(compression::gzip, 9, size);
}

std::string random_text(std::size_t size, std::uint64_t seed) {
    random from(seed);
    std::string made;
    while (made.size() < size) made += static_cast<char>(from.below(256));
    return made;
}

// As texts_of(), of a batch that is compressed.
texts texts_of_compressed(const batch& closed) {
    std::vector<bytes> pieces;
    closed.records.append_pieces(pieces);
    std::vector<std::byte> body;
    for (const bytes piece : pieces) body.insert(body.end(), piece.begin(), piece.end());
    output_buffer raw;
    const error_code error = decompress(closed.records.type(), body, closed.records.raw_body_size(), raw);
    EXPECT_FALSE(error) << error.message();
    EXPECT_EQ(raw.size(), closed.records.raw_body_size());
    batch_header header;
    header.record_count = closed.record_count;
    header.base_timestamp = closed.records.base_timestamp();
    texts read;
    batch_reader reader(header, raw.content());
    while (const auto record = reader.next()) read.push_back(text_of(record->parts));
    EXPECT_FALSE(reader.error());
    return read;
}

// A whole producer's worth of turns, until nothing is left to compress; how many it took.
int compress_all(shard_accumulator& accumulator) {
    int turns = 0;
    do {
        accumulator.compress_in_turn();
        ++turns;
    } while (accumulator.has_to_compress() && turns < 10'000);
    return turns;
}

// Appends the same record until its batch has no room for it, and is closed.
std::vector<held_record> fill_batch(accumulator_fixture& on, partition_queue& queue,
                                    const std::string& value) {
    std::vector<held_record> held;
    held.push_back(on.append(queue, value, at({})));
    for (;;) {
        const record_parts parts = parts_of(std::nullopt, value);
        const auto done = on.accumulator.append_to_open(queue, parts);
        if (done.result == nullptr) return held;
        held.emplace_back(done);
        if (done.is_batch_full) return held;
    }
}

TEST(ShardAccumulatorCompression, AFullBatchIsCompressedBeforeItCanBeSent_RB_8) {
    accumulator_fixture on(compressing());
    partition_queue& queue = on.queue();
    const std::vector<held_record> records = fill_batch(on, queue, std::string(100, 'x'));

    EXPECT_FALSE(queue.is_sendable()) << "it is full, and not compressed";
    EXPECT_TRUE(on.accumulator.has_to_compress());
    on.take_sendable();
    on.accumulator.compress_in_turn();

    EXPECT_EQ(on.take_sendable(), partitions{0});
    ASSERT_TRUE(queue.is_sendable());
    ASSERT_TRUE(on.accumulator.can_take_head(queue));
    batch& sent = on.accumulator.take_head(queue, at(1ms));
    EXPECT_EQ(sent.records.type(), compression::lz4);
    EXPECT_LT(sent.records.body_size(), sent.records.raw_body_size() / 10);
    EXPECT_EQ(sent.record_count, static_cast<std::int32_t>(records.size()));
    EXPECT_EQ(texts_of_compressed(sent), texts(records.size(), "null=" + std::string(100, 'x') + " @1000"));
    on.complete(sent);
    EXPECT_TRUE(on.is_all_memory_free());
}

TEST(ShardAccumulatorCompression, GivesBackTheMemoryThatACompressedBatchDoesNotNeed) {
    accumulator_fixture on(compressing());
    const auto records = fill_batch(on, on.queue(), std::string(100, 'x'));
    const std::int64_t free_before = on.pool.free_chunks();

    on.accumulator.compress_in_turn();

    EXPECT_EQ(on.pool.free_chunks(), on.pool.capacity_chunks() - 1) << "one chunk is enough";
    EXPECT_GT(on.pool.free_chunks(), free_before);
}

TEST(ShardAccumulatorCompression, WhatDoesNotShrinkGoesPlain) {
    accumulator_fixture on(compressing(compression::zstd, 3));
    partition_queue& queue = on.queue();
    const std::string value = random_text(batch_size, 1);
    const held_record record = on.append(queue, value, at({}));

    on.accumulator.compress_in_turn();

    batch& sent = on.accumulator.take_head(queue, at(1ms));
    EXPECT_EQ(sent.records.type(), compression::none);
    EXPECT_EQ(texts_of(sent), texts{"null=" + value + " @1000"});
    EXPECT_FLOAT_EQ(on.topic.ratio.estimate(), 1.0f);
    on.complete(sent);
}

TEST(ShardAccumulatorCompression, ABatchThatLingeredIsClosedWhenItIsToBeSentAndNotBefore_ACC_30) {
    accumulator_fixture on(compressing());
    partition_queue& queue = on.queue();
    const held_record first = on.append(queue, "one", at({}));
    on.accumulator.end_lingering(at(5ms));
    on.accumulator.compress_in_turn();
    ASSERT_TRUE(queue.is_sendable());
    EXPECT_FALSE(queue.waiting.front().records.is_closed()) << "more may come while it cannot be sent";
    const held_record second = on.append(queue, "one more", at(6ms));

    ASSERT_TRUE(on.accumulator.can_take_head(queue)) << "small ones are compressed at once";

    batch& sent = on.accumulator.take_head(queue, at(7ms));
    EXPECT_EQ(sent.record_count, 2);
    on.complete(sent);
}

TEST(ShardAccumulatorCompression, BatchesFillTheirSizeCompressed_CMP_8) {
    accumulator_fixture on(compressing(compression::zstd, 3), 8 << 20);
    partition_queue& queue = on.queue();
    std::size_t largest = 0;
    std::size_t raw_of_largest = 0;
    std::uint64_t seed = 0;
    // Each record halves: text that a codec cannot guess, in letters of four bits.
    for (int batches = 0; batches < 400; ++batches) {
        bool is_full = false;
        while (!is_full) {
            random from(++seed);
            std::string value;
            while (value.size() < 200) value += static_cast<char>('a' + from.below(16));
            const record_parts parts = parts_of(std::nullopt, value);
            const auto done = on.accumulator.append(queue, parts, at({}));
            ASSERT_NE(done.result, nullptr);
            done.result->drop_reference();
            is_full = done.is_batch_full;
            // As the sender would, of a batch that the next record did not fit in.
            while (queue.waiting.size() > 1) {
                compress_all(on.accumulator);
                batch& sent = on.accumulator.take_head(queue, at(1ms));
                largest = std::max(largest, sent.records.estimated_size());
                raw_of_largest = std::max<std::size_t>(raw_of_largest, sent.records.raw_body_size());
                on.complete(sent);
                on.drop_finished();
                is_full = true;
            }
        }
    }
    EXPECT_GT(largest, batch_size * 80 / 100);
    EXPECT_LE(largest, batch_size * 110 / 100);
    EXPECT_GT(raw_of_largest, batch_size * 15 / 10) << "more than fits uncompressed";
    EXPECT_LT(on.topic.ratio.estimate(), 0.7f);
}

TEST(ShardAccumulatorCompression, ARecordGrowsItsBatchByWhatItIsExpectedToBecome_PRT_9) {
    accumulator_fixture on(compressing());
    for (int i = 0; i < 100; ++i) on.topic.ratio.note(0.5f);
    partition_queue& queue = on.queue();
    const std::string value(1000, 'x');
    const record_parts parts = parts_of(std::nullopt, value);
    const auto first = on.accumulator.append(queue, parts, at({}));
    const auto second = on.accumulator.append(queue, parts, at({}));
    first.result->drop_reference();
    second.result->drop_reference();

    EXPECT_NEAR(second.grown_bytes, 1008 * 0.525, 2);
}

// ---- in steps

TEST(ShardAccumulatorCompression, ALargeBatchIsCompressedOverSeveralTurns) {
    accumulator_fixture on(slowly_compressing(batch_size), 4 << 20);
    partition_queue& queue = on.queue();
    std::string value;
    for (int i = 0; value.size() < 200'000; ++i) value += "line " + std::to_string(i) + "\n";
    const held_record record = on.append(queue, value, at({}));
    const held_record next = on.append(queue, "next", at({}));

    const int turns = compress_all(on.accumulator);

    EXPECT_GE(turns, 200'000 / 16384);
    ASSERT_EQ(queue.waiting.size(), 2u);
    batch& sent = on.accumulator.take_head(queue, at(1ms));
    EXPECT_EQ(sent.records.type(), compression::gzip);
    EXPECT_EQ(texts_of_compressed(sent), texts{"null=" + value + " @1000"});
    on.complete(sent);
}

TEST(ShardAccumulatorCompression, TheTurnsShareIsForEveryBatchTogether) {
    accumulator_fixture on(slowly_compressing(batch_size), 4 << 20);
    std::vector<held_record> records;
    for (std::int32_t i = 0; i < 10; ++i)
        records.push_back(on.append(on.queue(i), std::string(20'000, static_cast<char>('a' + i)), at({})));
    on.take_sendable();

    on.accumulator.compress_in_turn();
    EXPECT_EQ(on.take_sendable(), partitions{}) << "16 KB of the first are done";
    EXPECT_FALSE(on.accumulator.can_take_head(on.queue(5))) << "the turn is over";
    on.accumulator.compress_in_turn();
    EXPECT_EQ(on.take_sendable(), partitions{0}) << "the oldest first";
    EXPECT_EQ(compress_all(on.accumulator), 10) << "200 KB are 12 turns";
    EXPECT_EQ(on.take_sendable(), (partitions{1, 2, 3, 4, 5, 6, 7, 8, 9}));
}

TEST(ShardAccumulatorCompression, SaysThatItIsBehindWhereMuchWaits) {
    accumulator_fixture on(slowly_compressing(batch_size), 4 << 20);
    std::vector<held_record> records;
    const auto close_batch_of = [&](std::int32_t partition) {
        records.push_back(on.append(on.queue(partition), std::string(100'000, 'x'), at({})));
    };
    close_batch_of(0);
    close_batch_of(1);
    EXPECT_FALSE(on.accumulator.is_compression_behind()) << "256 KB are much";
    close_batch_of(2);
    EXPECT_TRUE(on.accumulator.is_compression_behind());

    for (int turn = 0; turn < 7; ++turn) {
        EXPECT_TRUE(on.accumulator.is_compression_behind()) << "16 KB are a turn, after " << turn;
        on.accumulator.compress_in_turn();
    }
    EXPECT_FALSE(on.accumulator.is_compression_behind()) << "the first is done";

    close_batch_of(3);
    EXPECT_TRUE(on.accumulator.is_compression_behind());
    on.accumulator.finish(on.queue(3).waiting.front(), batch_result{});
    EXPECT_FALSE(on.accumulator.is_compression_behind()) << "what has ended waits no more";

    accumulator_fixture plain(limits_of(batch_size), 4 << 20);
    records.push_back(plain.append(plain.queue(), std::string(1'000'000, 'x'), at({})));
    EXPECT_FALSE(plain.accumulator.is_compression_behind());
}

TEST(ShardAccumulatorCompression, ATurnEndsEarlierWhereTheCodecIsSlow) {
    time_point clock = at(0ms);
    accumulator_limits limits = compressing(compression::lz4, 9, batch_size);
    limits.read_clock = [&clock] { return clock += 150us; };
    accumulator_fixture on(limits, 4 << 20, 1024);
    const held_record record = on.append(on.queue(), std::string(20'000, 'x'), at(0ms));

    on.accumulator.compress_in_turn();
    EXPECT_TRUE(on.accumulator.has_to_compress()) << "a piece took 150 us, by this clock";

    EXPECT_EQ(compress_all(on.accumulator), 2) << "the beginning and 20 pieces, 7 in a turn";
}

TEST(ShardAccumulatorCompression, ToBeginWithABatchIsAStepOfItsOwn) {
    time_point clock = at(0ms);
    accumulator_limits limits = compressing(compression::zstd, 9, batch_size);
    limits.read_clock = [&clock] { return clock += 1ms; };
    accumulator_fixture on(limits, 4 << 20, 16384);
    const held_record record = on.append(on.queue(), std::string(10'000, 'x'), at(0ms));

    on.accumulator.compress_in_turn();
    EXPECT_TRUE(on.accumulator.has_to_compress()) << "to have its tables took a millisecond, by this clock";
    on.accumulator.compress_in_turn();
    EXPECT_FALSE(on.accumulator.has_to_compress());
}

// What a codec may take milliseconds for is one block of 64 KB, or a small piece: a turn never has two of them.
TEST(ShardAccumulatorCompression, ATurnCompletesAtMostOneBlockOfASlowCodec) {
    constexpr std::int64_t block = 64 * 1024;
    constexpr std::int64_t chunk = 16 * 1024;
    for (int level = 6; level <= 22; ++level)
        EXPECT_LE(batch_compression::turn_bytes(compression::zstd, level) + chunk, block) << "zstd " << level;
    for (int level = 1; level <= 17; ++level) {
        if (level == 9) continue;
        EXPECT_LE(batch_compression::turn_bytes(compression::lz4, level) + chunk, block) << "lz4 " << level;
    }
    for (int level = 7; level <= 9; ++level)
        EXPECT_EQ(batch_compression::piece_bytes(compression::gzip, level), 1024u) << "gzip " << level;
}

TEST(ShardAccumulatorCompression, ABatchMayEndWhileItIsBeingCompressed) {
    accumulator_fixture on(slowly_compressing(batch_size), 4 << 20);
    std::vector<held_record> records;
    for (std::int32_t i = 0; i < 3; ++i)
        records.push_back(on.append(on.queue(i), std::string(100'000, static_cast<char>('a' + i)), at({})));
    on.accumulator.compress_in_turn();
    batch* const half_done = on.accumulator.find_expired(at(100ms));
    ASSERT_EQ(half_done, &on.queue(0).waiting.front());
    ASSERT_TRUE(half_done->awaits_compression());

    on.accumulator.finish(*half_done, batch_result{});
    on.accumulator.finish(on.queue(2).waiting.front(), batch_result{});
    compress_all(on.accumulator);

    EXPECT_TRUE(records[0].is_done());
    batch& sent = on.accumulator.take_head(on.queue(1), at(101ms));
    EXPECT_EQ(texts_of_compressed(sent), texts{"null=" + std::string(100'000, 'b') + " @1000"});
    on.complete(sent);
    EXPECT_TRUE(on.is_all_memory_free());
}

TEST(ShardAccumulatorCompression, ABatchThatIsSentAgainIsNotCompressedAgain) {
    accumulator_fixture on(compressing());
    partition_queue& queue = on.queue();
    const auto records = fill_batch(on, queue, std::string(100, 'x'));
    on.accumulator.compress_in_turn();
    batch& sent = on.accumulator.take_head(queue, at(1ms));
    const std::uint32_t size = sent.records.body_size();

    on.accumulator.put_back(sent, at(2ms));

    EXPECT_FALSE(on.accumulator.has_to_compress());
    EXPECT_TRUE(queue.is_sendable());
    EXPECT_EQ(&on.accumulator.take_head(queue, at(3ms)), &sent);
    EXPECT_EQ(sent.records.body_size(), size);
    on.complete(sent);
}

// ---- cut

TEST(ShardAccumulatorCompression, ASplitReadsTheRecordsBackAndCompressesTheParts_SPL_3_CMP_10) {
    accumulator_fixture on(compressing(compression::zstd, 3, 16384), 4 << 20);
    partition_queue& queue = on.queue();
    queue.ledger.introduce(identity);
    for (int i = 0; i < 200; ++i) on.topic.ratio.note(0.3f);
    texts expected;
    std::vector<held_record> records;
    for (int i = 0; i < 100; ++i) {
        const std::string value = random_text(50, static_cast<std::uint64_t>(i)) + std::string(200, 'x');
        const record_parts parts = parts_of(std::nullopt, value);
        records.push_back(on.append(queue, parts, at({})));
        expected.push_back(text_of(parts));
    }
    on.accumulator.set_forced(true);
    ASSERT_TRUE(on.accumulator.can_take_head(queue));
    batch& whole = on.accumulator.take_head(queue, at(1ms));
    ASSERT_EQ(whole.records.type(), compression::zstd);
    ASSERT_EQ(whole.record_count, 100);
    queue.ledger.on_send(whole, identity);
    queue.ledger.on_not_stored(whole);

    const std::size_t count = on.accumulator.split(whole, 6000);

    EXPECT_FLOAT_EQ(on.topic.ratio.estimate(), 1.0f);
    EXPECT_FALSE(queue.is_sendable()) << "the parts are not compressed";
    EXPECT_EQ(queue.waiting.size(), count);
    EXPECT_GE(count, 4u);
    compress_all(on.accumulator);
    texts came;
    std::int32_t sequence = 0;
    for (batch* part : waiting_in(queue)) {
        EXPECT_EQ(part->records.type(), compression::zstd);
        EXPECT_LE(part->records.raw_body_size() + batch_header_size, 6000u);
        EXPECT_EQ(part->base_sequence, sequence) << "SPL-4";
        sequence += part->record_count;
        const texts of_part = texts_of_compressed(*part);
        came.insert(came.end(), of_part.begin(), of_part.end());
    }
    EXPECT_EQ(came, expected);
    EXPECT_TRUE(queue.is_sendable());
}

}  // namespace
}  // namespace sluice
