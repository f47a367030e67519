#include "wire/varint.hpp"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <vector>

#include "unit/wire/hex.hpp"

namespace sluice::wire {
namespace {

template <class Write, class Value>
std::string written(Write write, Value value) {
    std::array<std::byte, varlong_size_max> room;
    return to_hex({room.data(), write(room.data(), value)});
}

TEST(Varint, WritesUnsignedOnesLowGroupFirst) {
    EXPECT_EQ(written(write_unsigned_varint, 0u), "00");
    EXPECT_EQ(written(write_unsigned_varint, 127u), "7f");
    EXPECT_EQ(written(write_unsigned_varint, 128u), "8001");
    EXPECT_EQ(written(write_unsigned_varint, 300u), "ac02");
    EXPECT_EQ(written(write_unsigned_varint, 0xffffffffu), "ffffffff0f");
}

TEST(Varint, WritesSignedOnesAsZigzag) {
    EXPECT_EQ(written(write_varint, 0), "00");
    EXPECT_EQ(written(write_varint, -1), "01");
    EXPECT_EQ(written(write_varint, 1), "02");
    EXPECT_EQ(written(write_varint, std::numeric_limits<std::int32_t>::min()), "ffffffff0f");
    EXPECT_EQ(written(write_varlong, std::numeric_limits<std::int64_t>::min()), "ffffffffffffffffff01");
}

TEST(Varint, SizesAreThoseOfWhatIsWritten) {
    std::array<std::byte, varlong_size_max> room;
    for (int bits = 0; bits <= 64; ++bits) {
        for (int offset = -1; offset <= 1; ++offset) {
            const auto word =
                (bits == 64 ? 0 : std::uint64_t{1} << bits) + static_cast<std::uint64_t>(offset);
            const auto narrow = static_cast<std::uint32_t>(word);
            EXPECT_EQ(varlong_size(static_cast<std::int64_t>(word)),
                      write_varlong(room.data(), static_cast<std::int64_t>(word)) - room.data());
            EXPECT_EQ(varint_size(static_cast<std::int32_t>(narrow)),
                      write_varint(room.data(), static_cast<std::int32_t>(narrow)) - room.data());
            EXPECT_EQ(unsigned_varint_size(narrow), write_unsigned_varint(room.data(), narrow) - room.data());
        }
    }
}

TEST(Varint, ReadsBackWhatItWrote) {
    std::array<std::byte, varlong_size_max> room;
    for (int shift = 0; shift < 64; ++shift) {
        for (const std::int64_t value : {std::numeric_limits<std::int64_t>::min() >> shift,
                                         std::numeric_limits<std::int64_t>::max() >> shift}) {
            const auto narrow = static_cast<std::int32_t>(value);
            std::int64_t wide_back = 0;
            std::int32_t back = 0;
            std::uint32_t unsigned_back = 0;
            const std::byte* end = write_varlong(room.data(), value);
            EXPECT_EQ(read_varlong(room.data(), wide_back), end);
            EXPECT_EQ(wide_back, value);
            end = write_varint(room.data(), narrow);
            EXPECT_EQ(read_varint(room.data(), back), end);
            EXPECT_EQ(back, narrow);
            end = write_unsigned_varint(room.data(), static_cast<std::uint32_t>(narrow));
            EXPECT_EQ(read_unsigned_varint(room.data(), unsigned_back), end);
            EXPECT_EQ(unsigned_back, static_cast<std::uint32_t>(narrow));
        }
    }
}

TEST(Varint, AcceptsMoreBytesThanNeededWhileTheValueFits) {
    const auto padded = from_hex("80 80 80 80 00");
    std::uint32_t value = 7;

    EXPECT_EQ(read_unsigned_varint(padded.data(), value), padded.data() + 5);
    EXPECT_EQ(value, 0u);
}

TEST(Varint, RefusesASixthByteAndBitsThatWouldBeLost) {
    std::uint32_t value = 7;
    std::int32_t signed_value = 7;
    EXPECT_EQ(read_unsigned_varint(from_hex("80 80 80 80 80 00").data(), value), nullptr) << "six bytes";
    EXPECT_EQ(read_unsigned_varint(from_hex("ff ff ff ff 10").data(), value), nullptr) << "2^32 and more";
    EXPECT_EQ(read_varint(from_hex("ff ff ff ff 1f").data(), signed_value), nullptr);
    EXPECT_EQ(value, 7u) << "untouched";
    EXPECT_EQ(signed_value, 7) << "untouched";

    std::int64_t wide = 7;
    EXPECT_EQ(read_varlong(from_hex("ff ff ff ff ff ff ff ff ff 02").data(), wide), nullptr)
        << "2^64 and more";
    EXPECT_EQ(read_varlong(from_hex("80 80 80 80 80 80 80 80 80 80 00").data(), wide), nullptr)
        << "eleven bytes";
    EXPECT_EQ(wide, 7) << "untouched";
}

}  // namespace
}  // namespace sluice::wire
