#include "testing/record_set.hpp"

#include <gtest/gtest.h>

#include "unit/testing/fake_client.hpp"

namespace sluice::testing {
namespace {

using kind = first_batch::kind;

batch_verdict check(const std::vector<std::byte>& batch, batch_rules rules = {}) {
    if (rules.size_max == 0) rules.size_max = 1 << 20;
    if (rules.timestamp_max == 0) rules.timestamp_max = 1 << 30;
    return check_batch(header_of(batch), batch, rules);
}

TEST(RecordSet, FindsAWholeBatchAndWhatIsBehindIt) {
    const std::vector<std::byte> batch = made_batch::of(2).bytes();

    EXPECT_EQ(find_batch(batch).what, kind::whole);
    EXPECT_EQ(find_batch(joined(batch, batch)).data.size(), batch.size());
    EXPECT_EQ(find_batch({}).what, kind::none);
    EXPECT_EQ(find_batch(bytes(batch).first(16)).what, kind::none) << "the magic is not here yet";
    EXPECT_EQ(find_batch(bytes(batch).first(batch.size() - 1)).what, kind::none);
    EXPECT_EQ(find_batch(with_field<std::int32_t>(batch, size_at, 13)).what, kind::corrupt);
    EXPECT_EQ(find_batch(with_field<std::int8_t>(batch, magic_at, 3)).what, kind::corrupt);
    EXPECT_EQ(find_batch(with_field<std::int8_t>(batch, magic_at, -1)).what, kind::corrupt);
}

TEST(RecordSet, IsExactlyOneBatchOfFormat2_RB_10) {
    const std::vector<std::byte> batch = made_batch::of(2).bytes();

    EXPECT_EQ(check_shape(batch, 9), 0);
    EXPECT_EQ(check_shape(joined(batch, std::vector<std::byte>(5)), 9), 0) << "too short to be another batch";
    EXPECT_EQ(check_shape({}, 9), code(broker_errc::invalid_record));
    EXPECT_EQ(check_shape(joined(batch, batch), 9), code(broker_errc::invalid_record));
    EXPECT_EQ(check_shape(joined(batch, with_field<std::int32_t>(batch, size_at, 3)), 9),
              code(broker_errc::corrupt_message));
    EXPECT_EQ(check_shape(with_field<std::int8_t>(batch, magic_at, 1), 9), code(broker_errc::invalid_record));
    EXPECT_EQ(check_shape(with_field<std::int8_t>(batch, magic_at, 5), 9),
              code(broker_errc::corrupt_message));
    EXPECT_EQ(check_shape(with_field<std::int32_t>(batch, size_at, 30), 9),
              code(broker_errc::corrupt_message))
        << "too small for its header";
}

TEST(RecordSet, ZstdNeedsVersion7_CMP_5) {
    const auto zstd = with_field<std::int16_t>(made_batch::of(2).bytes(), attributes_at, 4);

    EXPECT_EQ(check_shape(zstd, 6), code(broker_errc::unsupported_compression_type));
    EXPECT_EQ(check_shape(zstd, 7), 0);
}

TEST(RecordSet, CompressedRecordsAreChecked_RB_8) {
    for (const compression type :
         {compression::gzip, compression::snappy, compression::lz4, compression::zstd}) {
        made_batch batch = made_batch::of(3);
        batch.records[1].timestamp = 5000;

        const std::vector<std::byte> good = compressed(batch, type);

        EXPECT_EQ(check(good).code, 0) << to_string(type);
        EXPECT_EQ(check(good).max_timestamp, 5000);
        const auto with_count = with_field<std::int32_t>(good, last_offset_delta_at, 3);
        EXPECT_EQ(check(with_field<std::int32_t>(with_count, record_count_at, 4)).code,
                  code(broker_errc::invalid_record));
        const auto other =
            static_cast<std::int16_t>(type == compression::zstd ? 1 : static_cast<int>(type) + 1);
        EXPECT_EQ(check(with_field<std::int16_t>(good, attributes_at, other)).code,
                  code(broker_errc::unknown_server_error));
    }
}

TEST(RecordSet, AGoodBatchPassesAndTellsItsLargestTimestamp) {
    made_batch batch = made_batch::of(3);
    batch.records[1].timestamp = 5000;

    const batch_verdict verdict = check(with_field<std::int64_t>(batch.bytes(), max_timestamp_at, 7));

    EXPECT_EQ(verdict.code, 0);
    EXPECT_EQ(verdict.max_timestamp, 5000) << "of the records, whatever the header says";
}

TEST(RecordSet, AWrongChecksumIsCorrupt_RB_3) {
    std::vector<std::byte> batch = made_batch::of(2).bytes();
    batch.back() ^= std::byte{1};

    EXPECT_EQ(check(batch).code, code(broker_errc::corrupt_message));
    EXPECT_FALSE(check(batch).is_unexpected);
}

TEST(RecordSet, SizeIsLookedAtBeforeTheChecksum) {
    std::vector<std::byte> batch = made_batch::of(2).bytes();
    batch.back() ^= std::byte{1};

    EXPECT_EQ(check(batch, {.size_max = static_cast<std::int32_t>(batch.size()) - 1}).code,
              code(broker_errc::message_too_large));
    EXPECT_EQ(check(batch, {.size_max = static_cast<std::int32_t>(batch.size())}).code,
              code(broker_errc::corrupt_message));
}

TEST(RecordSet, HeadersThatContradictThemselvesAreInvalid) {
    const std::vector<std::byte> good = made_batch::of(3).bytes();
    const auto invalid = code(broker_errc::invalid_record);

    EXPECT_EQ(check(with_field<std::int64_t>(good, base_offset_at, 5)).code, invalid);
    EXPECT_EQ(check(with_field<std::int32_t>(good, record_count_at, 2)).code, invalid);
    EXPECT_EQ(check(with_field<std::int32_t>(good, record_count_at, 0)).code, invalid);
    EXPECT_EQ(check(with_field<std::int32_t>(good, last_offset_delta_at, -1)).code, invalid);
    EXPECT_EQ(check(with_field<std::int16_t>(good, attributes_at, 32)).code, invalid) << "control batch";
    EXPECT_EQ(check(made_batch::of(1, 7, 0, -1).bytes()).code, invalid)
        << "a producer without a sequence, RB-11";
    EXPECT_EQ(check(with_field<std::int16_t>(good, attributes_at, 5)).code,
              code(broker_errc::unknown_server_error));
}

TEST(RecordSet, RecordsThatAreNotWhatTheHeaderSaysAreInvalid) {
    const std::vector<std::byte> good = made_batch::of(3).bytes();
    const auto with_count = [&](std::int32_t count) {
        return with_field(with_field(good, last_offset_delta_at, count - 1), record_count_at, count);
    };

    EXPECT_EQ(check(with_count(3)).code, 0);
    EXPECT_EQ(check(with_count(2)).code, code(broker_errc::invalid_record)) << "bytes are left";
    EXPECT_EQ(check(with_count(4)).code, code(broker_errc::invalid_record)) << "a record is missing";
    EXPECT_TRUE(check(with_count(4)).is_unexpected);
}

TEST(RecordSet, EveryByteOfARecordCounts) {
    made_batch batch = made_batch::of(1);
    batch.records[0].headers = {{"h", "x"}, {"n", std::nullopt}};
    const std::vector<std::byte> good = batch.bytes();
    // length attributes timestamp-delta offset-delta | 1 'k' | 1 'v' | 2 headers | 1 'h' 1 'x' | 1 'n' -1
    const auto with_byte = [&](std::size_t at, int value) {
        return check(with_field(good, batch_header::size_bytes + at, static_cast<std::int8_t>(value))).code;
    };
    const auto invalid = code(broker_errc::invalid_record);

    EXPECT_EQ(with_byte(1, 7), 0) << "attributes of records mean nothing";
    EXPECT_EQ(with_byte(3, 10), 0) << "brokers count for themselves";
    EXPECT_EQ(with_byte(15, 5), 0) << "any negative size is null";
    EXPECT_EQ(with_byte(0, 60), invalid) << "longer than the batch";
    EXPECT_EQ(with_byte(0, 2), invalid) << "shorter than its fields";
    EXPECT_EQ(with_byte(0, 1), invalid) << "a negative length";
    EXPECT_EQ(with_byte(4, 100), invalid) << "a key beyond the record";
    EXPECT_EQ(with_byte(8, 2), invalid) << "bytes after the last header";
    EXPECT_EQ(with_byte(8, 6), invalid) << "a header is missing";
    EXPECT_EQ(with_byte(8, 1), invalid) << "a negative count";
    EXPECT_EQ(with_byte(9, 1), invalid) << "a header without a name";
}

TEST(RecordSet, NamesTheRecordsThatAreTooFarAhead) {
    made_batch batch = made_batch::of(4);
    batch.records[1].timestamp = 3000;
    batch.records[3].timestamp = 3001;

    const batch_verdict verdict = check(batch.bytes(), {.timestamp_max = 2999});

    EXPECT_EQ(verdict.code, code(broker_errc::invalid_timestamp));
    ASSERT_EQ(verdict.faults.size(), 2u);
    EXPECT_EQ(verdict.faults[0].index, 1);
    EXPECT_EQ(verdict.faults[1].index, 3);
    EXPECT_TRUE(verdict.text.has_value());
}

TEST(RecordSet, NamesTheRecordsWithoutAKeyWhereOneIsNeeded) {
    made_batch batch = made_batch::of(3);
    batch.records[2].key = std::nullopt;

    const batch_verdict verdict = check(batch.bytes(), {.needs_keys = true, .partition_name = "t-0"});

    EXPECT_EQ(verdict.code, code(broker_errc::invalid_record));
    ASSERT_EQ(verdict.faults.size(), 1u);
    EXPECT_EQ(verdict.faults[0].index, 2);
    EXPECT_NE(verdict.faults[0].text.find("t-0"), std::string::npos);
    batch.records[2].key = "";
    EXPECT_EQ(check(batch.bytes(), {.needs_keys = true}).code, 0) << "an empty key is a key";
}

TEST(RecordSet, ClientsDoNotStampForTheBroker) {
    const auto stamped = with_field<std::int16_t>(made_batch::of(1).bytes(), attributes_at, 8);

    EXPECT_EQ(check(stamped, {.timestamps = timestamp_type::log_append_time}).code,
              code(broker_errc::invalid_timestamp));
    EXPECT_EQ(check(stamped, {.timestamps = timestamp_type::create_time}).code, 0) << "Kafka overlooks it";
}

}  // namespace
}  // namespace sluice::testing
