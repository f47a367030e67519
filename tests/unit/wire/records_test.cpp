#include "wire/records.hpp"

#include <gtest/gtest.h>

#include <array>

#include "unit/wire/hex.hpp"

namespace sluice::wire {
namespace {

TEST(Records, AreNullByDefaultAndEmptyIsNotNull) {
    EXPECT_TRUE(records().is_null());
    EXPECT_TRUE(records().pieces().empty());
    EXPECT_FALSE(records(bytes()).is_null());
    EXPECT_FALSE(records(std::span<const bytes>()).is_null());
    EXPECT_EQ(records(bytes()).size(), 0u);
}

TEST(Records, AreOnePieceOrMany) {
    const auto header = from_hex("0102");
    const auto body = from_hex("030405");
    const std::array<bytes, 2> list{header, body};

    const records one(body);
    const records many{std::span<const bytes>(list)};
    const records copied = one;

    EXPECT_EQ(one.size(), 3u);
    EXPECT_EQ(many.size(), 5u);
    ASSERT_EQ(one.pieces().size(), 1u);
    EXPECT_EQ(one.pieces()[0].data(), body.data());
    ASSERT_EQ(many.pieces().size(), 2u);
    EXPECT_EQ(many.pieces()[1].data(), body.data());
    EXPECT_EQ(copied.pieces()[0].data(), body.data());
    EXPECT_NE(copied.pieces().data(), one.pieces().data()) << "a copy points into itself";
}

}  // namespace
}  // namespace sluice::wire
