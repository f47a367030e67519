#include "session/reconnect_policy.hpp"

#include <gtest/gtest.h>

namespace sluice {
namespace {

using namespace std::chrono_literals;

time_point at(duration since_start) {
    return time_point{} + 1h + since_start;
}

// Within a fifth of `wait`, cut to milliseconds, and at most `max`.
::testing::AssertionResult is_about(duration drawn, std::chrono::milliseconds wait,
                                    std::chrono::milliseconds max) {
    if (drawn >= wait * 8 / 10 - 1ms && drawn <= std::min<duration>(wait * 12 / 10, max)) {
        return ::testing::AssertionSuccess();
    }
    return ::testing::AssertionFailure() << drawn / 1ms << " ms is not about " << wait / 1ms << " ms";
}

struct fixture {
    random randomness{7};
    reconnect_policy policy{reconnect_limits{}};  // 50 ms to 1 s; 10 s to 30 s

    void fail(time_point now, bool was_connected = false) {
        policy.on_attempt(now, randomness);
        if (was_connected) policy.on_connected();
        policy.on_disconnected(now, was_connected, randomness);
    }
};

TEST(ReconnectPolicy, ABrokerThatWasNeverTriedMayBeTriedAtOnce_NET_5) {
    const fixture on;

    EXPECT_EQ(on.policy.next_attempt(), time_point::min());
}

TEST(ReconnectPolicy, TheWaitDoublesWithEachFailureUpToItsMaximum_NET_4) {
    fixture on;
    const std::chrono::milliseconds expected[] = {50ms, 100ms, 200ms, 400ms, 800ms, 1000ms, 1000ms};
    for (const std::chrono::milliseconds wait : expected) {
        on.fail(at(0s));

        EXPECT_TRUE(is_about(on.policy.next_attempt() - at(0s), wait, 1000ms));
    }
}

TEST(ReconnectPolicy, TheWaitCountsFromTheDisconnect_NET_5) {
    fixture on;
    on.policy.on_attempt(at(0s), on.randomness);
    on.policy.on_connected();
    on.policy.on_ready();

    on.policy.on_disconnected(at(60s), true, on.randomness);

    EXPECT_TRUE(is_about(on.policy.next_attempt() - at(60s), 50ms, 1000ms));
}

TEST(ReconnectPolicy, OnlyReadyEndsTheBackoff_NET_4) {
    fixture on;
    for (int i = 0; i < 4; ++i) on.fail(at(0s), true);  // connected, but never negotiated
    EXPECT_TRUE(is_about(on.policy.next_attempt() - at(0s), 400ms, 1000ms));

    on.policy.on_attempt(at(1s), on.randomness);
    on.policy.on_connected();
    on.policy.on_ready();
    on.policy.on_disconnected(at(2s), true, on.randomness);

    EXPECT_TRUE(is_about(on.policy.next_attempt() - at(2s), 50ms, 1000ms));
}

TEST(ReconnectPolicy, TheTimeForSettingUpGrowsWithFailedConnects_NET_6) {
    fixture on;
    const std::chrono::milliseconds expected[] = {10s, 20s, 30s, 30s};
    for (const std::chrono::milliseconds wait : expected) {
        const time_point deadline = on.policy.on_attempt(at(0s), on.randomness);

        EXPECT_TRUE(is_about(deadline - at(0s), wait, 30s));
        on.policy.on_disconnected(at(0s), false, on.randomness);
    }
}

TEST(ReconnectPolicy, BeingConnectedEndsTheGrowthOfTheSetUpTime_NET_6) {
    fixture on;
    for (int i = 0; i < 3; ++i) on.fail(at(0s));

    on.fail(at(0s), true);

    EXPECT_TRUE(is_about(on.policy.on_attempt(at(0s), on.randomness) - at(0s), 10s, 30s));
}

TEST(ReconnectPolicy, EqualLimitsMeanNoJitter_NET_4) {
    random randomness(3);
    reconnect_limits limits;
    limits.backoff = 100ms;
    limits.backoff_max = 100ms;
    reconnect_policy policy(limits);
    for (int i = 0; i < 5; ++i) {
        policy.on_disconnected(at(0s), false, randomness);
        EXPECT_EQ(policy.next_attempt(), at(100ms));
    }
}

}  // namespace
}  // namespace sluice
