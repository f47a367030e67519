#include "wire/writer.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "unit/wire/hex.hpp"

namespace sluice::wire {
namespace {

std::string hex_of(const writer& out) {
    return to_hex(out.gathered());
}

TEST(Writer, WritesPrimitivesInNetworkOrder) {
    writer out;
    uuid id;
    id.octets[15] = std::byte{9};

    out.write_int8(-1);
    out.write_int16(-2);
    out.write_int32(-3);
    out.write_int64(-4);
    out.write_uint16(0xfffb);
    out.write_uint32(0xfffffffau);
    out.write_bool(true);
    out.write_float64(1.5);
    out.write_uuid(id);

    EXPECT_EQ(hex_of(out),
              "fffffefffffffdfffffffffffffffcfffbfffffffa013ff800000000000000000000000000000000000000000009");
}

TEST(Writer, WritesVarints) {
    writer out;
    out.write_unsigned_varint(300);
    out.write_varint(-1);
    out.write_varlong(std::numeric_limits<std::int64_t>::min());

    EXPECT_EQ(hex_of(out), "ac0201ffffffffffffffffff01");
}

TEST(Writer, WritesLengthsPlainAndCompact) {
    const auto content = from_hex("ff");
    writer plain;
    plain.write_string("ab", encoding::plain);
    plain.write_nullable_string(std::nullopt, encoding::plain);
    plain.write_bytes(content, encoding::plain);
    plain.write_nullable_bytes(std::nullopt, encoding::plain);
    plain.write_length(2, encoding::plain);
    EXPECT_EQ(hex_of(plain), "00026162ffff00000001ffffffffff00000002");

    writer compact;
    compact.write_string("ab", encoding::compact);
    compact.write_nullable_string(std::nullopt, encoding::compact);
    compact.write_bytes(content, encoding::compact);
    compact.write_nullable_bytes(std::nullopt, encoding::compact);
    compact.write_length(2, encoding::compact);
    EXPECT_EQ(hex_of(compact), "0361620002ff0003");
}

TEST(Writer, NullAndEmptyAreDifferent) {
    writer out;
    out.write_nullable_string("", encoding::plain);
    out.write_nullable_bytes(bytes(), encoding::compact);

    EXPECT_EQ(hex_of(out), "000001");
}

TEST(Writer, GathersReferencesBetweenPartsOfTheArena) {
    const auto one = from_hex("aaaa");
    const auto two = from_hex("bb");
    writer out;
    out.write_int8(1);
    out.write_reference(one);
    out.write_reference(two);
    out.write_int8(2);
    out.write_reference(bytes());
    out.write_int8(3);

    std::vector<iovec> pieces;
    out.pieces(pieces);

    ASSERT_EQ(pieces.size(), 4u) << "an empty reference is no piece";
    EXPECT_EQ(pieces[1].iov_base, one.data()) << "not copied";
    EXPECT_EQ(pieces[2].iov_base, two.data());
    EXPECT_EQ(pieces[3].iov_len, 2u);
    EXPECT_EQ(out.size(), 6u);
    EXPECT_EQ(hex_of(out), "01aaaabb0203");
}

TEST(Writer, KeepsItsPlaceWhenTheArenaMoves) {
    const auto record = from_hex("ee");
    writer out;
    const std::size_t begin = out.arena_offset();
    out.write_int32(0);
    out.write_reference(record);
    for (int i = 0; i < 100000; ++i) out.write_int8(7);
    out.patch_int32(begin, 0x01020304);

    const std::vector<std::byte> whole = out.gathered();

    ASSERT_EQ(whole.size(), 100005u);
    EXPECT_EQ(to_hex(bytes(whole).first(6)), "01020304ee07");
}

TEST(Writer, InsertsASizeInFrontOfWhatItCounts) {
    writer small;
    small.write_int8(1);
    std::size_t begin = small.arena_offset();
    small.write_int16(0x0202);
    small.insert_size_varint(begin);
    EXPECT_EQ(hex_of(small), "01020202");

    writer large;
    begin = large.arena_offset();
    for (int i = 0; i < 300; ++i) large.write_int8(5);
    large.insert_size_varint(begin);
    EXPECT_EQ(hex_of(large).substr(0, 8), "ac020505");
    EXPECT_EQ(large.size(), 302u);

    writer empty;
    empty.insert_size_varint(0);
    EXPECT_EQ(hex_of(empty), "00");
}

TEST(Writer, RewindsArenaAndReferences) {
    const auto record = from_hex("ee");
    writer out;
    out.write_int8(1);
    out.write_reference(record);
    const writer::mark before = out.position();
    out.write_int8(2);
    out.write_reference(record);

    out.rewind(before);

    EXPECT_EQ(hex_of(out), "01ee");
    EXPECT_EQ(out.size(), 2u);
}

TEST(Writer, KeepsItsMemoryWhenCleared) {
    writer out;
    const auto record = from_hex("ee");
    const auto fill = [&] {
        for (int i = 0; i < 1000; ++i) out.write_int64(i);
        out.write_reference(record);
    };
    std::vector<iovec> first, second;
    fill();
    out.pieces(first);

    out.clear();
    EXPECT_EQ(out.size(), 0u);
    fill();
    out.pieces(second);

    EXPECT_EQ(first[0].iov_base, second[0].iov_base) << "the same arena";
}

TEST(Writer, AMovedFromWriterIsEmptyAndOfUse) {
    writer out;
    out.write_int8(1);

    writer moved(std::move(out));
    out.clear();
    out.write_int8(2);

    EXPECT_EQ(hex_of(moved), "01");
    EXPECT_EQ(hex_of(out), "02");
}

TEST(Writer, AnEmptyWriterHasNoPieces) {
    std::vector<iovec> pieces;
    writer().pieces(pieces);
    EXPECT_TRUE(pieces.empty());
}

}  // namespace
}  // namespace sluice::wire
