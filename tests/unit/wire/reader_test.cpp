#include "wire/reader.hpp"

#include <gtest/gtest.h>

#include "unit/wire/hex.hpp"

namespace sluice::wire {
namespace {

// A reader, and the bytes it reads.
struct frame {
    explicit frame(std::string_view hex) : content(from_hex(hex)), in(content) {}
    std::vector<std::byte> content;
    reader in;
};

TEST(Reader, ReadsIntegersInNetworkOrder) {
    frame f("ff fffe fffffffd fffffffffffffffc fffb fffffffa 00 02 3ff8000000000000");

    EXPECT_EQ(f.in.read_int8(), -1);
    EXPECT_EQ(f.in.read_int16(), -2);
    EXPECT_EQ(f.in.read_int32(), -3);
    EXPECT_EQ(f.in.read_int64(), -4);
    EXPECT_EQ(f.in.read_uint16(), 0xfffb);
    EXPECT_EQ(f.in.read_uint32(), 0xfffffffau);
    EXPECT_FALSE(f.in.read_bool());
    EXPECT_TRUE(f.in.read_bool()) << "any non-zero is true";
    EXPECT_EQ(f.in.read_float64(), 1.5);
    EXPECT_FALSE(f.in.finished());
}

TEST(Reader, ReadsVarintsUpToTheLastByteOfTheFrame) {
    frame f("ac02 01 ffffffffffffffffff01 7f");

    EXPECT_EQ(f.in.read_unsigned_varint(), 300u);
    EXPECT_EQ(f.in.read_varint(), -1);
    EXPECT_EQ(f.in.read_varlong(), std::numeric_limits<std::int64_t>::min());
    EXPECT_EQ(f.in.read_unsigned_varint(), 127u);
    EXPECT_FALSE(f.in.finished());
}

TEST(Reader, RefusesVarintsThatRunOverTheEnd) {
    for (const char* hex : {"", "80", "80 80 80 80"}) {
        frame f(hex);
        EXPECT_EQ(f.in.read_unsigned_varint(), 0u) << hex;
        EXPECT_EQ(f.in.error(), errc::protocol_error) << hex;
        frame g(hex);
        EXPECT_EQ(g.in.read_varlong(), 0) << hex;
        EXPECT_EQ(g.in.error(), errc::protocol_error) << hex;
    }
}

TEST(Reader, RefusesOverLongVarints) {
    frame f("ff ff ff ff 10 00 00 00 00 00 00");
    f.in.read_unsigned_varint();
    EXPECT_EQ(f.in.error(), errc::protocol_error) << "33 bits";

    frame g("80 80 80 80 80 01 00 00 00 00 00");
    g.in.read_varint();
    EXPECT_EQ(g.in.error(), errc::protocol_error) << "six bytes";

    frame h("ff ff ff ff ff ff ff ff ff 7f");
    h.in.read_varlong();
    EXPECT_EQ(h.in.error(), errc::protocol_error) << "70 bits";
}

TEST(Reader, TellsNullFromEmptyInBothEncodings) {
    frame plain("ffff 0000 0002 6162 ffffffff 00000000 00000001 ff");
    EXPECT_EQ(plain.in.read_nullable_string(encoding::plain), std::nullopt);
    EXPECT_EQ(plain.in.read_nullable_string(encoding::plain), "");
    EXPECT_EQ(plain.in.read_string(encoding::plain), "ab");
    EXPECT_FALSE(plain.in.read_nullable_bytes(encoding::plain).has_value());
    EXPECT_TRUE(plain.in.read_nullable_bytes(encoding::plain)->empty());
    EXPECT_EQ(to_hex(plain.in.read_bytes(encoding::plain)), "ff");
    EXPECT_FALSE(plain.in.finished());

    frame compact("00 01 03 6162 00 01 02 ff");
    EXPECT_EQ(compact.in.read_nullable_string(encoding::compact), std::nullopt);
    EXPECT_EQ(compact.in.read_nullable_string(encoding::compact), "");
    EXPECT_EQ(compact.in.read_string(encoding::compact), "ab");
    EXPECT_FALSE(compact.in.read_nullable_bytes(encoding::compact).has_value());
    EXPECT_TRUE(compact.in.read_nullable_bytes(encoding::compact)->empty());
    EXPECT_EQ(to_hex(compact.in.read_bytes(encoding::compact)), "ff");
    EXPECT_FALSE(compact.in.finished());
}

TEST(Reader, RefusesNullWhereItIsNotAllowed) {
    frame plain_string("ffff");
    frame compact_string("00");
    frame plain_bytes("ffffffff");
    frame compact_bytes("00");

    plain_string.in.read_string(encoding::plain);
    compact_string.in.read_string(encoding::compact);
    plain_bytes.in.read_bytes(encoding::plain);
    compact_bytes.in.read_bytes(encoding::compact);

    EXPECT_EQ(plain_string.in.error(), errc::protocol_error);
    EXPECT_EQ(compact_string.in.error(), errc::protocol_error);
    EXPECT_EQ(plain_bytes.in.error(), errc::protocol_error);
    EXPECT_EQ(compact_bytes.in.error(), errc::protocol_error);
}

TEST(Reader, RefusesLengthsBelowNullAndBeyondTheEnd) {
    for (const char* hex : {"fffe", "8000", "0001", "7fff 00"}) {
        frame f(hex);
        EXPECT_EQ(f.in.read_nullable_string(encoding::plain).value_or(""), "") << hex;
        EXPECT_TRUE(f.in.failed()) << hex;
    }
    for (const char* hex : {"fffffffe", "80000000", "00000001", "7fffffff 00"}) {
        frame f(hex);
        EXPECT_TRUE(f.in.read_nullable_bytes(encoding::plain).value_or(bytes()).empty()) << hex;
        EXPECT_TRUE(f.in.failed()) << hex;
    }
    for (const char* hex : {"02", "ffffffff0f 00 00 00"}) {
        frame f(hex);
        EXPECT_TRUE(f.in.read_nullable_bytes(encoding::compact).value_or(bytes()).empty()) << hex;
        EXPECT_TRUE(f.in.failed()) << hex;
    }
}

TEST(Reader, RefusesCompactStringsLongerThanJavaAllows) {
    std::vector<std::byte> longest = from_hex("80 80 02");  // 32767 + 1
    longest.resize(3 + string_size_max, std::byte{'x'});
    std::vector<std::byte> too_long = from_hex("81 80 02");
    too_long.resize(3 + string_size_max + 1, std::byte{'x'});

    reader good(longest);
    EXPECT_EQ(good.read_string(encoding::compact).size(), string_size_max);
    EXPECT_FALSE(good.finished());

    reader bad(too_long);
    bad.read_string(encoding::compact);
    EXPECT_EQ(bad.error(), errc::protocol_error);
}

TEST(Reader, RefusesCountsThatTheRestOfTheFrameCannotHold) {
    frame fits("00000003 000000000000000000000000");
    EXPECT_EQ(fits.in.read_array_count(encoding::plain, 4), 3u);

    frame one_too_many("00000004 000000000000000000000000");
    EXPECT_EQ(one_too_many.in.read_array_count(encoding::plain, 4), 0u);
    EXPECT_EQ(one_too_many.in.error(), errc::protocol_error);

    frame bomb("ffffffff0f 0000");
    EXPECT_EQ(bomb.in.read_array_count(encoding::compact, 1), 0u) << "4294967294 elements in two bytes";
    EXPECT_EQ(bomb.in.error(), errc::protocol_error);

    frame negative("fffffffe");
    EXPECT_EQ(negative.in.read_array_count(encoding::plain, 1), 0u);
    EXPECT_EQ(negative.in.error(), errc::protocol_error);

    frame null("ffffffff");
    EXPECT_EQ(null.in.read_array_count(encoding::plain, 4), std::nullopt);
    EXPECT_FALSE(null.in.finished());
}

TEST(Reader, ReadsTaggedFieldsOneByOneOrSkipsThemAll) {
    frame f("02 00 01 aa 05 02 bbcc 7f");
    EXPECT_EQ(f.in.read_tagged_field_count(), 2u);
    const tagged_field first = f.in.read_tagged_field(std::nullopt);
    EXPECT_EQ(first.tag, 0u);
    EXPECT_EQ(to_hex(first.content), "aa");
    const tagged_field second = f.in.read_tagged_field(first.tag);
    EXPECT_EQ(second.tag, 5u);
    EXPECT_EQ(to_hex(second.content), "bbcc");

    frame g("02 00 01 aa 05 02 bbcc 7f");
    g.in.skip_tagged_section();
    EXPECT_EQ(g.in.read_int8(), 0x7f);
    EXPECT_FALSE(g.in.finished());
}

TEST(Reader, RefusesBadTaggedSections) {
    for (const char* hex :
         {"02 05 00 05 00", "02 05 00 04 00", "01 00 02 aa", "02 00 00", "ffffffff0f 00 00", ""}) {
        frame f(hex);
        f.in.skip_tagged_section();
        EXPECT_EQ(f.in.error(), errc::protocol_error) << hex;
    }
}

TEST(Reader, StaysBadAndGivesZerosAfterTheFirstError) {
    frame f("7fff 01020304050607080910111213141516171819");
    f.in.read_string(encoding::plain);
    ASSERT_TRUE(f.in.failed());

    EXPECT_EQ(f.in.read_int8(), 0);
    EXPECT_EQ(f.in.read_int64(), 0);
    EXPECT_EQ(f.in.read_float64(), 0);
    EXPECT_TRUE(f.in.read_uuid().is_zero());
    EXPECT_EQ(f.in.read_unsigned_varint(), 0u);
    EXPECT_EQ(f.in.read_string(encoding::plain), "");
    EXPECT_TRUE(f.in.read_bytes(encoding::compact).empty());
    EXPECT_EQ(f.in.read_array_count(encoding::plain, 1), 0u);
    EXPECT_EQ(f.in.remaining(), 0u);
    EXPECT_EQ(f.in.error(), errc::protocol_error);
    EXPECT_EQ(f.in.finished(), errc::protocol_error);
}

TEST(Reader, WhatIsLeftOverIsAnErrorOnlyAtTheEnd) {
    frame f("01 02");
    f.in.read_int8();

    EXPECT_FALSE(f.in.error());
    EXPECT_EQ(f.in.finished(), errc::protocol_error);
}

TEST(Reader, ReadsNothingFromNothing) {
    reader in{bytes()};

    EXPECT_FALSE(in.finished());
    EXPECT_TRUE(in.read_raw(0).empty());
    EXPECT_FALSE(in.failed());
    in.read_int8();
    EXPECT_TRUE(in.failed());
}

}  // namespace
}  // namespace sluice::wire
