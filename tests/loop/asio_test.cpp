// sluice::loop as an execution context of Boost.Asio, on both reactors.
#include <gtest/gtest.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/defer.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/execution/executor.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>
#include <deque>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "loop/kinds.hpp"
#include "sluice/loop.hpp"
#include "sluice/loop_timer.hpp"

namespace sluice {
namespace {

namespace asio = boost::asio;
using namespace asio::experimental::awaitable_operators;
using namespace std::chrono_literals;
using asio::use_awaitable;

static_assert(asio::execution::is_executor<loop::executor_type>::value);
static_assert(asio::can_query_v<loop::executor_type, asio::execution::context_t>);
static_assert(std::is_convertible_v<loop::executor_type, asio::any_io_executor>);
static_assert(sizeof(loop::executor_type) == 2 * sizeof(void*));

class AsioLoop : public testing::TestWithParam<reactor_kind> {
protected:
    std::unique_ptr<sluice::loop> make() const {
        return std::make_unique<sluice::loop>(loop_options{.reactor = GetParam()});
    }
};
INSTANTIATE_TEST_SUITE_P(, AsioLoop, both_reactors, name_of_kind);

// Counts how many of them are alive: what is left of a frame or a handler that was not destroyed.
class tracked {
public:
    explicit tracked(int& alive) : alive_(&alive) { ++*alive_; }
    tracked(const tracked& other) : tracked(*other.alive_) {}
    tracked& operator=(const tracked&) = delete;
    ~tracked() { --*alive_; }

private:
    int* alive_;
};

TEST_P(AsioLoop, PostsDispatchesAndDefers) {
    const auto loop = make();
    const asio::any_io_executor any = loop->get_executor();
    std::vector<int> seen;

    asio::post(*loop, [&] {
        EXPECT_TRUE(loop->running_in_this_thread());
        seen.push_back(1);
        asio::post(*loop, [&] { seen.push_back(4); });
        asio::dispatch(any, [&] { seen.push_back(2); });  // at once
        asio::defer(any, [&] { seen.push_back(5); });
        seen.push_back(3);
    });
    asio::dispatch(any, [&] { seen.push_back(6); });  // not on the loop: posted
    EXPECT_TRUE(seen.empty());
    loop->run();

    EXPECT_EQ(seen, (std::vector<int>{1, 2, 3, 6, 4, 5}));
    EXPECT_FALSE(loop->running_in_this_thread());
    EXPECT_EQ(loop->reactor(), GetParam());
}

TEST_P(AsioLoop, KnowsTheProperties) {
    const auto loop = make();
    const auto executor = loop->get_executor();
    namespace execution = asio::execution;

    EXPECT_EQ(&asio::query(executor, execution::context), loop.get());
    EXPECT_EQ(asio::query(executor, execution::blocking), execution::blocking.possibly);
    EXPECT_EQ(asio::query(asio::require(executor, execution::blocking.never), execution::blocking),
              execution::blocking.never);
    EXPECT_EQ(asio::query(executor, execution::mapping), execution::mapping.thread);
    EXPECT_EQ(
        asio::query(asio::prefer(executor, execution::outstanding_work.tracked), execution::outstanding_work),
        execution::outstanding_work.tracked);
    EXPECT_EQ(
        asio::query(asio::prefer(executor, execution::relationship.continuation), execution::relationship),
        execution::relationship.continuation);
    EXPECT_EQ(executor, loop->get_executor());
    EXPECT_NE(executor, asio::require(executor, execution::blocking.never));
    EXPECT_NE(executor, make()->get_executor());
}

TEST_P(AsioLoop, RunsWhileWorkIsOutstanding) {
    const auto loop = make();
    auto guard = std::optional(asio::make_work_guard(*loop));
    auto copy = std::optional(*guard);
    loop_timer timer(*loop);
    bool has_run = false;

    timer.wait_for(1ms, [&](error_code) {
        guard.reset();
        asio::post(*loop, [&] {
            has_run = true;
            copy.reset();
        });
    });
    loop->run();

    EXPECT_TRUE(has_run);
}

asio::awaitable<int> sum_of(int count) {
    if (count == 0) co_return 0;
    const int rest = co_await sum_of(count - 1);
    co_await asio::post(co_await asio::this_coro::executor, use_awaitable);
    co_return rest + count;
}

TEST_P(AsioLoop, RunsCoroutines) {
    const auto loop = make();
    std::exception_ptr error;
    int sum = 0;

    asio::co_spawn(*loop, sum_of(100), [&](std::exception_ptr thrown, int result) {
        error = thrown;
        sum = result;
    });
    loop->run();

    EXPECT_EQ(error, nullptr);
    EXPECT_EQ(sum, 5050);
}

TEST_P(AsioLoop, AHandlerThatThrowsEndsRunAndNothingElse) {
    const auto loop = make();
    std::vector<int> seen;
    asio::post(*loop, [&] { seen.push_back(1); });
    asio::post(*loop, [] { throw std::runtime_error("handler"); });
    asio::post(*loop, [&] { seen.push_back(2); });

    EXPECT_THROW(loop->run(), std::runtime_error);
    EXPECT_EQ(seen, (std::vector<int>{1}));
    loop->run();
    EXPECT_EQ(seen, (std::vector<int>{1, 2}));
}

TEST_P(AsioLoop, StrandsKeepTheirOrder) {
    const auto loop = make();
    auto strand = asio::make_strand(loop->get_executor());
    std::string seen;

    asio::post(strand, [&] {
        seen += 'a';
        asio::dispatch(strand, [&] { seen += 'b'; });
        asio::post(strand, [&] { seen += 'd'; });
        seen += 'c';
    });
    loop->run();

    EXPECT_EQ(seen, "abcd");
}

TEST_P(AsioLoop, LetsAsioReuseTheMemoryOfHandlersAndFrames) {
    const auto loop = make();
    const auto is_known = [] { return asio::detail::thread_context::top_of_thread_call_stack() != nullptr; };
    int known_count = 0;
    const auto count = [&] { known_count += is_known() ? 1 : 0; };

    asio::post(*loop, count);
    loop->run();
    asio::post(*loop, count);
    loop->run_ready();
    EXPECT_EQ(known_count, 2);
    EXPECT_FALSE(is_known());

    asio::io_context host;
    asio::post(host, [&] { loop->run_ready(); });
    asio::post(*loop, count);
    host.run();
    EXPECT_EQ(known_count, 3);
}

using channel = asio::experimental::channel<void(error_code, int)>;

asio::awaitable<void> send_numbers(std::shared_ptr<channel> to, int count) {
    for (int i = 1; i <= count; ++i) co_await to->async_send({}, i, use_awaitable);
}
asio::awaitable<void> receive_numbers(std::shared_ptr<channel> from, int count, int& sum) {
    for (int i = 0; i < count; ++i) sum += co_await from->async_receive(use_awaitable);
}

TEST_P(AsioLoop, ChannelsCarryBetweenCoroutines) {
    const auto loop = make();
    const auto numbers = std::make_shared<channel>(loop->get_executor(), 2);
    int sum = 0;

    asio::co_spawn(*loop, send_numbers(numbers, 1000), asio::detached);
    asio::co_spawn(*loop, receive_numbers(numbers, 1000, sum), asio::detached);
    loop->run();

    EXPECT_EQ(sum, 500500);
}

TEST_P(AsioLoop, FuturesAreServedFromAnotherThread) {
    LEAVE_OUT_WHAT_THE_THREAD_SANITIZER_CANNOT_SEE(GetParam());
    const auto loop = make();
    auto guard = asio::make_work_guard(*loop);
    std::thread runner([&] { loop->run(); });

    for (int i = 0; i < 200; ++i) {
        std::future<int> sum = asio::co_spawn(*loop, sum_of(i % 4), asio::use_future);
        ASSERT_EQ(sum.get(), i % 4 * (i % 4 + 1) / 2);
    }
    loop_timer timer(*loop);
    timer.wait_for(1ms, asio::use_future).get();
    std::future<void> cancelled = timer.wait_for(1h, asio::use_future);
    timer.cancel();
    EXPECT_THROW(cancelled.get(), boost::system::system_error);

    guard.reset();
    runner.join();
}

TEST_P(AsioLoop, StopsFromAnotherThreadAndGoesOnLater) {
    LEAVE_OUT_WHAT_THE_THREAD_SANITIZER_CANNOT_SEE(GetParam());
    const auto loop = make();
    auto guard = asio::make_work_guard(*loop);

    for (int i = 0; i < 100; ++i) {
        std::thread stopping([&] { loop->stop(); });
        loop->run();
        stopping.join();
    }
    guard.reset();
    bool has_run = false;
    asio::post(*loop, [&] { has_run = true; });
    loop->run();

    EXPECT_TRUE(has_run);
}

// ---- loop_timer

TEST_P(AsioLoop, ATimerWaitsAtLeastAsLongAsAsked) {
    const auto loop = make();
    for (const auto wait :
         {std::chrono::microseconds(0), std::chrono::microseconds(200), std::chrono::microseconds(3000)}) {
        loop_timer timer(*loop);
        const auto start = std::chrono::steady_clock::now();
        std::chrono::steady_clock::duration waited{};
        bool is_initiating = true;

        timer.wait_for(wait, [&](error_code error) {
            waited = std::chrono::steady_clock::now() - start;
            EXPECT_FALSE(error);
            EXPECT_FALSE(is_initiating);
            EXPECT_TRUE(loop->running_in_this_thread());
        });
        is_initiating = false;
        loop->run();

        EXPECT_GE(waited, wait);
        EXPECT_NE(waited, std::chrono::steady_clock::duration::zero());
    }
}

asio::awaitable<void> sleep_in_turn(sluice::loop& loop, std::string& seen) {
    loop_timer timer(loop);
    co_await timer.wait_for(2ms, use_awaitable);
    seen += 'a';
    co_await timer.wait_until(std::chrono::steady_clock::now() - 1s, use_awaitable);
    seen += 'b';
    co_await timer.wait_for(-1h, use_awaitable);
    seen += 'c';
}

TEST_P(AsioLoop, ATimerIsAwaitedAgainAndAgain) {
    const auto loop = make();
    std::string seen;

    asio::co_spawn(*loop, sleep_in_turn(*loop, seen), asio::detached);
    loop->run();

    EXPECT_EQ(seen, "abc");
}

TEST_P(AsioLoop, TimersFireInTheOrderOfTheirDeadlines) {
    const auto loop = make();
    std::deque<loop_timer> timers;
    std::vector<int> seen;
    const auto start = std::chrono::steady_clock::now() + 2ms;

    for (const int order : {3, 1, 2, 0}) {
        timers.emplace_back(*loop).wait_until(start + order * 200us,
                                              [&seen, order](error_code) { seen.push_back(order); });
    }
    loop->run();

    EXPECT_EQ(seen, (std::vector<int>{0, 1, 2, 3}));
}

asio::awaitable<void> race(sluice::loop& loop, std::size_t& winner, bool& was_prompt) {
    loop_timer slow(loop), quick(loop);
    const auto start = std::chrono::steady_clock::now();
    winner = (co_await (slow.wait_for(1h, use_awaitable) || quick.wait_for(1ms, use_awaitable))).index();
    was_prompt = std::chrono::steady_clock::now() - start < 30min;
}

TEST_P(AsioLoop, TheLoserOfARaceIsCancelled) {
    const auto loop = make();
    std::size_t winner = 9;
    bool was_prompt = false;

    asio::co_spawn(*loop, race(*loop, winner, was_prompt), asio::detached);
    loop->run();

    EXPECT_EQ(winner, 1u);
    EXPECT_TRUE(was_prompt);
    EXPECT_EQ(loop->next_deadline(), std::chrono::steady_clock::time_point::max())
        << "nothing is left in the heap";
}

TEST_P(AsioLoop, CancellationSlotsEndAWait) {
    const auto loop = make();
    using asio::cancellation_type;
    for (const auto type :
         {cancellation_type::terminal, cancellation_type::partial, cancellation_type::total}) {
        asio::cancellation_signal signal;
        loop_timer timer(*loop);
        error_code seen;
        int count = 0;
        timer.wait_for(1h, asio::bind_cancellation_slot(signal.slot(), [&](error_code error) {
                           seen = error;
                           ++count;
                       }));

        asio::post(*loop, [&] {
            signal.emit(cancellation_type::none);
            signal.emit(type);
            EXPECT_EQ(count, 0) << "not inside the call that cancels";
            signal.emit(type);
        });
        loop->run();
        signal.emit(type);  // long over

        EXPECT_EQ(seen, asio::error::operation_aborted);
        EXPECT_EQ(count, 1);
    }
}

TEST_P(AsioLoop, ACancelThatComesTooLateChangesNothing) {
    const auto loop = make();
    asio::cancellation_signal signal;
    loop_timer timer(*loop);
    std::vector<error_code> seen;
    timer.wait_for(1ms, asio::bind_cancellation_slot(signal.slot(), [&](error_code error) {
                       seen.push_back(error);
                       timer.cancel();
                       signal.emit(asio::cancellation_type::all);
                   }));

    loop->run();

    EXPECT_EQ(seen, std::vector{error_code()});
}

TEST_P(AsioLoop, ANewWaitOrTheDestructorEndsAWait) {
    const auto loop = make();
    auto timer = std::make_optional<loop_timer>(*loop);
    std::vector<error_code> seen;
    const auto record = [&](error_code error) { seen.push_back(error); };

    timer->wait_for(1h, record);
    timer->wait_for(1h, record);
    timer.reset();
    loop->run();

    EXPECT_EQ(seen, (std::vector<error_code>(2, asio::error::operation_aborted)));
}

TEST_P(AsioLoop, ATimerMayBeDestroyedByItsOwnHandler) {
    const auto loop = make();
    auto timer = std::make_optional<loop_timer>(*loop);
    bool has_run = false;

    timer->wait_for(1ms, [&](error_code) {
        timer.reset();
        has_run = true;
    });
    loop->run();

    EXPECT_TRUE(has_run);
}

asio::awaitable<void> await_elsewhere(sluice::loop& loop, asio::io_context& own, int& good) {
    loop_timer timer(loop);
    for (int i = 0; i < 20; ++i) {
        co_await timer.wait_for(100us, use_awaitable);
        if (own.get_executor().running_in_this_thread()) ++good;
    }
    // Cancelled from here, while the loop runs on its own thread.
    loop_timer slow(loop);
    for (int i = 0; i < 20; ++i) {
        const auto winner =
            co_await (slow.wait_for(1h, use_awaitable) || timer.wait_for(100us, use_awaitable));
        if (winner.index() == 1 && own.get_executor().running_in_this_thread()) ++good;
    }
}

TEST_P(AsioLoop, ATimerAwaitedOnAnotherContextResumesThere) {
    LEAVE_OUT_WHAT_THE_THREAD_SANITIZER_CANNOT_SEE(GetParam());
    const auto loop = make();
    asio::io_context other;
    auto guard = asio::make_work_guard(*loop);
    std::thread runner([&] { loop->run(); });
    int good = 0;

    asio::co_spawn(other, await_elsewhere(*loop, other, good), asio::detached);
    other.run();
    guard.reset();
    runner.join();

    EXPECT_EQ(good, 40);
}

asio::awaitable<void> wait_for_ever(sluice::loop& loop, tracked) {
    loop_timer timer(loop);
    co_await timer.wait_for(1h, use_awaitable);
}

TEST_P(AsioLoop, AContextThatEndsTakesItsWaitingHandlersWithIt) {
    const auto loop = make();
    int alive = 0;
    {
        asio::io_context other;
        asio::co_spawn(other, wait_for_ever(*loop, tracked(alive)), asio::detached);
        other.poll();
        EXPECT_GT(alive, 0);
    }
    EXPECT_EQ(alive, 0);
    loop->run();  // no work is left outstanding

    asio::io_context outliving;
    {
        const auto short_lived = make();
        asio::co_spawn(outliving, wait_for_ever(*short_lived, tracked(alive)), asio::detached);
        outliving.poll();
        short_lived->run_ready();
        EXPECT_GT(alive, 0);
    }
    outliving.restart();
    outliving.run();  // the frames are destroyed by a post of theirs
    EXPECT_EQ(alive, 0);
}

// ---- the end

asio::awaitable<void> wait_nested(sluice::loop& loop, tracked inner) {
    loop_timer timer(loop);
    co_await (timer.wait_for(1h, use_awaitable) && wait_for_ever(loop, inner));
}
asio::awaitable<void> wait_in_channel(std::shared_ptr<channel> never_sent, tracked) {
    co_await never_sent->async_receive(use_awaitable);
}
asio::awaitable<void> wait_in_steady_timer(tracked) {
    asio::steady_timer timer(co_await asio::this_coro::executor, 1h);
    co_await timer.async_wait(use_awaitable);
}
asio::awaitable<void> wait_in_socket(tracked) {
    asio::ip::tcp::acceptor acceptor(co_await asio::this_coro::executor,
                                     {asio::ip::address_v4::loopback(), 0});
    co_await acceptor.async_accept(use_awaitable);
}

TEST_P(AsioLoop, DestroysWhatStillWaitsWhenItEnds) {
    int alive = 0;
    for (const bool has_run : {false, true}) {
        auto loop = make();
        const tracked mine(alive);
        auto never_sent = std::make_shared<channel>(loop->get_executor());
        asio::co_spawn(*loop, wait_for_ever(*loop, mine), asio::detached);
        asio::co_spawn(*loop, wait_nested(*loop, mine), asio::detached);
        asio::co_spawn(*loop, wait_in_channel(never_sent, mine), asio::detached);
        asio::co_spawn(asio::make_strand(loop->get_executor()), wait_for_ever(*loop, mine), asio::detached);
        if (has_run) {
            while (loop->run_ready()) {}
        }
        asio::post(*loop, [mine] { FAIL() << "dropped, not run"; });
        loop_timer(*loop).wait_for(1h, [mine](error_code) { FAIL() << "dropped, not run"; });
        EXPECT_GT(alive, 1);

        never_sent.reset();  // the coroutine has another reference
        loop.reset();

        EXPECT_EQ(alive, 1) << "only `mine` is left";
    }
}

TEST_P(AsioLoop, DestroysWhatWaitsInServicesOfAsio) {
    LEAVE_OUT_WHAT_THE_THREAD_SANITIZER_CANNOT_SEE(GetParam());
    int alive = 0;
    auto loop = make();
    asio::co_spawn(*loop, wait_in_steady_timer(tracked(alive)), asio::detached);
    asio::co_spawn(*loop, wait_in_socket(tracked(alive)), asio::detached);
    while (loop->run_ready()) {}
    EXPECT_EQ(alive, 2);

    loop.reset();

    EXPECT_EQ(alive, 0);
}

TEST_P(AsioLoop, DestroysAWaitThatItNeverGotToStart) {
    int alive = 0;
    auto loop = make();
    auto timer = std::make_unique<loop_timer>(*loop);
    timer->wait_for(1h, [mine = tracked(alive)](error_code) { FAIL() << "dropped, not run"; });
    EXPECT_EQ(alive, 1) << "on its way to the loop";
    asio::post(*loop, [dies_in_the_queue = std::move(timer)] { FAIL() << "dropped, not run"; });

    loop->stop();
    loop->run();
    loop.reset();

    EXPECT_EQ(alive, 0);
}

// A service that waits once more when it ought to end.
class late_service : public asio::execution_context::service {
public:
    using key_type = late_service;
    inline static asio::execution_context::id id;
    late_service(asio::execution_context& of, sluice::loop& on, int& alive)
        : service(of), timer_(on), alive_(&alive) {}

private:
    void shutdown() override {
        timer_.wait_for(0ms, [mine = tracked(*alive_)](error_code) { FAIL() << "dropped, not run"; });
    }
    loop_timer timer_;
    int* alive_;
};

TEST_P(AsioLoop, DropsAWaitThatStartsDuringItsEnd) {
    int alive = 0;
    auto loop = make();
    asio::make_service<late_service>(*loop, *loop, alive);  // shut down after the services that came later
    loop_timer(*loop).wait_for(1h, [](error_code) {});

    loop.reset();

    EXPECT_EQ(alive, 0);
}

asio::awaitable<void> posts_for_ever(tracked) {
    for (;;) co_await asio::post(co_await asio::this_coro::executor, use_awaitable);
}

TEST_P(AsioLoop, StopsInTheMiddleOfEverythingAndLeavesNothingBehind) {
    LEAVE_OUT_WHAT_THE_THREAD_SANITIZER_CANNOT_SEE(GetParam());
    int alive = 0;
    auto loop = make();
    for (int i = 0; i < 10; ++i) asio::co_spawn(*loop, posts_for_ever(tracked(alive)), asio::detached);
    asio::co_spawn(*loop, wait_for_ever(*loop, tracked(alive)), asio::detached);
    std::thread runner([&] { loop->run(); });

    loop_timer timer(*loop);
    timer.wait_for(2ms, asio::use_future).get();
    loop->stop();
    runner.join();
    EXPECT_EQ(alive, 11);
    loop.reset();  // on another thread than it ran on

    EXPECT_EQ(alive, 0);
}

// ---- side by side with others

asio::awaitable<void> echo_once(asio::ip::tcp::acceptor& acceptor) {
    asio::ip::tcp::socket socket = co_await acceptor.async_accept(use_awaitable);
    char text[4];
    co_await asio::async_read(socket, asio::buffer(text), use_awaitable);
    co_await asio::async_write(socket, asio::buffer(text), use_awaitable);
}
asio::awaitable<void> ask(asio::ip::tcp::endpoint server, std::string& answer) {
    asio::ip::tcp::socket socket(co_await asio::this_coro::executor);
    co_await socket.async_connect(server, use_awaitable);
    co_await asio::async_write(socket, asio::buffer("echo", 4), use_awaitable);
    answer.resize(4);
    co_await asio::async_read(socket, asio::buffer(answer), use_awaitable);
}

TEST_P(AsioLoop, AsiosOwnSocketsAndTimersWorkOnIt) {
    LEAVE_OUT_WHAT_THE_THREAD_SANITIZER_CANNOT_SEE(GetParam());
    const auto loop = make();
    asio::ip::tcp::acceptor acceptor(*loop, {asio::ip::address_v4::loopback(), 0});
    std::string answer;
    bool was_on_the_loop = false;
    asio::steady_timer timer(*loop, 2ms);

    asio::co_spawn(*loop, echo_once(acceptor), asio::detached);
    asio::co_spawn(*loop, ask(acceptor.local_endpoint(), answer), asio::detached);
    timer.async_wait([&](error_code) { was_on_the_loop = loop->running_in_this_thread(); });
    loop->run();

    EXPECT_EQ(answer, "echo");
    EXPECT_TRUE(was_on_the_loop);
}

TEST_P(AsioLoop, SeveralLoopsShareAThread) {
    const auto first = make(), second = make();
    std::string seen;
    const auto say = [&seen](char what) { return [&seen, what] { seen += what; }; };

    {
        sluice::loop::scope on_first(*first);
        EXPECT_TRUE(first->running_in_this_thread());
        asio::dispatch(*first, say('a'));   // at once
        asio::dispatch(*second, say('e'));  // posted
        {
            sluice::loop::scope on_second(*second);
            EXPECT_FALSE(first->running_in_this_thread());
            asio::dispatch(*second, say('b'));
            asio::dispatch(*first, say('d'));
        }
        asio::dispatch(*first, say('c'));
    }
    EXPECT_EQ(seen, "abc");

    asio::post(*first, [&] { asio::post(*second, say('f')); });
    while (first->run_ready() || second->run_ready()) {}
    EXPECT_EQ(seen, "abcdef");
    EXPECT_FALSE(first->running_in_this_thread());
}

}  // namespace
}  // namespace sluice
