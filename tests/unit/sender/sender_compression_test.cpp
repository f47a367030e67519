// What compression changes for the sender.
#include <gtest/gtest.h>

#include "unit/sender/sender_fixture.hpp"

namespace sluice {
namespace {

using namespace std::chrono_literals;

const std::string text(2000, 'x');

sender_config small_batches() {
    sender_config config = steady_config();
    config.batch_size = 1000;
    return config;
}

// The first batch of a request, as it would be written.
batch_header header_in(const wire::writer& out) {
    const std::vector<std::byte> frame = out.gathered();
    constexpr std::size_t magic_at = 16;
    for (std::size_t at = 0; at + batch_header::size_bytes <= frame.size(); ++at) {
        const auto header = decode_batch_header(bytes(frame).subspan(at));
        if (!header || std::to_integer<int>(frame[at + magic_at]) != 2) continue;
        const std::size_t size = batch_header::size_bytes + static_cast<std::size_t>(header->body_size);
        if (at + size > frame.size()) continue;
        if (has_valid_crc(*header, bytes(frame).subspan(at, size))) return *header;
    }
    ADD_FAILURE() << "no batch in the request";
    return {};
}

TEST(SenderCompression, TheHeaderNamesTheCodecAndSumsUpWhatIsSent_RB_4) {
    for (const compression type :
         {compression::gzip, compression::snappy, compression::lz4, compression::zstd}) {
        sender_fixture on(steady_config(), 1 << 20, type, 1);
        const held_record sent = on.send(0, text);
        produce_attempt attempt;
        const batch& taken = on.next_batch(attempt);

        wire::writer out;
        ASSERT_FALSE(on.tested.encode(attempt, 12, "test", out));

        const batch_header header = header_in(out);
        EXPECT_EQ(header.codec(), static_cast<int>(type));
        EXPECT_EQ(header.record_count, 1);
        EXPECT_LT(header.body_size, 200);
        EXPECT_EQ(taken.records.type(), type);
        on.lose(attempt);
    }
}

TEST(SenderCompression, ZstdIsRefusedForABrokerThatDoesNotKnowIt_CMP_5) {
    sender_fixture on(steady_config(), 1 << 20, compression::zstd, 3);
    const held_record sent = on.send(0, text);
    produce_attempt attempt;
    on.next_batch(attempt);
    wire::writer out;

    const error_code error = on.tested.encode(attempt, 6, "test", out);
    EXPECT_EQ(error, broker_errc::unsupported_compression_type);
    on.tested.on_refused(attempt, error, "too old", at(1ms));

    ASSERT_TRUE(sent.is_done()) << "without another attempt";
    EXPECT_EQ(sent.result().error, broker_errc::unsupported_compression_type);
    EXPECT_EQ(sent.result().outcome, outcome::not_persisted);
    EXPECT_EQ(sent.result().message.view(), "too old");
    EXPECT_EQ(on.tested.broker(1).in_flight_count, 0u);
    EXPECT_TRUE(on.is_all_memory_free());
}

TEST(SenderCompression, OtherCodecsDoNotNeedANewBroker) {
    sender_fixture on(steady_config(), 1 << 20, compression::lz4, 9);
    const held_record sent = on.send(0, text);
    produce_attempt attempt = on.next();
    wire::writer out;

    EXPECT_FALSE(on.tested.encode(attempt, 3, "test", out));

    on.lose(attempt);
}

TEST(SenderCompression, APartitionKeepsItsOrderWhileItsHeadIsBeingCompressed) {
    sender_fixture on(small_batches(), 4 << 20, compression::gzip, 9);
    const held_record large = on.send(0, std::string(100'000, 'a'));
    const held_record next = on.send(0, "next");
    const held_record other = on.send(1, "other");
    on.accumulator.compress_in_turn();
    produce_attempt first = on.next();
    EXPECT_TRUE(first.batches.empty()) << "the turn's share is spent on the large one";

    std::vector<batch*> sent;
    std::vector<produce_attempt> attempts;
    for (int turn = 0; turn < 100 && sent.size() < 3; ++turn) {
        on.accumulator.compress_in_turn();
        produce_attempt attempt = on.next();
        if (attempt.batches.empty()) continue;
        sent.insert(sent.end(), attempt.batches.begin(), attempt.batches.end());
        attempts.push_back(std::move(attempt));
    }

    ASSERT_EQ(sent.size(), 3u);
    std::vector<std::uint64_t> ordinals;
    for (const batch* each : sent) {
        if (each->queue.partition == 0) ordinals.push_back(each->ordinal);
    }
    EXPECT_EQ(ordinals, (std::vector<std::uint64_t>{1, 2}));
    for (produce_attempt& each : attempts) on.lose(each);
}

TEST(SenderCompression, ABatchThatIsTooLargeIsCutAndItsPartsAreSentInOrder_SPL_1) {
    sender_fixture on(small_batches(), 4 << 20, compression::zstd, 3);
    on.led(0);
    for (int i = 0; i < 200; ++i) on.topic.ratio.note(0.05f);
    std::vector<held_record> records;
    for (int i = 0; i < 40; ++i)
        records.push_back(on.send(0, std::string(200, static_cast<char>('a' + i % 26))));
    produce_attempt attempt;
    const batch& whole = on.next_batch(attempt);
    ASSERT_EQ(whole.record_count, 40);
    ASSERT_EQ(whole.records.type(), compression::zstd);
    ASSERT_FALSE(on.answer(attempt, {refused(0, broker_errc::message_too_large)}));

    std::int64_t offset = 100;
    for (int turn = 0; turn < 100 && !records.back().is_done(); ++turn) {
        on.accumulator.compress_in_turn();
        produce_attempt part = on.next();
        ASSERT_EQ(part.batches.size(), 1u);
        EXPECT_LT(part.batches[0]->record_count, 40);
        const std::int32_t count = part.batches[0]->record_count;
        ASSERT_FALSE(on.answer(part, {stored(0, offset)}));
        offset += count;
    }

    for (std::size_t i = 0; i < records.size(); ++i) {
        ASSERT_TRUE(records[i].is_done()) << i;
        EXPECT_EQ(records[i].metadata().offset, 100 + static_cast<std::int64_t>(i));
    }
    EXPECT_TRUE(on.is_all_memory_free());
}

}  // namespace
}  // namespace sluice
