#include "testing/record_cursor.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace sluice::testing {
namespace {

std::vector<std::byte> octets(std::initializer_list<int> values) {
    std::vector<std::byte> made;
    for (const int value : values) made.push_back(static_cast<std::byte>(value));
    return made;
}

TEST(RecordCursor, ReadsVarintsAndFields) {
    const auto body = octets({0x01, 0x80, 0x02, 0x04, 'a', 'b', 0x00, 0x05});
    record_cursor in(body);

    EXPECT_EQ(in.read_varint(), -1);
    EXPECT_EQ(in.read_varlong(), 128);
    EXPECT_EQ(as_text(in.read_field().value()), "ab");
    EXPECT_EQ(in.read_field().value().size(), 0u);
    EXPECT_FALSE(in.read_field().has_value()) << "any negative size is null";
    EXPECT_FALSE(in.failed());
    EXPECT_EQ(in.remaining(), 0u);
}

TEST(RecordCursor, ErrorsStick) {
    for (const auto& body : {octets({}), octets({0x80}), octets({0x80, 0x80, 0x80, 0x80, 0x80, 0x01})}) {
        record_cursor in(body);
        EXPECT_EQ(in.read_varint(), 0);
        EXPECT_TRUE(in.failed());
        EXPECT_FALSE(in.read_field().has_value());
        EXPECT_EQ(in.remaining(), 0u);
    }
}

TEST(RecordCursor, RecordsAndFieldsEndWithTheBody) {
    const auto cut_off = octets({0x06, 'a', 'b'});
    record_cursor field(cut_off);
    field.read_field();
    EXPECT_TRUE(field.failed());

    const auto negative = octets({0x01});
    record_cursor record(negative);
    EXPECT_TRUE(record.read_record().empty());
    EXPECT_TRUE(record.failed()) << "a record has a size";
}

}  // namespace
}  // namespace sluice::testing
