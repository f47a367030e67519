#include "testing/sim_loop.hpp"

#include <gtest/gtest.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <stdexcept>

#include "sluice/loop.hpp"
#include "sluice/loop_timer.hpp"
#include "testing/sim_reactor.hpp"
#include "unit/testing/sim_findings.hpp"
#include "unit/testing/sim_operations.hpp"
#include "unit/testing/sim_peers.hpp"

namespace sluice::testing {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using ending = run_result::ending;

// Two loops and a broker that never answers by itself.
struct simulation {
    explicit simulation(std::uint64_t seed = 1, const fault_plan& faults = fault_plan::calm())
        : world(seed, faults) {}

    noting_peer peer;
    sim_world world;
    sim_network network{world};
    endpoint address = network.listen("broker", 9092, peer);
    sim_loop orders{network, "orders"};
    sim_loop payments{network, "payments"};
};

struct calling_task : remote_task {
    explicit calling_task(std::function<void()> call) : remote_task(&arrive), call_(std::move(call)) {}

private:
    static void arrive(task& self, fate what) {
        if (what == fate::run) static_cast<calling_task&>(self).call_();
    }
    std::function<void()> call_;
};

struct calling_timer : timer {
    explicit calling_timer(std::function<void()> call) : timer(&fire), call_(std::move(call)) {}

private:
    static void fire(timer& self) noexcept { static_cast<calling_timer&>(self).call_(); }
    std::function<void()> call_;
};

TEST(SimLoop, RunsTimersOfSeveralLoopsInTheOrderOfTime) {
    simulation s;
    std::vector<std::pair<const event_loop*, duration>> fired;
    const auto note = [&] { fired.emplace_back(event_loop::current(), s.world.elapsed()); };
    calling_timer a(note), b(note), c(note);
    const time_point start = s.world.now();

    s.orders.events().set_timer(a, start + 3ms);
    s.payments.events().set_timer(b, start + 2ms);
    s.orders.events().set_timer(c, start + 1ms);
    EXPECT_TRUE(s.world.run_until([&] { return fired.size() == 3; }, 1s));

    ASSERT_EQ(fired.size(), 3u);
    EXPECT_EQ(fired[0].first, &s.orders.events());
    EXPECT_EQ(fired[1].first, &s.payments.events());
    EXPECT_EQ(fired[2].first, &s.orders.events());
    for (std::size_t i = 0; i < 3; ++i) {
        EXPECT_GE(fired[i].second, 1ms * static_cast<int>(i + 1));
        EXPECT_LT(fired[i].second, 1ms * static_cast<int>(i + 1) + 100us);
    }
}

TEST(SimLoop, LoopsPostToEachOther) {
    simulation s;
    int count = 0;
    std::unique_ptr<calling_task> to_payments, to_orders;
    to_payments = std::make_unique<calling_task>([&] {
        EXPECT_TRUE(s.payments.events().is_current());
        s.orders.events().post_remote(*to_orders);
    });
    to_orders = std::make_unique<calling_task>([&] {
        EXPECT_TRUE(s.orders.events().is_current());
        if (++count < 100) s.payments.events().post_remote(*to_payments);
    });

    s.payments.events().post_remote(*to_payments);

    EXPECT_TRUE(s.world.run_until([&] { return count == 100; }, 1s));
}

TEST(SimLoop, WhoIsFirstDependsOnTheSeed) {
    const auto order_of = [](std::uint64_t seed) {
        simulation s(seed);
        std::string order;
        calling_task a([&] { order += 'a'; }), b([&] { order += 'b'; });
        s.orders.events().post_remote(a);
        s.payments.events().post_remote(b);
        s.world.run_for(1ms);
        return order;
    };
    int count = 0;
    for (std::uint64_t seed = 0; seed < 100; ++seed) count += order_of(seed) == "ab" ? 1 : 0;
    EXPECT_GT(count, 25);
    EXPECT_LT(count, 75);
}

TEST(SimLoop, RunsCoroutines) {
    simulation s;
    bool is_done = false;
    const auto wait = [](loop& on, bool& done) -> asio::awaitable<void> {
        loop_timer timer(on);
        for (int i = 0; i < 3; ++i) {
            co_await timer.wait_for(1h, asio::use_awaitable);
        }
        done = true;
    };
    asio::co_spawn(s.orders.facade(), wait(s.orders.facade(), is_done), asio::detached);

    EXPECT_TRUE(s.world.run_until([&] { return is_done; }, 4h));

    EXPECT_GE(s.world.elapsed(), 3h);
    EXPECT_LT(s.world.elapsed(), 3h + 1ms);
}

TEST(SimLoop, AHangNamesWhatEachLoopWaitsFor) {
    simulation s;
    connecting connect(s.address);
    receiving answer(1000);
    socket_id socket = socket_id::none;
    calling_task start([&] {
        socket = s.orders.io().open(AF_INET, {}).value();
        s.orders.io().connect(socket, connect);
    });
    connect.then = [&](int) { s.orders.io().receive(socket, answer); };
    s.orders.events().post_remote(start);
    s.payments.describe_with([] { return "2 coroutines wait for memory"; });

    const run_result result = s.world.run_until([&] { return answer.is_done(); }, 1h);

    EXPECT_EQ(result.how, ending::hang);
    EXPECT_LT(s.world.elapsed(), 1s);
    for (const char* part :
         {"seed 1", "loop 'orders': 1 operations pending, no deadline",
          "loop 'orders': receive on socket 0 (broker:9092): 1000 bytes, waiting, for 0.0",
          "loop 'payments': 0 operations pending, no deadline",
          "loop 'payments': 2 coroutines wait for memory", "connection 0, orders -> broker:9092: open"}) {
        EXPECT_NE(result.waiting.find(part), std::string::npos) << part << "\n\n" << result.waiting;
    }
    s.orders.io().cancel(answer);
    s.orders.events().ring();
    EXPECT_TRUE(s.world.run_until([&] { return answer.is_done(); }, 1s));
    s.orders.io().close(socket);
}

TEST(SimLoop, AnOperationThatNobodySubmitsIsAHangThatSaysSo) {
    simulation s;
    connecting connect(s.address);
    s.world.run_for(1ms);
    const socket_id socket = s.orders.io().open(AF_INET, {}).value();
    s.orders.io().connect(socket, connect);  // outside of a turn, and no submit()

    const run_result result = s.world.run_until([&] { return connect.is_done(); }, 1h);

    EXPECT_EQ(result.how, ending::hang);
    EXPECT_NE(result.waiting.find("connect on socket 0: not submitted"), std::string::npos) << result.waiting;
    s.orders.events().submit();
    EXPECT_TRUE(s.world.run_until([&] { return connect.is_done(); }, 1s));
    s.orders.io().close(socket);
}

TEST(SimLoop, ATaskThatPostsItselfForEverIsALivelock) {
    simulation s;
    std::unique_ptr<calling_task> again;
    again = std::make_unique<calling_task>([&] { s.orders.events().post(*again); });
    s.orders.events().post_remote(*again);
    s.world.busy_steps_max = 1000;

    EXPECT_EQ(s.world.run_until([] { return false; }, 1h).how, ending::livelock);
}

TEST(SimLoop, FindsACallIntoAnotherLoopsReactor) {
    simulation s;
    connecting connect(s.address);
    socket_id socket = socket_id::none;
    calling_task wrong([&] {
        socket = s.orders.io().open(AF_INET, {}).value();
        s.orders.io().connect(socket, connect);
    });
    s.payments.events().post_remote(wrong);

    s.world.run_for(1s);

    EXPECT_TRUE(are(s.world.findings(), {"loop 'orders': open was called on the thread of another loop",
                                         "loop 'orders': connect was called on the thread of another loop"}));
    s.orders.events().submit();
    s.world.run_for(1s);
    s.orders.io().close(socket);
}

TEST(SimLoop, AnExceptionOfATaskReachesTheTestAndTheLoopLivesOn) {
    simulation s;
    bool has_run = false;
    calling_task throwing([] { throw std::runtime_error("thrown by a task"); });
    calling_task after_it([&] { has_run = true; });
    s.orders.events().post_remote(throwing);
    s.orders.events().post_remote(after_it);

    EXPECT_THROW(static_cast<void>(s.world.run_for(1s)), std::runtime_error);
    EXPECT_FALSE(has_run);
    EXPECT_TRUE(s.world.run_until([&] { return has_run; }, 1s));
}

TEST(SimLoop, ALoopEndsWhileTheOthersGoOn) {
    simulation s;
    auto third = std::make_unique<sim_loop>(s.network, "third");
    bool was_run = false;
    asio::post(third->facade(), [&] { was_run = true; });
    calling_task ending_it([&] { third.reset(); });
    bool is_alive = false;
    calling_timer later([&] { is_alive = true; });
    s.orders.events().set_timer(later, s.world.now() + 1s);
    s.world.run_for(1ms);

    s.orders.events().post_remote(ending_it);
    EXPECT_TRUE(s.world.run_until([&] { return is_alive; }, 2s));

    EXPECT_TRUE(was_run);
    EXPECT_EQ(third, nullptr);
    EXPECT_TRUE(are(s.world.findings(), {}));
}

TEST(SimLoop, DrainsItsOperationsWhenItEnds) {
    // Who owns an operation cancels it when its loop ends, and it completes before the loop is gone.
    struct owner final : participant {
        explicit owner(sim_loop& of) : loop(of.events()) { loop.join(*this); }
        void take_messages(time_point) override {}
        void on_time(time_point) override {}
        void serve(time_point) override {}
        void drain(time_point) override {}
        time_point next_deadline() const override { return never; }
        bool has_messages() const noexcept override { return false; }
        void abandon() noexcept override { loop.io().cancel(received); }
        event_loop& loop;
        receiving received{16};
    };
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        simulation s(seed, fault_plan::from_seed(seed));
        auto ended = std::make_unique<sim_loop>(s.network, "ended");
        sim_reactor& io = ended->io();
        const auto opened = io.open(AF_INET, {});
        if (opened.has_error()) continue;
        owner shard(*ended);
        connecting connect(s.address);
        connect.then = [&](int) { io.receive(*opened, shard.received); };
        io.connect(*opened, connect);
        ended->events().ring();
        ASSERT_TRUE(s.world.run_until([&] { return shard.received.is_pending; }, 1h));
        shard.received.then = [&](int) { io.close(*opened); };

        ended.reset();

        EXPECT_EQ(shard.received.completion_count, 1);
        EXPECT_FALSE(shard.received.is_pending);
        EXPECT_TRUE(are(s.world.findings(), {}));
    }
}

TEST(SimLoop, WhatALoopLogsAsAnErrorIsAFinding) {
    simulation s;

    s.orders.events().log().warning("this is none");
    s.orders.events().log().error("{} is", "this");

    EXPECT_TRUE(are(s.world.findings(), {"loop 'orders' logged: this is"}));
}

TEST(SimLoop, APausedLoopFindsEverythingDueAtOnce) {
    fault_plan faults = fault_plan::calm();
    faults.pause = 1;
    faults.pause_max = 1h;
    faults.heals_after = 10s;
    simulation s(1, faults);
    int count = 0;
    std::vector<std::unique_ptr<calling_timer>> timers;
    for (int i = 0; i < 10; ++i) {
        timers.push_back(std::make_unique<calling_timer>([&] { ++count; }));
        s.orders.events().set_timer(*timers.back(), s.world.now() + 100ms * i);
    }

    s.world.run_for(900ms);
    EXPECT_EQ(count, 0);
    EXPECT_TRUE(s.world.run_until([&] { return count == 10; }, 2h));
}

TEST(SimLoop, RunsOnItsOwnToo) {
    // loop::run() waits in the reactor, and the reactor lets time pass.
    simulation s;
    bool is_done = false;
    const auto wait = [](loop& on, bool& done) -> asio::awaitable<void> {
        loop_timer timer(on);
        co_await timer.wait_for(5s, asio::use_awaitable);
        done = true;
    };
    asio::co_spawn(s.orders.facade(), wait(s.orders.facade(), is_done), asio::detached);

    s.orders.facade().run();

    EXPECT_TRUE(is_done);
    EXPECT_GE(s.world.elapsed(), 5s);
    EXPECT_EQ(s.orders.facade().reactor(), reactor_kind::simulated);
}

}  // namespace
}  // namespace sluice::testing
