#include "loop/timer_heap.hpp"

#include <gtest/gtest.h>

#include <memory>

#include "base/random.hpp"

namespace sluice {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{};

struct recording_timer : timer {
    recording_timer(int name_, std::vector<int>& fired_) : timer(&fire), name(name_), fired(&fired_) {}
    static void fire(timer& self) noexcept {
        auto& recording = static_cast<recording_timer&>(self);
        recording.fired->push_back(recording.name);
    }
    int name;
    std::vector<int>* fired;
};

TEST(TimerHeap, FiresWhatIsDueSoonestFirstAndTiesInTheOrderOfSetting) {
    std::vector<int> fired;
    timer_heap heap;
    recording_timer late(1, fired), early(2, fired), tie(3, fired), not_due(4, fired);
    heap.set(late, start + 20ms);
    heap.set(early, start + 10ms);
    heap.set(tie, start + 20ms);
    heap.set(not_due, start + 30ms);

    heap.fire_due(start + 20ms);

    EXPECT_EQ(fired, (std::vector<int>{2, 1, 3}));
    EXPECT_EQ(heap.soonest(), start + 30ms);
}

TEST(TimerHeap, ADestroyedOrCancelledTimerNeverFires) {
    std::vector<int> fired;
    timer_heap heap;
    auto destroyed = std::make_unique<recording_timer>(1, fired);
    recording_timer cancelled(2, fired);
    heap.set(*destroyed, start + 10ms);
    heap.set(cancelled, start + 10ms);

    destroyed.reset();
    heap.cancel(cancelled);
    heap.fire_due(start + 20ms);

    EXPECT_TRUE(fired.empty());
    EXPECT_TRUE(heap.empty());
}

TEST(TimerHeap, SettingAgainMovesTheDeadline) {
    std::vector<int> fired;
    timer_heap heap;
    recording_timer moved(1, fired);
    heap.set(moved, start + 10ms);

    heap.set(moved, start + 30ms);
    heap.fire_due(start + 20ms);
    EXPECT_TRUE(fired.empty());

    heap.fire_due(start + 30ms);
    EXPECT_EQ(fired.size(), 1u);
}

TEST(TimerHeap, KeepsOrderThroughRandomSetsAndCancels) {
    random randomness(1);
    std::vector<int> fired;
    timer_heap heap;
    std::vector<std::unique_ptr<recording_timer>> timers;
    for (int i = 0; i < 1000; ++i) {
        timers.push_back(std::make_unique<recording_timer>(i, fired));
        heap.set(*timers.back(), start + std::chrono::milliseconds(randomness.below(500)));
    }
    for (int i = 0; i < 300; ++i) heap.cancel(*timers[randomness.below(1000)]);
    std::size_t expected = 0;
    for (const auto& each : timers) expected += each->is_set() ? 1 : 0;

    heap.fire_due(start + 1s);

    EXPECT_EQ(fired.size(), expected);
    for (std::size_t i = 1; i < fired.size(); ++i) {
        EXPECT_LE(timers[static_cast<std::size_t>(fired[i - 1])]->due(),
                  timers[static_cast<std::size_t>(fired[i])]->due());
    }
}

}  // namespace
}  // namespace sluice
