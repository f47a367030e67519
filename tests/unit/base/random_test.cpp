#include "base/random.hpp"

#include <gtest/gtest.h>

#include <array>

namespace sluice {
namespace {

TEST(Random, TheSameSeedGivesTheSameNumbers) {
    random one(42);
    random two(42);
    random other(43);
    bool differs = false;

    for (int i = 0; i < 100; ++i) {
        const std::uint64_t drawn = one.next();
        EXPECT_EQ(drawn, two.next());
        differs = differs || drawn != other.next();
    }

    EXPECT_TRUE(differs);
}

TEST(Random, BelowReachesEveryNumberAndNoOther) {
    random randomness(7);
    std::array<int, 5> hits{};

    for (int i = 0; i < 5000; ++i) ++hits.at(randomness.below(5));

    for (int count : hits) EXPECT_GT(count, 800);
}

TEST(Random, FractionStaysBelowOne) {
    random randomness(7);
    for (int i = 0; i < 10000; ++i) {
        const double drawn = randomness.fraction();
        ASSERT_GE(drawn, 0);
        ASSERT_LT(drawn, 1);
    }
}

}  // namespace
}  // namespace sluice
