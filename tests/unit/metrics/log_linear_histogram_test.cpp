#include "metrics/log_linear_histogram.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/random.hpp"

namespace sluice {
namespace {

using std::chrono::nanoseconds;

TEST(LogLinearHistogram, IsExactUpTo127Nanoseconds) {
    log_linear_histogram seen;
    for (int ns = 1; ns <= 100; ++ns) seen.add(nanoseconds(ns));

    EXPECT_EQ(seen.count(), 100u);
    EXPECT_EQ(seen.percentile(0.5), nanoseconds(50));
    EXPECT_EQ(seen.percentile(0.99), nanoseconds(99));
    EXPECT_EQ(seen.percentile(0), nanoseconds(1));
    EXPECT_EQ(seen.percentile(1), nanoseconds(100));
}

TEST(LogLinearHistogram, IsNeverBelowTheTruthAndAtMostA64thAbove) {
    random chance(7);
    log_linear_histogram seen;
    std::vector<std::int64_t> all;
    for (int i = 0; i < 20000; ++i) {
        const auto ns =
            static_cast<std::int64_t>(std::exp2(static_cast<double>(chance.below(40'000)) / 1000.0));
        all.push_back(ns);
        seen.add(nanoseconds(ns));
    }
    std::sort(all.begin(), all.end());

    for (const double share : {0.001, 0.1, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0}) {
        const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(all.size())));
        const std::int64_t truth = all[rank - 1];
        const std::int64_t told = seen.percentile(share).count();
        EXPECT_GE(told, truth) << share;
        EXPECT_LE(told, truth + truth / 64 + 1) << share;
    }
    EXPECT_EQ(seen.max().count(), all.back());
}

TEST(LogLinearHistogram, IsZeroWhileItIsEmpty) {
    const log_linear_histogram nothing;

    EXPECT_EQ(nothing.percentile(0.99), nanoseconds(0));
    EXPECT_EQ(nothing.max(), nanoseconds(0));
}

TEST(LogLinearHistogram, CountsWhatIsTooLongAsTheLongestAndKeepsTheMaximum) {
    log_linear_histogram seen;
    seen.add(nanoseconds(-5));
    seen.add(std::chrono::hours(1000));

    EXPECT_EQ(seen.count(), 2u);
    EXPECT_EQ(seen.percentile(0.5), nanoseconds(0));
    EXPECT_EQ(seen.max(), std::chrono::hours(1000));
}

TEST(LogLinearHistogram, AddsUpWhatSeveralThreadsSaw) {
    log_linear_histogram one;
    log_linear_histogram other;
    one.add(nanoseconds(10));
    other.add(nanoseconds(20));
    other.add(nanoseconds(30));

    one.merge(other);

    EXPECT_EQ(one.count(), 3u);
    EXPECT_EQ(one.percentile(0.5), nanoseconds(20));
    EXPECT_EQ(one.max(), nanoseconds(30));
}

}  // namespace
}  // namespace sluice
