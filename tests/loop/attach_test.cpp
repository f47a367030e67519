// A loop that an io_context hosts: what runs where, what keeps the context's run() going, and in which order all may end.
#include "sluice/attach.hpp"

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "loop/event_loop.hpp"
#include "loop/kinds.hpp"
#include "loop/loopback.hpp"
#include "sluice/loop_timer.hpp"

namespace sluice {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using asio::use_awaitable;

class Attached : public testing::TestWithParam<reactor_kind> {
protected:
    void SetUp() override { LEAVE_OUT_WHAT_THE_THREAD_SANITIZER_CANNOT_SEE(GetParam()); }
    std::unique_ptr<loop> make() const { return std::make_unique<loop>(loop_options{.reactor = GetParam()}); }
};
INSTANTIATE_TEST_SUITE_P(, Attached, both_reactors, name_of_kind);

asio::awaitable<void> sleep_on(loop& on, std::chrono::milliseconds wait, std::function<void()> then) {
    loop_timer timer(on);
    co_await timer.wait_for(wait, use_awaitable);
    then();
}

TEST_P(Attached, RunsOnTheContextsThreadAndResumesEachCoroutineWhereItBelongs) {
    asio::io_context context(1);
    const auto on = make();
    const attachment attached = attach(context, *on);
    int on_loop_count = 0, on_context_count = 0;

    const auto on_loop = [&] { on_loop_count += on->running_in_this_thread() ? 1 : 0; };
    const auto on_context = [&] {
        on_context_count += context.get_executor().running_in_this_thread() ? 1 : 0;
    };

    for (int i = 0; i < 3; ++i) {
        asio::co_spawn(*on, sleep_on(*on, 1ms, on_loop), asio::detached);
        asio::co_spawn(context, sleep_on(*on, 1ms, on_context), asio::detached);
    }
    context.run();

    EXPECT_EQ(on_loop_count, 3);
    EXPECT_EQ(on_context_count, 3);
    EXPECT_TRUE(attached.is_attached());
}

TEST_P(Attached, RunEndsWhenNothingOfTheLoopIsAwaitedAndMayBeCalledAgain) {
    asio::io_context context;
    const auto on = make();
    const attachment attached = attach(context, *on);
    std::string seen;

    EXPECT_LE(context.run(), 1u) << "one turn at most, and nothing to wait for";
    context.restart();
    asio::co_spawn(*on, sleep_on(*on, 1ms, [&] { seen += 'a'; }), asio::detached);
    context.run();
    EXPECT_EQ(seen, "a");
    context.restart();
    asio::post(*on, [&] { seen += 'b'; });
    context.run();
    EXPECT_EQ(seen, "ab");
}

TEST_P(Attached, WhatTheLastHandlerStartsOnTheLoopIsStillRun) {
    asio::io_context context(1);
    const auto on = make();
    const attachment attached = attach(context, *on);
    std::string seen;
    asio::steady_timer later(context, 5ms);  // the loop is asleep by then
    later.async_wait([&](error_code) {
        asio::post(*on, [&] {
            asio::co_spawn(*on, sleep_on(*on, 1ms, [&] { seen += 'c'; }), asio::detached);
            seen += 'b';
        });
        seen += 'a';
    });

    context.run();

    EXPECT_EQ(seen, "abc");
}

TEST_P(Attached, ManyTurnsLeaveTheCountOfWorkAsItWas) {
    asio::io_context context(1);
    const auto on = make();
    const attachment attached = attach(context, *on);
    int count = 0;

    for (int round = 0; round < 200; ++round) {
        asio::post(*on, [&] { ++count; });
        asio::co_spawn(*on, sleep_on(*on, std::chrono::milliseconds(round % 2), [&] { ++count; }),
                       asio::detached);
        context.run();
        EXPECT_TRUE(context.stopped());
        EXPECT_EQ(count, 2 * (round + 1));
        context.restart();
    }
}

TEST_P(Attached, IsWokenByOtherThreads) {
    constexpr int count = 20'000;
    asio::io_context context(1);
    const auto on = make();
    const attachment attached = attach(context, *on);
    auto work = asio::make_work_guard(*on);  // of the loop, and so of the context
    int run_count = 0;
    std::thread other([&] {
        for (int i = 0; i < count; ++i) {
            asio::post(*on, [&] {
                if (++run_count == count) work.reset();
            });
        }
    });

    context.run();
    other.join();

    EXPECT_EQ(run_count, count);
}

TEST_P(Attached, AnExceptionOfAHandlerLeavesTheContextsRunWhichMayGoOn) {
    asio::io_context context(1);
    const auto on = make();
    const attachment attached = attach(context, *on);
    bool has_run = false;
    asio::post(*on, [] { throw std::runtime_error("handler"); });
    asio::post(*on, [&] { has_run = true; });

    EXPECT_THROW(context.run(), std::runtime_error);
    EXPECT_FALSE(has_run);
    context.run();

    EXPECT_TRUE(has_run);
    EXPECT_TRUE(attached.is_attached());
}

TEST_P(Attached, AHandlerOfTheLoopMayRunTheContext) {
    asio::io_context context(1);
    const auto on = make();
    const attachment attached = attach(context, *on);
    std::string seen;
    asio::post(*on, [&] {
        asio::post(*on, [&] { seen += 'b'; });
        while (context.poll_one() != 0 && seen.empty()) seen += 'a';
    });

    context.run();

    EXPECT_EQ(seen.back(), 'b');
}

// ---- what is refused

std::string refusal_of(auto call) {
    try {
        call();
    } catch (const error& refused) {
        EXPECT_EQ(refused.code(), errc::invalid_config);
        return refused.what();
    }
    return "not refused";
}

TEST_P(Attached, RefusesAContextThatIsMadeForSeveralThreads) {
    asio::io_context context(4);
    const auto on = make();

    EXPECT_EQ(refusal_of([&] { static_cast<void>(attach(context, *on)); }),
              "sluice::attach: the io_context is made for 4 threads (its concurrency hint); a loop needs one "
              "that a "
              "single thread runs, io_context(1)");
}

TEST_P(Attached, RefusesALoopThatIsAttachedAlready) {
    asio::io_context context(1), other(1);
    const auto on = make();
    attachment attached = attach(context, *on);

    EXPECT_EQ(refusal_of([&] { static_cast<void>(attach(other, *on)); }),
              "sluice::attach: the loop is attached already");

    attached = attachment();
    attached = attach(other, *on);
    bool has_run = false;
    asio::post(*on, [&] { has_run = true; });
    context.run();
    EXPECT_FALSE(has_run);
    other.run();
    EXPECT_TRUE(has_run);
}

TEST_P(Attached, RefusesASecondThread) {
    asio::io_context context;
    const auto on = make();
    const attachment attached = attach(context, *on);
    context.run();
    context.restart();
    asio::post(*on, [] {});

    std::thread([&] {
        EXPECT_TRUE(refusal_of([&] {
                        context.run();
                    }).starts_with("sluice::attach: several threads run the io_context"));
    }).join();

    EXPECT_FALSE(attached.is_attached());
    bool has_run = false;
    asio::post(*on, [&] { has_run = true; });
    while (on->run_ready()) {}
    EXPECT_TRUE(has_run) << "it is the first thread's still";
}

// ---- in which order all may end

struct counted_frames {
    int alive = 0;
    int finished = 0;
};
asio::awaitable<void> wait_for_ever(loop& on, counted_frames& frames) {
    struct guard {
        explicit guard(counted_frames& of) : frames(of) { ++frames.alive; }
        ~guard() { --frames.alive; }
        counted_frames& frames;
    } alive(frames);
    loop_timer timer(on);
    co_await timer.wait_for(1h, use_awaitable);
    ++frames.finished;
}

class AttachedParts : public Attached {
protected:
    AttachedParts() = default;
    void begin() {
        context.emplace(1);
        on = make();
        attached = attach(*context, *on);
        asio::co_spawn(*context, wait_for_ever(*on, frames), asio::detached);
        asio::co_spawn(*on, wait_for_ever(*on, frames), asio::detached);
        while (frames.alive < 2) context->run_one();
        context->run_for(2ms);
    }
    void expect_nothing_left() {
        EXPECT_EQ(frames.alive, 0);
        EXPECT_EQ(frames.finished, 0);
        EXPECT_FALSE(attached.is_attached());
    }

    counted_frames frames;
    std::optional<asio::io_context> context;
    std::unique_ptr<loop> on;
    attachment attached;
};
INSTANTIATE_TEST_SUITE_P(, AttachedParts, both_reactors, name_of_kind);

TEST_P(AttachedParts, TheContextFirst) {
    begin();
    context.reset();
    EXPECT_EQ(frames.alive, 1);
    asio::post(*on, [] {});  // rings nobody
    on.reset();
    expect_nothing_left();
}

TEST_P(AttachedParts, TheLoopFirst) {
    begin();
    on.reset();
    EXPECT_EQ(frames.alive, 1) << "Asio posts the end of its frames to its own context";
    context->restart();
    context->run();
    EXPECT_EQ(frames.alive, 0);
    context.reset();
    expect_nothing_left();
}

TEST_P(AttachedParts, TheAttachmentFirst) {
    begin();
    attached.detach();
    context->restart();
    context->poll();
    EXPECT_EQ(frames.alive, 2);
    on.reset();
    context.reset();
    expect_nothing_left();
}

TEST_P(AttachedParts, TheAttachmentInAHandlerOfTheLoop) {
    begin();
    bool has_run = false;
    asio::post(*on, [&] {
        attached.detach();
        asio::post(*on, [&] { has_run = true; });
    });
    context->restart();
    context->run_for(5ms);
    EXPECT_TRUE(has_run) << "in the same turn";
    context.reset();
    on.reset();
    expect_nothing_left();
}

TEST_P(AttachedParts, TheContextWhileOtherThreadsRingTheLoop) {
    for (int round = 0; round < 20; ++round) {
        context.emplace(1);
        on = make();
        attached = attach(*context, *on);
        std::thread other([this] {
            for (int i = 0; i < 2000; ++i) asio::post(*on, [] {});
        });
        context->run_for(1ms);
        context.reset();
        other.join();
        on.reset();
        EXPECT_FALSE(attached.is_attached());
    }
}

}  // namespace
}  // namespace sluice
