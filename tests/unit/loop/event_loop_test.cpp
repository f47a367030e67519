#include "loop/event_loop.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>

#include "unit/loop/fake_reactor.hpp"

namespace sluice {
namespace {

using namespace std::chrono_literals;

// A loop on the fake reactor, and a record of what happened.
struct fixture {
    fake_reactor::state io;
    std::vector<std::string> seen;
    std::vector<std::string> logged;
    event_loop loop{std::make_unique<fake_reactor>(io),
                    logger([this](log_level, std::string_view line) { logged.emplace_back(line); })};

    void say(std::string what) { seen.push_back(std::move(what)); }
};

using words = std::vector<std::string>;

// A task that says its name when it runs, or "drop" and its name.
class named_task : public remote_task {
public:
    named_task(fixture& on, std::string name, std::function<void()> then = {})
        : remote_task(&arrive), on_(&on), name_(std::move(name)), then_(std::move(then)) {}

private:
    static void arrive(task& self, fate what) {
        auto& mine = static_cast<named_task&>(self);
        mine.on_->say(what == fate::run ? mine.name_ : "drop " + mine.name_);
        if (mine.then_) mine.then_();
    }

    fixture* on_;
    std::string name_;
    std::function<void()> then_;
};

class named_participant : public participant {
public:
    named_participant(fixture& on, std::string name) : on_(&on), name_(std::move(name)) {}
    ~named_participant() override { on_->loop.leave(*this); }

    void take_messages(time_point) override { step("messages"); }
    void on_time(time_point) override { step("time"); }
    void serve(time_point) override { step("serve"); }
    void drain(time_point) override { step("drain"); }
    time_point next_deadline() const override { return deadline; }
    bool has_messages() const noexcept override { return has_message; }
    void abandon() noexcept override { step("abandon"); }

    time_point deadline = never;
    bool has_message = false;
    std::function<void(const std::string& phase)> at_phase;

private:
    void step(const std::string& phase) {
        on_->say(name_ + " " + phase);
        if (at_phase) at_phase(phase);
    }

    fixture* on_;
    std::string name_;
};

struct named_timer : timer {
    named_timer(fixture& on_, std::string name_) : timer(&fire), on(&on_), name(std::move(name_)) {}
    static void fire(timer& self) noexcept {
        auto& mine = static_cast<named_timer&>(self);
        mine.on->say(mine.name);
    }
    fixture* on;
    std::string name;
};

struct named_operation : io_operation {
    named_operation(fixture& on_, std::string name_, std::function<void()> then_ = {})
        : io_operation(&complete), on(&on_), name(std::move(name_)), then(std::move(then_)) {}
    static void complete(io_operation& self) noexcept {
        auto& mine = static_cast<named_operation&>(self);
        EXPECT_FALSE(mine.is_pending);
        mine.on->say(mine.name);
        if (mine.then) mine.then();
    }
    fixture* on;
    std::string name;
    std::function<void()> then;
};

TEST(EventLoop, RunsThePhasesOfATurnInOrder) {
    fixture f;
    named_participant shard(f, "shard");
    named_timer timer(f, "timer");
    named_operation operation(f, "completion");
    named_task task(f, "task");
    f.loop.join(shard);
    f.io.start(operation);
    f.io.complete(operation, 0);
    f.loop.run_ready();  // reaps the operation
    f.seen.clear();
    f.loop.set_timer(timer, f.io.now);
    f.loop.post(task);

    f.loop.run_ready();

    EXPECT_EQ(f.seen, (words{"shard messages", "timer", "shard time", "completion", "shard serve",
                             "shard drain", "task"}));
}

TEST(EventLoop, ReadsTheClockBeforeAndAfterTheWait) {
    fixture f;
    f.loop.work_started();
    named_timer timer(f, "timer");
    const time_point start = f.io.now;
    time_point in_drain, in_task;
    named_participant shard(f, "shard");
    shard.at_phase = [&](const std::string& phase) {
        if (phase == "drain" && in_drain == time_point{}) in_drain = f.loop.now();
    };
    named_task task(f, "task", [&] {
        in_task = f.loop.now();
        f.loop.stop();
    });
    f.loop.join(shard);
    f.io.while_waiting = [&] {
        f.io.now += 3ms;
        f.loop.post_remote(task);
    };

    f.loop.run();

    EXPECT_EQ(in_drain, start);
    EXPECT_EQ(in_task, start + 3ms);
    EXPECT_EQ(f.loop.wall_now(), wall_time{3600 * 1000 + 3});
}

TEST(EventLoop, RunsTasksInTheOrderOfPostingAlsoThoseThatTasksPost) {
    fixture f;
    named_task third(f, "third");
    named_task first(f, "first", [&] { f.loop.post(third); });
    named_task second(f, "second");
    f.loop.post(first);
    f.loop.post(second);

    f.loop.run_ready();

    EXPECT_EQ(f.seen, (words{"first", "second", "third"}));
}

TEST(EventLoop, DoesNotLetATaskThatPostsItselfStarveTheOtherPhases) {
    fixture f;
    int count = 0;
    std::unique_ptr<named_task> again;
    again = std::make_unique<named_task>(f, "again", [&] {
        ++count;
        f.loop.post(*again);
    });
    f.loop.post(*again);

    EXPECT_TRUE(f.loop.run_ready());

    EXPECT_GT(count, 1) << "a chain of steps needs no turn for each";
    EXPECT_LT(count, 1000);
    EXPECT_EQ(f.io.deadlines.size(), 1u);
}

TEST(EventLoop, MovesAWholeQueueOfWaitersBehindWhatIsReady) {
    fixture f;
    named_task ready(f, "ready"), waiter(f, "waiter"), other(f, "other waiter");
    task_list waiters;
    waiters.push_back(waiter);
    waiters.push_back(other);
    f.loop.post(ready);

    f.loop.post_all(waiters);
    f.loop.run_ready();

    EXPECT_TRUE(waiters.empty());
    EXPECT_EQ(f.seen, (words{"ready", "waiter", "other waiter"}));
}

TEST(EventLoop, RunsWhatOneThreadPostedInItsOrderWhicheverWay) {
    fixture f;
    named_task remote(f, "remote"), local(f, "local"), from_timer(f, "posted by the timer");
    struct posting_timer : timer {
        posting_timer(event_loop& on_, task& posted_) : timer(&fire), on(&on_), posted(&posted_) {}
        static void fire(timer& self) noexcept {
            auto& mine = static_cast<posting_timer&>(self);
            mine.on->post(*mine.posted);
        }
        event_loop* on;
        task* posted;
    } timer(f.loop, from_timer);

    f.loop.post_remote(remote);  // before the scope
    {
        event_loop::scope on_the_loop(f.loop);
        f.loop.post(local);
    }
    f.loop.run_ready();
    EXPECT_EQ(f.seen, (words{"remote", "local"}));

    f.seen.clear();
    f.loop.set_timer(timer, f.io.now);
    f.loop.post_remote(remote);  // before the turn
    f.loop.run_ready();
    EXPECT_EQ(f.seen, (words{"remote", "posted by the timer"}));
}

TEST(EventLoop, NeverRunsATaskThatWasDestroyed) {
    fixture f;
    auto destroyed = std::make_unique<named_task>(f, "destroyed");
    named_task destroyer(f, "destroyer", [&] { destroyed.reset(); });
    f.loop.post(destroyer);
    f.loop.post(*destroyed);

    f.loop.run_ready();

    EXPECT_EQ(f.seen, (words{"destroyer"}));
}

TEST(EventLoop, WaitsUntilTheSoonestDeadlineOfTimersAndParticipants) {
    fixture f;
    named_timer timer(f, "timer");
    named_participant shard(f, "shard");
    f.loop.work_started();
    f.loop.join(shard);
    const time_point start = f.io.now;
    shard.deadline = start + 5ms;
    f.loop.set_timer(timer, start + 20ms);
    EXPECT_EQ(f.loop.next_deadline(), start + 5ms);
    shard.at_phase = [&](const std::string& phase) {
        if (phase == "time" && f.loop.now() >= shard.deadline) shard.deadline = never;
        if (phase == "drain" && !timer.is_set()) f.loop.stop();
    };

    f.loop.run();

    EXPECT_GE(f.io.deadlines.size(), 2u);
    EXPECT_EQ(f.io.deadlines[0], start + 5ms);
    EXPECT_EQ(f.io.deadlines[1], start + 20ms);
    EXPECT_EQ(f.io.now, start + 20ms);
    EXPECT_NE(std::find(f.seen.begin(), f.seen.end(), "timer"), f.seen.end());
}

TEST(EventLoop, ACancelledTimerIsNoDeadline) {
    fixture f;
    named_timer timer(f, "timer");
    f.loop.set_timer(timer, f.io.now + 20ms);

    f.loop.cancel_timer(timer);

    EXPECT_EQ(f.loop.next_deadline(), never);
}

TEST(EventLoop, DoesNotWaitWhileThereIsSomethingToDo) {
    fixture f;
    named_participant shard(f, "shard");
    named_task task(f, "task");
    f.loop.work_started();
    f.loop.join(shard);

    f.loop.post(task);
    shard.at_phase = [&](const std::string& phase) {
        if (phase == "drain") f.loop.stop();  // asked to stop before the wait
    };
    f.loop.run();
    f.loop.run();  // no task this time
    EXPECT_EQ(f.io.wait_count(), 0);

    shard.has_message = true;
    shard.at_phase = [&](const std::string& phase) {
        if (phase == "drain" && f.io.deadlines.size() == 4) f.loop.stop();
    };
    f.loop.run();
    EXPECT_EQ(f.io.deadlines.size(), 5u);
    EXPECT_EQ(f.io.wait_count(), 0) << "a message is there";
}

TEST(EventLoop, RunEndsWhenNothingIsLeft) {
    fixture f;
    named_task task(f, "task");
    named_timer timer(f, "timer of a participant");
    named_operation operation(f, "operation");

    f.loop.run();
    EXPECT_TRUE(f.io.deadlines.empty()) << "no turn without anything to do";

    f.io.start(operation);
    f.loop.set_timer(timer, f.io.now + 1h);
    f.loop.post(task);
    f.loop.run();
    EXPECT_EQ(f.seen, (words{"task"})) << "timers and pending operations alone do not keep it";
    EXPECT_EQ(f.io.wait_count(), 0);

    f.io.complete(operation, 0);
    f.loop.end();
}

TEST(EventLoop, RunWaitsWhileWorkIsOutstanding) {
    fixture f;
    named_task task(f, "task", [&] { f.loop.work_finished(); });
    f.loop.work_started();
    f.io.while_waiting = [&] { f.loop.post_remote(task); };

    f.loop.run();

    EXPECT_EQ(f.seen, (words{"task"}));
    EXPECT_EQ(f.io.wait_count(), 1);
}

TEST(EventLoop, TheEndOfTheLastWorkWakesASleeper) {
    fixture f;
    f.loop.work_started();
    f.io.while_waiting = [&] { f.loop.work_finished(); };

    f.loop.run();

    EXPECT_EQ(f.io.ring_count, 1);
}

TEST(EventLoop, StopEndsRunAfterTheTurnAndTheNextRunStartsAfresh) {
    fixture f;
    named_task stopping(f, "stopping", [&] { f.loop.stop(); }), same_turn(f, "same turn"), later(f, "later");
    f.loop.post(stopping);
    f.loop.post(same_turn);

    f.loop.run();
    EXPECT_EQ(f.seen, (words{"stopping", "same turn"}));

    f.loop.post(later);
    f.loop.run();
    EXPECT_EQ(f.seen.back(), "later");
}

TEST(EventLoop, AStopBeforeRunIsNotLost) {
    fixture f;
    named_task task(f, "task");
    f.loop.post(task);

    f.loop.stop();
    f.loop.run();
    EXPECT_TRUE(f.seen.empty());

    f.loop.run();
    EXPECT_EQ(f.seen, (words{"task"}));
}

TEST(EventLoop, AStopWakesASleeper) {
    fixture f;
    f.loop.work_started();
    f.io.while_waiting = [&] { f.loop.stop(); };

    f.loop.run();

    EXPECT_EQ(f.io.ring_count, 1);
}

TEST(EventLoop, HandsWhatTheLastTasksStartedToTheKernel) {
    fixture f;
    named_task task(f, "task");
    f.loop.post(task);

    f.loop.run();

    EXPECT_EQ(f.io.submit_count, 1);
}

TEST(EventLoop, RingsOnlyForASleeperAndOnlyOnce) {
    fixture f;
    named_task awake(f, "awake"), first(f, "first"), second(f, "second"), in_turn(f, "in turn"),
        last(f, "last", [&] { f.loop.stop(); });
    f.loop.work_started();
    f.loop.post_remote(awake);
    EXPECT_EQ(f.io.ring_count, 0);
    f.io.while_waiting = [&] {
        f.loop.post_remote(first);
        f.loop.post_remote(second);
        f.loop.post_remote(last);
        f.io.while_waiting = {};
    };

    f.loop.run();

    EXPECT_EQ(f.seen, (words{"awake", "first", "second", "last"}));
    EXPECT_EQ(f.io.ring_count, 1);
}

TEST(EventLoop, SeesWhatIsPushedBetweenItsAnnouncementAndItsLook) {
    // has_messages() of a participant is asked after the announcement: who pushes there finds the loop
    // asleep, and rings.
    fixture f;
    struct pushing : named_participant {
        pushing(fixture& on, task& pushed_) : named_participant(on, "shard"), owner(&on), pushed(&pushed_) {}
        bool has_messages() const noexcept override {
            if (pushed != nullptr && event_loop::current() == &owner->loop &&
                owner->io.deadlines.size() == 1) {
                owner->loop.post_remote(static_cast<remote_task&>(*std::exchange(pushed, nullptr)));
            }
            return false;
        }
        fixture* owner;
        mutable task* pushed;
    };
    named_task pushed(f, "pushed", [&] { f.loop.stop(); });
    pushing shard(f, pushed);
    f.loop.work_started();
    f.loop.join(shard);
    named_task first(f, "first");
    f.loop.post(first);

    f.loop.run();

    EXPECT_EQ(f.io.ring_count, 1);
}

TEST(EventLoop, AnExceptionOfATaskLeavesTheOthersQueuedInOrder) {
    fixture f;
    named_task first(f, "first"), throwing(f, "throwing", [] { throw std::runtime_error("handler"); }),
        third(f, "third"), fourth(f, "fourth");
    f.loop.post(first);
    f.loop.post(throwing);
    f.loop.post(third);

    EXPECT_THROW(f.loop.run(), std::runtime_error);
    EXPECT_EQ(event_loop::current(), nullptr);
    f.loop.post(fourth);
    f.loop.run();

    EXPECT_EQ(f.seen, (words{"first", "throwing", "third", "fourth"}));
}

TEST(EventLoop, AnExceptionOfAParticipantLeavesTheLoopUsable) {
    fixture f;
    named_participant throwing(f, "throwing"), leaving(f, "leaving");
    f.loop.join(leaving);
    f.loop.join(throwing);
    throwing.at_phase = [&](const std::string& phase) {
        if (phase != "serve") return;
        f.loop.leave(leaving);
        throw std::runtime_error("serve");
    };

    EXPECT_THROW(f.loop.run_ready(), std::runtime_error);
    EXPECT_EQ(f.io.ring_count, 1) << "the host is asked to come back";
    throwing.at_phase = {};
    f.seen.clear();
    f.loop.run_ready();

    EXPECT_EQ(f.seen, (words{"throwing messages", "throwing time", "throwing serve", "throwing drain"}));
}

TEST(EventLoop, ParticipantsMayLeaveAndJoinDuringATurn) {
    fixture f;
    named_participant first(f, "first"), second(f, "second"), third(f, "third");
    f.loop.join(first);
    f.loop.join(second);
    first.at_phase = [&](const std::string& phase) {
        if (phase == "time") f.loop.leave(first);
        if (phase == "time") f.loop.leave(second);
        if (phase == "time") f.loop.join(third);
    };

    f.loop.run_ready();
    EXPECT_EQ(f.seen, (words{"first messages", "second messages", "first time", "third time", "third serve",
                             "third drain"}));

    f.seen.clear();
    f.loop.run_ready();
    EXPECT_EQ(f.seen, (words{"third messages", "third time", "third serve", "third drain"}));
    f.loop.leave(third);
    f.loop.leave(third);  // again: nothing happens
}

TEST(EventLoop, AParticipantMayLeaveInATask) {
    fixture f;
    named_participant shard(f, "shard");
    f.loop.join(shard);
    named_task task(f, "task", [&] { f.loop.leave(shard); });
    f.loop.post(task);

    f.loop.run();
    f.seen.clear();
    f.loop.run_ready();

    EXPECT_TRUE(f.seen.empty());
}

TEST(EventLoop, TheEndDropsWhatIsQueuedAndWhatThatPosts) {
    fixture f;
    auto loop = std::make_unique<event_loop>(std::make_unique<fake_reactor>(f.io), logger());
    named_participant shard(f, "shard");
    named_task second(f, "second"), third(f, "third"), fourth(f, "fourth");
    named_task first(f, "first", [&] {
        EXPECT_TRUE(loop->is_current());
        loop->post(second);
        loop->post_remote(third);
    });
    named_task remote(f, "remote");
    loop->join(shard);
    shard.at_phase = [&](const std::string&) {
        loop->leave(shard);  // as its destructor will
        loop->post(fourth);
    };
    loop->post(first);
    loop->post_remote(remote);

    loop->end();
    EXPECT_EQ(f.seen, (words{"shard abandon", "drop first", "drop remote", "drop fourth", "drop second",
                             "drop third"}));

    loop->post(second);
    loop.reset();
    EXPECT_EQ(f.seen.back(), "drop second") << "what is posted after the end is dropped too";
}

TEST(EventLoop, TheEndWaitsForTheLastCompletions) {
    fixture f;
    named_operation slow(f, "slow");
    named_task posted(f, "posted");
    named_operation cancelled(f, "cancelled", [&] { f.loop.post(posted); });
    f.io.start(slow);
    f.io.start(cancelled);
    f.io.complete(cancelled, -ECANCELED);
    f.io.while_waiting = [&] {
        if (f.io.deadlines.size() == 4 && slow.is_pending) f.io.complete(slow, -ECANCELED);
    };

    f.loop.end();

    EXPECT_EQ(f.seen, (words{"cancelled", "drop posted", "slow"}));
    EXPECT_EQ(f.io.pending_count, 0u);
}

TEST(EventLoopDeathTest, AnOperationThatNobodyCancelsIsABug) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_DEATH(
        {
            fixture f;
            named_operation forgotten(f, "forgotten");
            f.io.start(forgotten);
            f.loop.end();
        },
        "pending_count\\(\\) == 0");
}

TEST(EventLoopDeathTest, ATurnInsideATurnIsABug) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_DEATH(
        {
            fixture f;
            named_task nested(f, "nested", [&] { f.loop.run_ready(); });
            f.loop.post(nested);
            f.loop.run();
        },
        "in_turn_");
}

TEST(EventLoop, TellsAHostWhetherAnotherTurnIsWantedAtOnce) {
    fixture f;
    named_participant shard(f, "shard");
    named_operation operation(f, "completion");
    named_task task(f, "task");
    EXPECT_FALSE(f.loop.run_ready());

    f.loop.post(task);
    EXPECT_TRUE(f.loop.run_ready()) << "what the task started leaves in the next turn";
    EXPECT_FALSE(f.loop.run_ready());

    f.io.start(operation);
    f.io.complete(operation, 0);
    EXPECT_TRUE(f.loop.run_ready()) << "reaped, and its callback is next";
    EXPECT_FALSE(f.loop.run_ready());
    EXPECT_EQ(f.seen, (words{"task", "completion"}));

    f.loop.join(shard);
    shard.has_message = true;
    EXPECT_TRUE(f.loop.run_ready());
    shard.has_message = false;
    shard.deadline = f.io.now;
    EXPECT_TRUE(f.loop.run_ready());
    shard.deadline = f.io.now + 1ms;
    EXPECT_FALSE(f.loop.run_ready());
    EXPECT_EQ(f.loop.next_deadline(), f.io.now + 1ms);
    EXPECT_EQ(f.io.wait_count(), 0) << "it never waits";
}

TEST(EventLoop, AsksItsHostForATurnWhenSomethingComesFromOutside) {
    fixture f;
    named_task remote(f, "remote"), local(f, "local"), waiter(f, "waiter");
    named_timer timer(f, "timer");
    task_list waiters;
    waiters.push_back(waiter);
    const auto rings = [&](auto what) {
        f.loop.run_ready();
        f.loop.run_ready();
        f.io.ring_count = 0;
        what();
        return f.io.ring_count;
    };

    EXPECT_EQ(rings([&] { f.loop.post_remote(remote); }), 1);
    EXPECT_EQ(rings([&] { f.loop.post(local); }), 1);
    EXPECT_EQ(rings([&] { f.loop.post_all(waiters); }), 1);
    EXPECT_EQ(rings([&] { f.loop.set_timer(timer, f.io.now + 1ms); }), 1);
    EXPECT_EQ(rings([&] { f.loop.ring(); }), 1);
    EXPECT_EQ(rings([&] { f.loop.stop(); }), 1);
}

TEST(EventLoop, WithinABudgetRunsAsManyTurnsAsAreWanted) {
    fixture f;
    named_operation completion(f, "completion");
    named_task second(f, "second");
    named_task first(f, "first", [&] {
        f.io.start(completion);
        f.io.complete(completion, 0);
        f.loop.post(second);
    });
    f.loop.post(first);

    EXPECT_FALSE(f.loop.run_ready(1ms));

    EXPECT_EQ(f.seen, (words{"first", "second", "completion"}));
    EXPECT_EQ(f.io.wait_count(), 0);
}

TEST(EventLoop, ReturnsWhenItsBudgetIsUsedUpAndGoesOnInOrderLater) {
    fixture f;
    const auto takes_2_ms = [&f] { f.io.now += 2ms; };
    named_task a(f, "a", takes_2_ms), b(f, "b", takes_2_ms), c(f, "c", takes_2_ms), d(f, "d");
    for (named_task* each : {&a, &b, &c}) f.loop.post(*each);

    EXPECT_TRUE(f.loop.run_ready(3ms));
    EXPECT_EQ(f.seen, (words{"a", "b"})) << "b had begun when the budget ended";

    f.loop.post(d);
    EXPECT_TRUE(f.loop.run_ready(1ns));
    EXPECT_EQ(f.seen, (words{"a", "b", "c"})) << "one at least";
    EXPECT_FALSE(f.loop.run_ready(1ns) && f.loop.run_ready());
    EXPECT_EQ(f.seen, (words{"a", "b", "c", "d"}));
}

TEST(EventLoop, ABudgetBoundsTasksThatPostOneAnother) {
    fixture f;
    int count = 0;
    std::unique_ptr<named_task> again;
    again = std::make_unique<named_task>(f, "again", [&] {
        ++count;
        f.io.now += 1ms;
        f.loop.post(*again);
    });
    f.loop.post(*again);

    EXPECT_TRUE(f.loop.run_ready(10ms));

    EXPECT_EQ(count, 10);
}

TEST(EventLoop, WithoutABudgetRunsOneTurnAndReadsNoClockForIt) {
    fixture f;
    named_task second(f, "second"), first(f, "first", [&] { f.loop.post(second); });
    f.loop.post(first);
    f.io.clock_read_count = 0;

    EXPECT_TRUE(f.loop.run_ready());

    EXPECT_EQ(f.seen, (words{"first", "second"}));
    EXPECT_EQ(f.io.clock_read_count, 2) << "before the turn's work and after its wait";
}

TEST(EventLoop, TheFirstCallOutsideOfATurnReadsTheClockAndAsksForATurn) {
    fixture f;
    f.loop.run_ready();
    f.io.ring_count = 0;
    f.io.now += 1s;
    const int read_before = f.io.clock_read_count;

    f.loop.note_call();
    EXPECT_EQ(f.loop.now(), f.io.now);
    EXPECT_EQ(f.io.ring_count, 1);
    f.loop.note_call();
    EXPECT_EQ(f.io.clock_read_count, read_before + 1);
    EXPECT_EQ(f.io.ring_count, 1);

    named_task calling(f, "calling", [&] {
        f.io.ring_count = 0;
        f.loop.note_call();
    });
    f.loop.post(calling);
    f.loop.run_ready();
    EXPECT_EQ(f.io.ring_count, 0) << "inside of a turn nobody has to be asked";
    f.loop.note_call();
    EXPECT_EQ(f.io.ring_count, 1);
}

TEST(EventLoop, IsTheCurrentOneInItsTurnsAndScopes) {
    fixture f, g;
    event_loop* in_task = nullptr;
    named_task task(f, "task", [&] { in_task = event_loop::current(); });
    f.loop.post(task);

    {
        event_loop::scope outer(g.loop);
        f.loop.run_ready();
        EXPECT_TRUE(g.loop.is_current());
        {
            event_loop::scope inner(f.loop);
            EXPECT_TRUE(f.loop.is_current());
        }
        EXPECT_TRUE(g.loop.is_current());
    }

    EXPECT_EQ(in_task, &f.loop);
    EXPECT_EQ(event_loop::current(), nullptr);
}

}  // namespace
}  // namespace sluice
