#include "testing/sim_world.hpp"

#include <gtest/gtest.h>

#include <set>

namespace sluice::testing {
namespace {

using namespace std::chrono_literals;
using ending = run_result::ending;

// A runner that does as it is told and counts its turns.
struct scripted_runner final : sim_runner {
    explicit scripted_runner(sim_world& in) : world(in) { world.add(*this); }
    ~scripted_runner() { world.remove(*this); }

    bool is_woken() const noexcept override { return is_rung; }
    bool run_turn() override {
        is_rung = false;
        turns.push_back(world.elapsed());
        if (deadline <= world.now()) deadline = never;
        return on_turn && on_turn();
    }
    time_point next_deadline() const override { return deadline; }
    void report(std::string& lines) const override { lines += "  a runner\n"; }

    sim_world& world;
    bool is_rung = false;
    time_point deadline = never;
    std::vector<duration> turns;
    std::function<bool()> on_turn;
};

fault_plan without_system_call_time() {
    fault_plan faults = fault_plan::calm();
    faults.system_call_max = duration::zero();
    return faults;
}

TEST(SimWorld, RunsEventsAtTheirTime) {
    sim_world world(1);
    std::vector<std::pair<int, duration>> seen;
    world.in(5ms, [&] { seen.emplace_back(2, world.elapsed()); });
    world.in(1ms, [&] {
        seen.emplace_back(1, world.elapsed());
        world.in(10ms, [&] { seen.emplace_back(3, world.elapsed()); });
    });

    EXPECT_TRUE(world.run_until([&] { return seen.size() == 3; }, 1s));

    EXPECT_EQ(seen, (std::vector<std::pair<int, duration>>{{1, 1ms}, {2, 5ms}, {3, 11ms}}));
    EXPECT_EQ(world.elapsed(), 11ms);
}

TEST(SimWorld, TheOrderOfEventsOfOneInstantDependsOnTheSeedAlone) {
    const auto order_of = [](std::uint64_t seed) {
        sim_world world(seed);
        std::string order;
        for (const char name : std::string_view("abcdef")) world.in(1ms, [&order, name] { order += name; });
        world.run_for(1ms);
        return order;
    };
    std::set<std::string> orders;

    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        orders.insert(order_of(seed));
        EXPECT_EQ(order_of(seed), order_of(seed));
    }

    EXPECT_GT(orders.size(), 40u);
}

TEST(SimWorld, AnEventOfThePastRunsNowAndNotInsideTheCall) {
    sim_world world(1);
    bool has_run = false;
    world.run_for(1s);

    world.at(world.now() - 500ms, [&] { has_run = true; });
    EXPECT_FALSE(has_run);

    EXPECT_TRUE(world.run_until([&] { return has_run; }, 1s));
    EXPECT_EQ(world.elapsed(), 1s);
}

TEST(SimWorld, ACancelledEventDoesNotRunNorHoldUpTime) {
    sim_world world(1);
    bool has_run = false;
    sim_world::event_id event = world.in(1ms, [&] { has_run = true; });

    world.cancel(event);
    EXPECT_EQ(event, sim_world::event_id::none);
    world.cancel(event);

    EXPECT_EQ(world.run_until([&] { return has_run; }, 1h).how, ending::hang);
    EXPECT_EQ(world.elapsed(), 0s);
}

TEST(SimWorld, CancellingAnEventThatHasRunLeavesItsSuccessorAlone) {
    sim_world world(1);
    int run_count = 0;
    sim_world::event_id first = world.in(1ms, [&] { ++run_count; });
    world.run_for(1ms);
    const sim_world::event_id second = world.in(1ms, [&] { ++run_count; });

    world.cancel(first);
    world.run_for(1ms);

    EXPECT_NE(second, sim_world::event_id::none);
    EXPECT_EQ(run_count, 2);
}

TEST(SimWorld, TimeJumpsToTheDeadlineOfARunner) {
    sim_world world(1);
    scripted_runner runner(world);
    runner.deadline = world.now() + 3h;

    EXPECT_TRUE(world.run_until([&] { return runner.turns.size() == 2; }, 4h));

    EXPECT_EQ(runner.turns, (std::vector<duration>{0s, 3h})) << "the first turn comes unasked";
}

TEST(SimWorld, GivesTurnsAsLongAsARunnerWantsThem) {
    sim_world world(1);
    scripted_runner runner(world);
    runner.on_turn = [&] { return runner.turns.size() < 5; };

    EXPECT_TRUE(world.run_for(1ms));

    EXPECT_EQ(runner.turns, std::vector<duration>(5));
}

TEST(SimWorld, ARungRunnerGetsATurn) {
    sim_world world(1);
    scripted_runner runner(world);
    world.in(2ms, [&] { runner.is_rung = true; });

    world.run_for(5ms);

    EXPECT_EQ(runner.turns, (std::vector<duration>{0ms, 2ms}));
}

TEST(SimWorld, WhichRunnerIsFirstDependsOnTheSeed) {
    const auto is_a_first = [](std::uint64_t seed) {
        sim_world world(seed);
        std::string order;
        scripted_runner a(world), b(world);
        a.on_turn = [&] {
            order += 'a';
            return false;
        };
        b.on_turn = [&] {
            order += 'b';
            return false;
        };
        world.run_for(1ms);
        EXPECT_EQ(order.size(), 2u);
        return order == "ab";
    };
    int count = 0;

    for (std::uint64_t seed = 0; seed < 100; ++seed) count += is_a_first(seed) ? 1 : 0;

    EXPECT_GT(count, 25);
    EXPECT_LT(count, 75);
}

TEST(SimWorld, ATurnMayEndAnotherRunner) {
    for (std::uint64_t seed = 0; seed < 10; ++seed) {
        sim_world world(seed);
        scripted_runner ending_it(world);
        auto ended = std::make_unique<scripted_runner>(world);
        ending_it.on_turn = [&] {
            ended.reset();
            return false;
        };

        EXPECT_TRUE(world.run_for(1ms));
        EXPECT_EQ(ending_it.turns.size(), 1u);
    }
}

TEST(SimWorld, NothingLeftToHappenIsAHang) {
    sim_world world(7);
    scripted_runner runner(world);
    world.in(1ms, [] {});

    const run_result result = world.run_until([] { return false; }, 1h);

    EXPECT_FALSE(result);
    EXPECT_EQ(result.how, ending::hang);
    EXPECT_NE(result.waiting.find("seed 7"), std::string::npos) << result.waiting;
    EXPECT_NE(result.waiting.find("a runner"), std::string::npos) << result.waiting;
    EXPECT_EQ(world.elapsed(), 1ms) << "it is known at once, not after an hour";
}

TEST(SimWorld, AnHourOfTimersIsNoHang) {
    sim_world world(1);
    scripted_runner runner(world);
    runner.on_turn = [&] {
        runner.deadline = world.now() + 1min;
        return false;
    };

    const run_result result = world.run_until([] { return false; }, 1h);

    EXPECT_EQ(result.how, ending::time_limit);
    EXPECT_EQ(world.elapsed(), 1h);
    EXPECT_EQ(runner.turns.size(), 61u);
}

TEST(SimWorld, ARunnerThatNeverRestsIsALivelock) {
    sim_world world(1, without_system_call_time());
    scripted_runner runner(world);
    runner.on_turn = [] { return true; };
    world.busy_steps_max = 1000;

    EXPECT_EQ(world.run_until([] { return false; }, 1h).how, ending::livelock);
    EXPECT_EQ(world.run_for(1h).how, ending::livelock);
}

TEST(SimWorld, TheWallClockRunsBesideTheOther) {
    sim_world world(1);
    const auto ms = [](wall_time time) { return static_cast<std::int64_t>(time); };
    const std::int64_t start = ms(world.wall_now());
    EXPECT_GT(start, 1'700'000'000'000);

    world.run_for(1500ms);
    EXPECT_EQ(ms(world.wall_now()), start + 1500);
    world.jump_wall_clock(-10s);

    EXPECT_EQ(ms(world.wall_now()), start + 1500 - 10'000);
    EXPECT_EQ(world.elapsed(), 1500ms);
}

TEST(SimWorld, TheWallClockJumpsByFault) {
    fault_plan faults = fault_plan::calm();
    faults.wall_clock_jumps = 3;
    faults.heals_after = 1min;
    sim_world world(1, faults);
    const auto start = static_cast<std::int64_t>(world.wall_now());

    world.run_for(2min);

    EXPECT_NE(static_cast<std::int64_t>(world.wall_now()), start + 120'000);
}

TEST(SimWorld, HealsAfterItsTime) {
    fault_plan faults = fault_plan::calm();
    faults.reset = 0.5;
    faults.heals_after = 10ms;
    sim_world world(1, faults);

    world.run_for(9ms);
    EXPECT_EQ(world.faults().reset, 0.5);
    world.run_for(1ms);

    EXPECT_TRUE(world.is_healed());
    EXPECT_EQ(world.faults().reset, 0);
}

TEST(SimWorld, APausedRunnerGetsItsTurnLater) {
    fault_plan faults = fault_plan::calm();
    faults.pause = 0.5;
    faults.pause_max = 1s;
    sim_world world(3, faults);
    scripted_runner runner(world);
    for (int i = 0; i < 100; ++i) world.in(10ms * i, [&] { runner.is_rung = true; });

    world.run_for(10s);

    EXPECT_FALSE(runner.is_rung) << "no ring is forgotten";
    EXPECT_LT(runner.turns.size(), 20u) << "most of the first second it had no core";
}

TEST(SimWorld, TheTraceTellsRunsApart) {
    const auto hash_of = [](std::uint64_t seed, std::uint64_t detail) {
        sim_world world(seed);
        world.in(1ms, [&] { world.trace(sim_trace::mark, 1, detail); });
        world.run_for(1s);
        return world.trace_hash();
    };

    EXPECT_EQ(hash_of(1, 5), hash_of(1, 5));
    EXPECT_NE(hash_of(1, 5), hash_of(1, 6));
    EXPECT_NE(hash_of(1, 5), hash_of(2, 5));
}

TEST(SimWorld, SaysWhatItTraces) {
    sim_world world(1);
    std::vector<std::string> lines;
    world.on_trace([&](std::string_view line) { lines.emplace_back(line); });
    world.run_for(2ms);

    world.trace(sim_trace::mark, 1, 255);

    EXPECT_EQ(lines, (std::vector<std::string>{"+0.002000 s mark 1 ff"}));
}

TEST(SimWorld, KeepsFindingsWithTheirTimeAndNotTooMany) {
    sim_world world(1);
    EXPECT_TRUE(world.findings().empty());
    world.run_for(2ms);

    for (int i = 0; i < 103; ++i) world.find("something is wrong");

    EXPECT_EQ(world.findings().size(), 101u);
    EXPECT_EQ(world.findings().front(), "+0.002000 s: something is wrong");
    EXPECT_EQ(world.findings().back(), "and 3 more");
}

}  // namespace
}  // namespace sluice::testing
