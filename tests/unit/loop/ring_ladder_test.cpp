#include "loop/uring/ring_ladder.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <utility>
#include <vector>

namespace sluice {
namespace {

struct attempt {
    unsigned submissions;
    unsigned flags;
    friend bool operator==(const attempt&, const attempt&) = default;
};

// What was tried until `kernel` agreed or nothing was left.
struct climb {
    explicit climb(std::function<int(const ring_request&)> kernel) {
        answer = climb_down(given, [&](const ring_request& wanted) {
            attempts.push_back({wanted.submissions, wanted.flags});
            return kernel(wanted);
        });
    }
    std::vector<attempt> attempts;
    ring_request given;
    int answer;
};

constexpr unsigned best = ring_flag_sets[0];
constexpr unsigned fewer = ring_flag_sets[1];

TEST(RingLadder, TakesTheBestRingAtOnce) {
    const climb generous([](const ring_request&) { return 0; });

    EXPECT_EQ(generous.answer, 0);
    EXPECT_EQ(generous.attempts, (std::vector<attempt>{{256, best}}));
}

TEST(RingLadder, AsksForFewerFlagsWhereAFlagIsUnknown) {
    const climb old([](const ring_request& wanted) {
        return (wanted.flags & IORING_SETUP_DEFER_TASKRUN) != 0 ? -EINVAL : 0;
    });
    const climb oldest([](const ring_request& wanted) { return wanted.flags != 0 ? -EINVAL : 0; });

    EXPECT_EQ(old.answer, 0);
    EXPECT_EQ(old.given.flags, fewer);
    EXPECT_EQ(oldest.answer, 0);
    EXPECT_EQ(oldest.attempts, (std::vector<attempt>{{256, best}, {256, fewer}, {256, 0}}));
}

TEST(RingLadder, AsksForFewerEntriesWhereMemoryIsShort) {
    const climb tight([](const ring_request& wanted) { return wanted.submissions > 64 ? -ENOMEM : 0; });

    EXPECT_EQ(tight.answer, 0);
    EXPECT_EQ(tight.given.submissions, 64u);
    EXPECT_EQ(tight.attempts, (std::vector<attempt>{{256, best}, {128, best}, {64, best}}));
}

TEST(RingLadder, StartsLargeAgainWithFewerFlags) {
    const climb both([](const ring_request& wanted) {
        if (wanted.submissions > 128) return -ENOMEM;
        return wanted.flags == best ? -EINVAL : 0;
    });

    EXPECT_EQ(both.attempts, (std::vector<attempt>{{256, best}, {128, best}, {256, fewer}, {128, fewer}}));
}

TEST(RingLadder, GivesUpWithTheLastAnswer) {
    EXPECT_EQ(climb([](const ring_request&) { return -ENOMEM; }).answer, -ENOMEM);
    EXPECT_EQ(climb([](const ring_request&) { return -EINVAL; }).answer, -EINVAL);
    const climb forbidden([](const ring_request&) { return -EPERM; });
    EXPECT_EQ(forbidden.answer, -EPERM);
    EXPECT_EQ(forbidden.attempts.size(), 1u) << "no other request is allowed either";
}

}  // namespace
}  // namespace sluice
