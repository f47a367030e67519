#include "testing/partition_log.hpp"

#include <gtest/gtest.h>

#include "testing/record_set.hpp"
#include "unit/testing/fake_client.hpp"

namespace sluice::testing {
namespace {

std::int64_t append(partition_log& log, const std::vector<std::byte>& batch,
                    partition_log::stamp stamped = {}) {
    const batch_header header = header_of(batch);
    if (stamped.max_timestamp == -1) stamped.max_timestamp = header.max_timestamp;
    return log.append(header, batch, stamped);
}

TEST(PartitionLog, GivesOffsetsInOrder) {
    partition_log log(true);

    EXPECT_EQ(append(log, made_batch::of(3).bytes()), 0);
    EXPECT_EQ(append(log, made_batch::of(2).bytes()), 3);
    EXPECT_EQ(log.end_offset(), 5);
    EXPECT_EQ(log.totals().record_count, 5);
    EXPECT_EQ(log.totals().batch_count, 2);
}

TEST(PartitionLog, KeepsTheProducersBytesButForOffsetAndEpoch) {
    partition_log log(true);
    const std::vector<std::byte> sent = made_batch::of(2).bytes();
    append(log, sent);

    append(log, sent, {.leader_epoch = 9});

    std::vector<std::byte> expected = sent;
    wire::store_big_endian<std::int64_t>(expected.data() + base_offset_at, 2);
    wire::store_big_endian<std::int32_t>(expected.data() + leader_epoch_at, 9);
    EXPECT_EQ(log.batches().at(1), expected);
}

TEST(PartitionLog, StampsWithItsOwnTimeAndSumsUpAgain_RB_13) {
    partition_log log(true);

    append(log, made_batch::of(2).bytes(), {.type = timestamp_type::log_append_time, .max_timestamp = 77});

    const std::vector<std::byte> stored = log.batches().at(0);
    const batch_header header = header_of(stored);
    EXPECT_TRUE(header.has(batch_attributes::log_append_time));
    EXPECT_EQ(header.max_timestamp, 77);
    EXPECT_EQ(header.base_timestamp, 1000) << "stays";
    EXPECT_TRUE(has_valid_crc(header, stored));
    EXPECT_EQ(log.records().at(1).timestamp, 77);
}

TEST(PartitionLog, CorrectsAWrongLargestTimestamp) {
    partition_log log(true);
    const auto wrong = with_field<std::int64_t>(made_batch::of(2).bytes(), max_timestamp_at, 5);

    append(log, with_field<std::int16_t>(wrong, attributes_at, 0x4f80), {.max_timestamp = 1000});

    const std::vector<std::byte> stored = log.batches().at(0);
    EXPECT_EQ(header_of(stored).max_timestamp, 1000);
    EXPECT_EQ(header_of(stored).attributes, 0) << "bits without a meaning go";
    EXPECT_TRUE(has_valid_crc(header_of(stored), stored));
}

TEST(PartitionLog, ReadsRecordsBack) {
    partition_log log(true);
    made_batch batch = made_batch::of(3, 7, 1, 2147483646);
    batch.records[0].headers = {{"h", "x"}, {"n", std::nullopt}, {"h", ""}};
    batch.records[1].key = std::nullopt;
    batch.records[1].timestamp = 990;
    batch.records[2].value = std::nullopt;
    append(log, made_batch::of(1).bytes());

    append(log, batch.bytes(), {.leader_epoch = 4});

    const std::vector<log_record> records = log.records();
    ASSERT_EQ(records.size(), 4u);
    EXPECT_EQ(records[0].producer_id, -1);
    EXPECT_EQ(records[0].sequence, -1);
    EXPECT_EQ(records[1].offset, 1);
    EXPECT_EQ(records[1].key, "k");
    EXPECT_EQ(records[1].value, "v");
    EXPECT_EQ(records[1].headers, (std::vector<log_header>{{"h", "x"}, {"n", std::nullopt}, {"h", ""}}));
    EXPECT_EQ(records[1].producer_id, 7);
    EXPECT_EQ(records[1].producer_epoch, 1);
    EXPECT_EQ(records[1].leader_epoch, 4);
    EXPECT_EQ(records[2].key, std::nullopt);
    EXPECT_EQ(records[2].timestamp, 990);
    EXPECT_EQ(records[2].sequence, 2147483647);
    EXPECT_EQ(records[3].value, std::nullopt);
    EXPECT_EQ(records[3].sequence, 0) << "wrapped";
}

TEST(PartitionLog, ReadsCompressedRecordsBack) {
    for (const compression type :
         {compression::gzip, compression::snappy, compression::lz4, compression::zstd}) {
        partition_log log(true);
        made_batch batch = made_batch::of(2, 7, 0, 5);
        batch.records[1].value = "another";

        append(log, compressed(batch, type));

        const std::vector<log_record> records = log.records();
        ASSERT_EQ(records.size(), 2u);
        EXPECT_EQ(records[1].compression, type);
        EXPECT_EQ(records[1].value, "another");
        EXPECT_EQ(records[1].timestamp, 1000);
        EXPECT_EQ(records[1].offset, 1);
        EXPECT_EQ(records[1].sequence, 6);
    }
}

TEST(PartitionLog, DeletesFromTheFront) {
    partition_log log(true);
    append(log, made_batch::of(3).bytes());
    append(log, made_batch::of(3).bytes());

    log.delete_before(4);
    EXPECT_EQ(log.start_offset(), 4);
    EXPECT_EQ(log.batches().size(), 1u);
    EXPECT_EQ(log.records().size(), 2u);
    EXPECT_EQ(log.records().front().offset, 4);

    log.delete_before(2);
    EXPECT_EQ(log.start_offset(), 4) << "never back";
    log.delete_before(6);
    EXPECT_TRUE(log.records().empty());
    EXPECT_EQ(append(log, made_batch::of(1).bytes()), 6);
}

TEST(PartitionLog, CountsWhatItDoesNotKeep) {
    partition_log kept(true);
    partition_log counted(false);
    for (partition_log* log : {&kept, &counted}) {
        append(*log, made_batch::of(3).bytes());
        append(*log, made_batch::of(2, 7, 0, 0).bytes());
    }

    EXPECT_TRUE(counted.batches().empty());
    EXPECT_TRUE(counted.records().empty());
    EXPECT_EQ(counted.end_offset(), 5);
    EXPECT_EQ(counted.totals(), kept.totals());
    EXPECT_NE(counted.totals().checksum, 0u);
}

}  // namespace
}  // namespace sluice::testing
