#include "testing/sim_fault_plan.hpp"

#include <gtest/gtest.h>

#include <set>

#include "testing/sim_draw.hpp"

namespace sluice::testing {
namespace {

using namespace std::chrono_literals;

TEST(SimFaultPlan, TheSeedDecides) {
    std::set<std::string> plans;
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        EXPECT_EQ(fault_plan::from_seed(seed).text(), fault_plan::from_seed(seed).text());
        plans.insert(fault_plan::from_seed(seed).text());
    }
    EXPECT_EQ(plans.size(), 200u);
    EXPECT_EQ(fault_plan::calm().text(), "calm");
}

TEST(SimFaultPlan, EachFaultIsOnInAboutHalfOfThem) {
    int resets = 0, stalls = 0, both = 0;
    for (std::uint64_t seed = 0; seed < 1000; ++seed) {
        const fault_plan plan = fault_plan::from_seed(seed);
        resets += plan.reset > 0 ? 1 : 0;
        stalls += plan.stall > 0 ? 1 : 0;
        both += plan.reset > 0 && plan.stall > 0 ? 1 : 0;
    }
    EXPECT_NEAR(resets, 500, 80);
    EXPECT_NEAR(stalls, 500, 80);
    EXPECT_NEAR(both, 250, 80);
}

TEST(SimFaultPlan, HealsInTime) {
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        EXPECT_LE(fault_plan::from_seed(seed, 5s).heals_after, 5s);
        EXPECT_GE(fault_plan::from_seed(seed, 5s).heals_after, 10ms);
    }
}

TEST(SimFaultPlan, BoundsAreInOrder) {
    for (std::uint64_t seed = 0; seed < 1000; ++seed) {
        const fault_plan plan = fault_plan::from_seed(seed);
        EXPECT_LE(plan.latency_min, plan.latency_max);
        EXPECT_LE(plan.window_min, plan.window_max);
        EXPECT_GE(plan.window_min, 256u);
    }
}

TEST(SimDraw, OfAnySizeStaysWithinItsBoundsAndReachesThem) {
    random from(1);
    std::set<std::uint64_t> drawn;
    for (int i = 0; i < 10'000; ++i) drawn.insert(of_any_size(from, 3, 21));

    EXPECT_EQ(*drawn.begin(), 3u);
    EXPECT_EQ(*drawn.rbegin(), 21u);
    EXPECT_EQ(drawn.size(), 19u);
    EXPECT_EQ(of_any_size(from, 7, 7), 7u);
}

TEST(SimDraw, WhatNeverHappensDrawsNothing) {
    random from(1), same(1);

    EXPECT_FALSE(happens(from, 0));

    EXPECT_EQ(from.next(), same.next());
    EXPECT_TRUE(happens(from, 1));
}

}  // namespace
}  // namespace sluice::testing
