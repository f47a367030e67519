#include "record/batch_builder.hpp"

#include <gtest/gtest.h>

#include <string>

#include "base/random.hpp"
#include "record/batch_reader.hpp"
#include "record/crc32c.hpp"

namespace sluice {
namespace {

chunk_chain lend(buffer_pool& pool, std::uint32_t count) {
    chunk_chain chain;
    EXPECT_TRUE(pool.try_lend(chain, count));
    return chain;
}

std::vector<std::byte> body_of(const batch_builder& builder) {
    std::vector<bytes> pieces;
    builder.append_pieces(pieces);
    std::vector<std::byte> body;
    for (bytes piece : pieces) body.insert(body.end(), piece.begin(), piece.end());
    return body;
}

batch_header header_of(const batch_builder& builder) {
    batch_header header;
    header.record_count = static_cast<std::int32_t>(builder.record_count());
    header.base_timestamp = builder.base_timestamp();
    header.max_timestamp = builder.max_timestamp();
    header.last_offset_delta = header.record_count - 1;
    header.body_size = static_cast<std::int32_t>(builder.body_size());
    return header;
}

record_parts parts_of(bytes_view key, bytes_view value, std::int64_t timestamp = 1000) {
    record_parts parts;
    parts.timestamp = timestamp;
    parts.key = key;
    parts.value = value;
    return parts;
}

bool append(batch_builder& builder, const record_parts& parts) {
    return builder.try_append(parts);
}
bool append_quickly(batch_builder& builder, const record_parts& parts) {
    return builder.try_append_quickly(parts, parts.timestamp, record_content_bound(parts));
}

TEST(BatchBuilder, WritesRecordsThatReadBackTheSame_RB_5) {
    buffer_pool pool(4096, 4096);
    batch_builder builder(pool, lend(pool, 1), 4096);
    const header headers[] = {{"source", "web"}, {"empty", ""}, {"null", std::nullopt}, {"source", "again"}};
    record_parts with_headers = parts_of("k", "v", 1000);
    with_headers.headers = headers;

    ASSERT_TRUE(append(builder, with_headers));
    ASSERT_TRUE(append(builder, parts_of(std::nullopt, "", 990)));
    ASSERT_TRUE(append(builder, parts_of("", std::nullopt, 1010)));
    builder.close();

    const auto body = body_of(builder);
    const batch_header header = header_of(builder);
    EXPECT_EQ(header.base_timestamp, 1000) << "of the first record, RB-6";
    EXPECT_EQ(header.max_timestamp, 1010);
    batch_reader reader(header, body);
    auto first = reader.next();
    ASSERT_TRUE(first);
    EXPECT_EQ(first->parts.key, bytes_view("k"));
    EXPECT_EQ(first->parts.headers.size(), 4u);
    EXPECT_EQ(first->parts.headers[1].value, bytes_view(""));
    EXPECT_TRUE(first->parts.headers[2].value.is_null());
    EXPECT_EQ(first->parts.headers[3].key, "source");
    auto second = reader.next();
    ASSERT_TRUE(second);
    EXPECT_TRUE(second->parts.key.is_null());
    EXPECT_FALSE(second->parts.value.is_null()) << "empty is not null";
    EXPECT_EQ(second->parts.timestamp, 990) << "deltas may be negative";
    auto third = reader.next();
    ASSERT_TRUE(third);
    EXPECT_FALSE(third->parts.key.is_null());
    EXPECT_TRUE(third->parts.value.is_null()) << "a tombstone";
    EXPECT_FALSE(reader.next());
    EXPECT_FALSE(reader.error());
}

TEST(BatchBuilder, WritesTheSameBytesWhateverTheSizeOfChunks) {
    random randomness(11);
    buffer_pool small(1 << 20, 64);
    buffer_pool large(1 << 20, 1 << 20);
    batch_builder over_chunks(small, lend(small, 1), 1 << 20);
    batch_builder in_one(large, lend(large, 1), 1 << 20);
    const header headers[] = {{"a header", "with a value"}, {"b", std::nullopt}};

    for (int i = 0; i < 300; ++i) {
        const std::string value(randomness.below(200), static_cast<char>('a' + i % 26));
        record_parts parts =
            parts_of("key " + std::to_string(i), value, 1000 + static_cast<int>(randomness.below(100)));
        if (i % 3 == 0) parts.headers = headers;
        const std::string key = "key " + std::to_string(i);
        parts.key = key;
        ASSERT_TRUE(append(over_chunks, parts));
        ASSERT_TRUE(append(in_one, parts));
    }
    over_chunks.close();
    in_one.close();

    EXPECT_GT(over_chunks.chunk_count(), 100u);
    EXPECT_EQ(body_of(over_chunks), body_of(in_one));
    EXPECT_EQ(over_chunks.body_crc(), in_one.body_crc());
    EXPECT_EQ(over_chunks.body_crc(), crc32c(body_of(in_one)));
}

TEST(BatchBuilder, TheFirstRecordAlwaysFitsLaterOnesUpToTheWriteLimit_ACC_7) {
    buffer_pool pool(10 * 1024, 1024);
    const std::string value(500, 'x');
    batch_builder builder(pool, lend(pool, 1), 1024);

    EXPECT_TRUE(append(builder, parts_of(std::nullopt, value)));
    EXPECT_FALSE(builder.is_full());
    EXPECT_FALSE(append(builder, parts_of(std::nullopt, value))) << "61 + 2 * 508 > 1024";
    EXPECT_TRUE(append(builder, parts_of(std::nullopt, "still fits")));

    const std::string huge(3000, 'y');
    batch_builder one_large(pool, lend(pool, 3), 200);
    EXPECT_TRUE(append(one_large, parts_of(std::nullopt, huge)));
    EXPECT_TRUE(one_large.is_full()) << "ACC-8";
}

TEST(BatchBuilder, TakesAsMuchAsIsExpectedToFitCompressed_ACC_7) {
    for (const float share : {0.1f, 0.5f, 0.97f, 1.05f, 2.0f}) {
        buffer_pool pool(1 << 20, 1024);
        batch_builder builder(pool, lend(pool, 1), 4096, share);
        const std::string value(93, 'x');  // a record of 100 bytes, or some more
        const record_parts parts = parts_of(std::nullopt, value);
        // Kafka's rule, for each record: room for what is there, as it is expected to become, and the record as it is.
        const auto should_fit = [&] {
            const auto index = static_cast<std::int32_t>(builder.record_count());
            const std::size_t size = record_size(record_body_size(record_content_size(parts), 0, index));
            const auto expected = static_cast<std::size_t>(static_cast<float>(builder.body_size()) * share);
            return index == 0 || 61 + expected + size <= 4096;
        };
        bool did_fit = true;
        while (did_fit && builder.record_count() < 1000) {
            const bool should = should_fit();
            did_fit = append(builder, parts);
            EXPECT_EQ(did_fit, should) << "record " << builder.record_count() << ", share " << share;
        }
        EXPECT_FALSE(did_fit);
        const auto expected = static_cast<std::size_t>(static_cast<float>(builder.body_size()) * share);
        EXPECT_EQ(builder.estimated_size(), 61 + expected);
        EXPECT_EQ(builder.is_full(), 61 + expected >= 4096) << "ACC-8";
    }
}

TEST(BatchBuilder, TheCompressedBodyTakesThePlaceOfTheRecords) {
    buffer_pool pool(16 * 256, 256);
    batch_builder builder(pool, lend(pool, 1), 4096, 0.5f);
    while (append(builder, parts_of(std::nullopt, std::string(100, 'x')))) {}
    const std::uint32_t raw_size = builder.body_size();
    std::vector<std::byte> shorter(300);
    for (std::size_t i = 0; i < shorter.size(); ++i) shorter[i] = static_cast<std::byte>(i);

    builder.end_appending();
    EXPECT_FALSE(append(builder, parts_of(std::nullopt, "")));
    EXPECT_FALSE(append_quickly(builder, parts_of(std::nullopt, "")));
    builder.take_compressed(compression::lz4, shorter);

    EXPECT_EQ(body_of(builder), shorter);
    EXPECT_EQ(builder.body_crc(), crc32c(shorter));
    EXPECT_EQ(builder.body_size(), 300u);
    EXPECT_EQ(builder.raw_body_size(), raw_size);
    EXPECT_EQ(builder.estimated_size(), 361u) << "exact now";
    EXPECT_EQ(builder.chunk_count(), 2u);
    EXPECT_EQ(pool.free_chunks(), 14);
    EXPECT_FALSE(append(builder, parts_of(std::nullopt, "")));
    EXPECT_FALSE(append_quickly(builder, parts_of(std::nullopt, "")));
}

// Whether quickly or not: the same records fit (ACC-7), and the same bytes are written.
TEST(BatchBuilder, AQuickAppendIsNoOther_RB_5) {
    const header headers[] = {{"source", "web"}, {"null", std::nullopt}};
    std::size_t quick_count = 0;
    for (const float share : {1.0f, 0.4f, 1.2f}) {
        for (const std::size_t size :
             std::vector<std::size_t>{0,    1,    30,   40,   44,   45,   46,   50,   57,   58,   59,
                                      60,   61,   62,   63,   64,   70,   100,  500,  8160, 8170, 8175,
                                      8180, 8184, 8185, 8186, 8187, 8188, 8190, 8192, 8200, 20000}) {
            buffer_pool pool(64 * 16384, 16384);
            batch_builder plain(pool, lend(pool, 1), 40000, share);
            batch_builder quick(pool, lend(pool, 1), 40000, share);
            for (int i = 0; i < 2000; ++i) {
                record_parts parts =
                    parts_of(std::nullopt, std::string_view(), 1000 + (i % 7 - 3) * (i % 90));
                const std::string value(size, static_cast<char>('a' + i % 26)),
                    key(static_cast<std::size_t>(i % 5), 'k');
                parts.value = value;
                if (i % 3 == 1) parts.key = key;
                if (i % 11 == 5) parts.headers = headers;
                const bool is_quick = append_quickly(quick, parts);
                quick_count += is_quick;
                const bool did_fit = is_quick || append(quick, parts);
                ASSERT_EQ(did_fit, append(plain, parts))
                    << size << " bytes, record " << i << ", share " << share;
                if (!did_fit) break;
            }
            ASSERT_EQ(body_of(quick), body_of(plain)) << size << " bytes, share " << share;
            EXPECT_EQ(quick.record_count(), plain.record_count());
            EXPECT_EQ(quick.max_timestamp(), plain.max_timestamp());
            EXPECT_EQ(quick.is_full(), plain.is_full());
        }
    }
    EXPECT_GT(quick_count, 20000u) << "nearly all are";
}

TEST(BatchBuilder, GrowthNeverWaits_NoChunkMeansNoRoom) {
    buffer_pool pool(2 * 256, 256);
    batch_builder builder(pool, lend(pool, 1), 4096);
    chunk_chain others = lend(pool, 1);
    const std::string value(150, 'x');
    ASSERT_TRUE(append(builder, parts_of(std::nullopt, value)));
    const auto size = builder.body_size();

    EXPECT_FALSE(append(builder, parts_of(std::nullopt, value)));
    EXPECT_EQ(builder.body_size(), size) << "nothing changed";
    EXPECT_EQ(builder.record_count(), 1u);

    pool.release(others);
    EXPECT_TRUE(append(builder, parts_of(std::nullopt, value)));
    builder.close();
    const auto body = body_of(builder);
    batch_reader reader(header_of(builder), body);
    int read = 0;
    for (; reader.next(); ++read) {}
    EXPECT_EQ(read, 2);
    EXPECT_FALSE(reader.error());
}

TEST(BatchBuilder, TakesNothingAfterClosingAndGivesItsChunksBackWhenItDies) {
    buffer_pool pool(1024, 256);
    {
        batch_builder builder(pool, lend(pool, 2), 1024);
        ASSERT_TRUE(append(builder, parts_of(std::nullopt, "one")));
        builder.close();
        EXPECT_FALSE(append(builder, parts_of(std::nullopt, "two")));
        EXPECT_EQ(pool.free_chunks(), 2);
    }
    EXPECT_EQ(pool.free_chunks(), 4);
}

TEST(BatchHeader, EncodesAndDecodesWithItsChecksum_RB_1_RB_3) {
    buffer_pool pool(1024, 1024);
    batch_builder builder(pool, lend(pool, 1), 1024);
    ASSERT_TRUE(append(builder, parts_of("key", "value", 1700000000000)));
    builder.close();
    batch_header header = header_of(builder);
    header.producer_id = 4711;
    header.producer_epoch = 3;
    header.base_sequence = 99;

    std::vector<std::byte> batch(batch_header::size_bytes);
    encode(header, builder.body_crc(), std::span<std::byte, batch_header::size_bytes>(batch));
    const auto body = body_of(builder);
    batch.insert(batch.end(), body.begin(), body.end());

    const auto decoded = decode_batch_header(batch);
    ASSERT_TRUE(decoded.has_value());
    EXPECT_TRUE(has_valid_crc(*decoded, batch));
    EXPECT_EQ(decoded->producer_id, 4711);
    EXPECT_EQ(decoded->producer_epoch, 3);
    EXPECT_EQ(decoded->base_sequence, 99);
    EXPECT_EQ(decoded->body_size, static_cast<std::int32_t>(body.size()));
    EXPECT_EQ(decoded->partition_leader_epoch, -1) << "RB-2";

    batch.back() ^= std::byte{1};
    EXPECT_FALSE(has_valid_crc(*decoded, batch));
}

TEST(BatchHeader, RefusesWhatIsCutOffOrOfAnotherFormat) {
    std::vector<std::byte> batch(batch_header::size_bytes);
    encode(batch_header{}, 0, std::span<std::byte, batch_header::size_bytes>(batch));
    for (std::size_t size = 0; size < batch.size(); ++size) {
        EXPECT_FALSE(decode_batch_header(bytes(batch).first(size)).has_value());
    }
    batch[16] = std::byte{1};
    EXPECT_FALSE(decode_batch_header(batch).has_value()) << "magic 1";
}

TEST(BatchReader, RefusesABodyThatIsCutOffAnywhere) {
    buffer_pool pool(1024, 1024);
    batch_builder builder(pool, lend(pool, 1), 1024);
    const header headers[] = {{"h", "1"}};
    record_parts parts = parts_of("key", "value");
    parts.headers = headers;
    ASSERT_TRUE(append(builder, parts));
    ASSERT_TRUE(append(builder, parts));
    builder.close();
    const auto body = body_of(builder);

    for (std::size_t size = 0; size < body.size(); ++size) {
        batch_reader reader(header_of(builder), bytes(body).first(size));
        while (reader.next()) {}
        EXPECT_TRUE(reader.error()) << size;
    }
    batch_header fewer = header_of(builder);
    fewer.record_count = 1;
    batch_reader reader(fewer, body);
    while (reader.next()) {}
    EXPECT_TRUE(reader.error()) << "bytes are left over";
}

}  // namespace
}  // namespace sluice
