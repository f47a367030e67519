#include "engine/remote_event.hpp"

#include <gtest/gtest.h>

#include <optional>

#include "unit/engine/loop_on_fake.hpp"

namespace sluice {
namespace {

using words = std::vector<std::string>;

// A shard's loop, a caller's loop, an event between them, and a caller who may wait for it.
struct fixture {
    loop_on_fake shard;
    std::optional<loop_on_fake> home{std::in_place};  // the caller's
    remote_event event;
    noting_completion done;
    remote_signal* signal = nullptr;

    void start_on_home(std::uint8_t level = 1) {
        const event_loop::scope here(home->loop);
        event.start(level, done, signal);
    }
    bool take_back_on_home() {
        const event_loop::scope here(home->loop);
        return event.take_back(signal);
    }
    void abandon_on_home() {
        const event_loop::scope here(home->loop);
        event.abandon(signal);
    }
    void set(std::uint8_t level = 1) {
        const event_loop::scope here(shard.loop);
        event.set(level, &shard.loop);
    }
};

TEST(RemoteEvent, WakesACallerOnTheCallersLoop) {
    fixture on;
    on.start_on_home();
    ASSERT_NE(on.signal, nullptr);

    on.set();

    on.shard.run();
    EXPECT_EQ(on.done.seen, words{}) << "not on the shard";
    on.home->run();
    EXPECT_EQ(on.done.seen, words{"run"});
    EXPECT_EQ(on.done.seen_on, &on.home->loop);
    EXPECT_EQ(on.signal, nullptr);
}

TEST(RemoteEvent, RingsTheCallersLoopWhenItSleeps) {
    fixture on;
    on.start_on_home();
    on.home->run();
    const int before = on.home->io.ring_count;

    on.set();

    EXPECT_EQ(on.home->io.ring_count, before + 1);
    on.home->run();
}

TEST(RemoteEvent, ACallerWithoutALoopIsWokenOnTheShards) {
    fixture on;
    on.event.start(1, on.done, on.signal);

    on.set();

    EXPECT_EQ(on.done.seen, words{}) << "in a later phase";
    on.shard.run();
    EXPECT_EQ(on.done.seen, words{"run"});
    EXPECT_EQ(on.done.seen_on, &on.shard.loop);
}

TEST(RemoteEvent, WhatHasHappenedAlreadyWakesInTheNextTurn) {
    fixture on;
    on.set();

    on.start_on_home();

    EXPECT_EQ(on.done.seen, words{}) << "never inside start()";
    on.home->run();
    EXPECT_EQ(on.done.seen, words{"run"});
    EXPECT_EQ(on.signal, nullptr);
}

TEST(RemoteEvent, WithoutALoopWhatHasHappenedAlreadyWakesAtOnce) {
    fixture on;
    on.set();

    on.event.start(1, on.done, on.signal);

    EXPECT_EQ(on.done.seen, words{"run"});
}

TEST(RemoteEvent, AHigherLevelWakesWhoWaitsForALowerOne) {
    fixture on;
    on.start_on_home(1);

    on.set(2);

    on.home->run();
    EXPECT_EQ(on.done.seen, words{"run"});
    EXPECT_EQ(on.event.level(), 2);
}

TEST(RemoteEvent, OneCallerMayWaitForOneLevelAfterTheOther) {
    fixture on;
    on.start_on_home(1);
    on.set(1);
    on.home->run();

    on.start_on_home(2);
    on.home->run();
    EXPECT_EQ(on.done.seen, words{"run"});
    on.set(2);
    on.home->run();

    EXPECT_EQ(on.done.seen, (words{"run", "run"}));
}

TEST(RemoteEvent, WhoHasTakenItsSignalBackIsNotWoken) {
    fixture on;
    on.start_on_home();

    EXPECT_TRUE(on.take_back_on_home());

    EXPECT_EQ(on.signal, nullptr);
    on.set();
    on.home->run();
    on.shard.run();
    EXPECT_EQ(on.done.seen, words{});
}

TEST(RemoteEvent, ASignalOnItsWayCannotBeTakenBack) {
    fixture on;
    on.start_on_home();
    on.set();

    EXPECT_FALSE(on.take_back_on_home());

    on.home->run();
    EXPECT_EQ(on.done.seen, words{"run"});
    EXPECT_FALSE(on.take_back_on_home()) << "there is none any more";
}

TEST(RemoteEvent, ACallerThatDiesIsNotWokenWhereverItsSignalIs) {
    fixture waiting;
    waiting.start_on_home();
    waiting.abandon_on_home();
    waiting.set();
    waiting.home->run();
    EXPECT_EQ(waiting.done.seen, words{});

    fixture under_way;
    under_way.start_on_home();
    under_way.set();
    under_way.abandon_on_home();
    under_way.home->run();
    EXPECT_EQ(under_way.done.seen, words{});
    EXPECT_EQ(under_way.signal, nullptr);
}

TEST(RemoteEvent, ALoopThatEndsDropsItsCallers) {
    fixture on;
    on.start_on_home();

    on.home->loop.end();

    EXPECT_EQ(on.done.seen, words{"drop"});
    EXPECT_EQ(on.signal, nullptr);
}

TEST(RemoteEvent, TheShardMayGoOnWhenTheCallersLoopIsGone) {
    fixture on;
    on.start_on_home();
    on.home.reset();
    ASSERT_EQ(on.done.seen, words{"drop"});

    on.set();

    EXPECT_EQ(on.event.level(), 1);
    EXPECT_EQ(on.done.seen, words{"drop"});
}

TEST(RemoteEvent, ASignalUnderWayToALoopThatEndsIsDropped) {
    fixture on;
    on.start_on_home();
    on.set();

    on.home->loop.end();

    EXPECT_EQ(on.done.seen, words{"drop"});
}

}  // namespace
}  // namespace sluice
