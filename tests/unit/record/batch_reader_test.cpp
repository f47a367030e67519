#include "record/batch_reader.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/random.hpp"

namespace sluice {
namespace {

std::vector<std::byte> bytes_of(std::initializer_list<int> values) {
    std::vector<std::byte> made;
    for (const int each : values) made.push_back(static_cast<std::byte>(each));
    return made;
}

batch_header header_of(std::int32_t record_count) {
    batch_header header;
    header.record_count = record_count;
    header.base_timestamp = 1000;
    header.max_timestamp = 5000;
    return header;
}

// What is wrong with a body of so many records; no error if it is right.
error_code error_of(bytes body, std::int32_t record_count = 1) {
    batch_reader reader(header_of(record_count), body);
    while (reader.next()) {}
    return reader.error();
}

// length 8: attributes 0, timestamp delta 1, offset delta 0, key "k", value null, one header {"h": null} is too long; so
// none. All numbers are zigzag.
const std::vector<std::byte> smallest = bytes_of({14, 0, 2, 0, 2, 'k', 1, 0});

TEST(BatchReader, ReadsARecord_RB_5) {
    batch_reader reader(header_of(1), smallest);

    const auto record = reader.next();

    ASSERT_TRUE(record);
    EXPECT_EQ(record->offset_delta, 0);
    EXPECT_EQ(record->parts.timestamp, 1001);
    EXPECT_EQ(record->parts.key, bytes_view("k"));
    EXPECT_TRUE(record->parts.value.is_null());
    EXPECT_TRUE(record->parts.headers.empty());
    EXPECT_FALSE(reader.next());
    EXPECT_FALSE(reader.error());
}

TEST(BatchReader, TheBrokersTimeIsThatOfEveryRecord_RB_13) {
    batch_header header = header_of(1);
    header.attributes = static_cast<std::int16_t>(batch_attributes::log_append_time);
    batch_reader reader(header, smallest);

    EXPECT_EQ(reader.next()->parts.timestamp, 5000);
}

TEST(BatchReader, SaysNothingMoreAfterAnError) {
    std::vector<std::byte> body = bytes_of({0});  // a length of 0: not even attributes
    body.insert(body.end(), smallest.begin(), smallest.end());
    batch_reader reader(header_of(2), body);

    EXPECT_FALSE(reader.next());
    EXPECT_FALSE(reader.next());

    EXPECT_EQ(reader.error(), errc::protocol_error);
}

TEST(BatchReader, RefusesWhatIsNoRecord) {
    ASSERT_FALSE(error_of(smallest));
    const std::pair<const char*, std::vector<std::byte>> wrong[] = {
        {"nothing at all", {}},
        {"a negative length", bytes_of({13, 0, 2, 0, 2, 'k', 1, 0})},
        {"a length beyond the end", bytes_of({16, 0, 2, 0, 2, 'k', 1, 0})},
        {"a length that leaves bytes over", bytes_of({16, 0, 2, 0, 2, 'k', 1, 0, 0})},
        {"a length that never ends", bytes_of({255, 255, 255, 255, 255, 255, 255, 255})},
        {"a key of size -2", bytes_of({12, 0, 2, 0, 3, 1, 0})},
        {"a key beyond the record", bytes_of({14, 0, 2, 0, 12, 'k', 1, 0})},
        {"a value beyond the record", bytes_of({14, 0, 2, 0, 2, 'k', 4, 0})},
        {"a negative count of headers", bytes_of({14, 0, 2, 0, 2, 'k', 1, 1})},
        {"more headers than bytes", bytes_of({22, 0, 2, 0, 2, 'k', 1, 200, 1, 1, 1, 1})},
        {"a header whose key is null", bytes_of({18, 0, 2, 0, 2, 'k', 1, 2, 1, 1})},
        {"a record that another one follows",
         bytes_of({14, 0, 2, 0, 2, 'k', 1, 0, 14, 0, 2, 0, 2, 'k', 1, 0})},
    };
    for (const auto& [what, body] : wrong) EXPECT_EQ(error_of(body), errc::protocol_error) << what;
}

TEST(BatchReader, RefusesMoreRecordsThanThereAre) {
    EXPECT_EQ(error_of(smallest, 2), errc::protocol_error);
    EXPECT_EQ(error_of(smallest, 2'147'483'647), errc::protocol_error) << "without asking for memory";
    EXPECT_EQ(error_of(smallest, -1), errc::protocol_error);
    EXPECT_FALSE(error_of({}, 0));
}

// Whatever a byte turns into, the reader ends, inside its bytes: the address sanitizer would tell.
TEST(BatchReader, EndsWhateverTheBytesAre) {
    std::vector<std::byte> body = bytes_of({28, 0, 2, 0, 6, 'k', 'e', 'y', 2, 'v', 2, 2, 'h', 2, 'w'});
    ASSERT_FALSE(error_of(body));
    random randomness(5);
    int refused_count = 0;
    for (int i = 0; i < 20'000; ++i) {
        std::vector<std::byte> spoiled = body;
        for (std::uint64_t left = 1 + randomness.below(3); left > 0; --left) {
            spoiled[randomness.below(spoiled.size())] = static_cast<std::byte>(randomness.next());
        }
        // Of its own size, so that the address sanitizer knows where it ends.
        const std::vector<std::byte> exact(spoiled.begin(), spoiled.end());
        if (error_of(exact)) ++refused_count;
    }
    EXPECT_GT(refused_count, 1000);
}

}  // namespace
}  // namespace sluice
