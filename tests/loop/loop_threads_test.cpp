// Wake-ups: from other threads, from other loops, and for a loop inside somebody else's. None may be lost.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <atomic>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <deque>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "base/mpsc_queue.hpp"
#include "loop/event_loop.hpp"
#include "loop/kinds.hpp"
#include "loop/loopback.hpp"
#include "loop/make_reactor.hpp"
#include "sluice/invariant.hpp"
#include "sluice/loop.hpp"
#include "sluice/loop_timer.hpp"

namespace sluice {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

constexpr int thread_count = 2;
constexpr int each_count = 100'000;
// After each burst a thread waits until the loop has run dry: it is about to fall asleep then.
constexpr int burst_size = 64;

class LoopThreads : public testing::TestWithParam<reactor_kind> {
protected:
    void SetUp() override { LEAVE_OUT_WHAT_THE_THREAD_SANITIZER_CANNOT_SEE(GetParam()); }
    std::unique_ptr<event_loop> make_events() const {
        return std::make_unique<event_loop>(*make_reactor(GetParam(), logger()), logger());
    }
    std::unique_ptr<sluice::loop> make() const {
        return std::make_unique<sluice::loop>(loop_options{.reactor = GetParam()});
    }
};
INSTANTIATE_TEST_SUITE_P(, LoopThreads, both_reactors, name_of_kind);

// What one thread has posted and the loop has run.
struct lane {
    std::atomic<int> run_count{0};
    bool is_in_order = true;
    void arrive(int number) {
        is_in_order = is_in_order && number == run_count.load(std::memory_order_relaxed);
        run_count.store(number + 1, std::memory_order_release);
    }
    void wait_for(int count) const {
        while (run_count.load(std::memory_order_acquire) < count) std::this_thread::yield();
    }
};

struct numbered_task : remote_task {
    numbered_task() : remote_task(&arrive) {}
    static void arrive(task& self, fate) {
        auto& mine = static_cast<numbered_task&>(self);
        mine.of->arrive(mine.number);
    }
    lane* of = nullptr;
    int number = 0;
};

class LoopThreadsTasks : public LoopThreads {
protected:
    static void post_from_threads_and_run(event_loop& loop);
};
INSTANTIATE_TEST_SUITE_P(, LoopThreadsTasks, both_reactors, name_of_kind);

void LoopThreadsTasks::post_from_threads_and_run(event_loop& loop) {
    loop.work_started();
    std::deque<lane> lanes(thread_count);
    std::atomic<int> running{thread_count};
    std::vector<std::thread> threads;
    for (lane& mine : lanes) {
        threads.emplace_back([&loop, &mine, &running] {
            std::vector<numbered_task> tasks(each_count);
            for (int i = 0; i < each_count; ++i) {
                numbered_task& posted = tasks[static_cast<std::size_t>(i)];
                posted.of = &mine;
                posted.number = i;
                loop.post_remote(posted);
                if (i % burst_size == 0) mine.wait_for(i + 1);
            }
            mine.wait_for(each_count);
            if (--running == 0) loop.work_finished();
        });
    }

    loop.run();
    for (std::thread& each : threads) each.join();

    for (const lane& each : lanes) {
        EXPECT_EQ(each.run_count, each_count);
        EXPECT_TRUE(each.is_in_order);
    }
}

TEST_P(LoopThreadsTasks, NoneIsLost) {
    post_from_threads_and_run(*make_events());
}

TEST_P(LoopThreadsTasks, NoneIsLostWhenAHostedLoopRunsByItself) {
    const auto loop = make_events();
    EXPECT_GE(loop->io().native_handle(), 0);

    post_from_threads_and_run(*loop);
}

struct numbered_message : mpsc_node {
    lane* of = nullptr;
    int number = 0;
};

class mailbox : public participant {
public:
    explicit mailbox(event_loop& on) : on_(&on) { on_->join(*this); }
    ~mailbox() override { on_->leave(*this); }
    void push(numbered_message& message) {
        messages_.push(message);
        on_->ring();
    }
    void take_messages(time_point) override {
        for (numbered_message* oldest = messages_.take_all(); oldest != nullptr;) {
            numbered_message* younger = mpsc_queue<numbered_message>::next(*oldest);
            oldest->of->arrive(oldest->number);
            oldest = younger;
        }
    }
    void on_time(time_point) override {}
    void serve(time_point) override {}
    void drain(time_point) override {}
    time_point next_deadline() const override { return never; }
    bool has_messages() const noexcept override { return !messages_.empty(); }
    void abandon() noexcept override {}

private:
    event_loop* on_;
    mpsc_queue<numbered_message> messages_;
};

TEST_P(LoopThreads, NoMessageToAParticipantIsLost) {
    const auto loop = make_events();
    mailbox box(*loop);
    loop->work_started();
    std::deque<lane> lanes(thread_count);
    std::atomic<int> running{thread_count};
    std::vector<std::thread> threads;
    for (lane& mine : lanes) {
        threads.emplace_back([&loop, &box, &mine, &running] {
            std::vector<numbered_message> messages(each_count);
            for (int i = 0; i < each_count; ++i) {
                numbered_message& pushed = messages[static_cast<std::size_t>(i)];
                pushed.of = &mine;
                pushed.number = i;
                box.push(pushed);
                if (i % burst_size == 0) mine.wait_for(i + 1);
            }
            mine.wait_for(each_count);
            if (--running == 0) loop->work_finished();
        });
    }

    loop->run();
    for (std::thread& each : threads) each.join();

    for (const lane& each : lanes) {
        EXPECT_EQ(each.run_count, each_count);
        EXPECT_TRUE(each.is_in_order);
    }
}

asio::awaitable<void> go_to_and_fro(sluice::loop& there, int count, int& hops) {
    const auto here = co_await asio::this_coro::executor;
    for (int i = 0; i < count; ++i) {
        co_await asio::post(asio::bind_executor(there.get_executor(), asio::use_awaitable));
        if (there.running_in_this_thread()) ++hops;
        co_await asio::post(here, asio::use_awaitable);
    }
}

TEST_P(LoopThreads, TwoLoopsWakeEachOther) {
    const auto first = make(), second = make();
    int hops_of_first = 0, hops_of_second = 0;
    std::atomic<int> running{2};
    auto first_work = std::optional(asio::make_work_guard(*first));
    auto second_work = std::optional(asio::make_work_guard(*second));
    const auto finish = [&](std::exception_ptr) {
        if (--running > 0) return;
        first_work.reset();
        second_work.reset();
    };
    asio::co_spawn(*first, go_to_and_fro(*second, 5000, hops_of_first), finish);
    asio::co_spawn(*second, go_to_and_fro(*first, 5000, hops_of_second), finish);

    std::thread other([&] { second->run(); });
    first->run();
    other.join();

    EXPECT_EQ(hops_of_first + hops_of_second, 10000);
}

// ---- a loop inside a plain epoll program

class host {
public:
    explicit host(sluice::loop& hosted) : hosted_(hosted), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
        watch(hosted_.native_handle());
        watch(own_.get());
    }
    // Serves its own events and the loop's until `is_over`.
    void run(const std::function<bool()>& is_over) {
        for (;;) {
            const bool is_wanted_again = hosted_.run_ready();
            if (is_over()) return;
            if (is_wanted_again) continue;
            epoll_event event{};
            if (::epoll_wait(epoll_.get(), &event, 1, limit_ms()) == 1 && event.data.fd == own_.get()) {
                std::uint64_t count = 0;
                EXPECT_EQ(::read(own_.get(), &count, sizeof count), 8);
                own_count_ += count;
                if (on_own_event) on_own_event();
            }
        }
    }
    void send_own_event() const {
        const std::uint64_t one = 1;
        EXPECT_EQ(::write(own_.get(), &one, sizeof one), 8);
    }
    bool is_silent(int limit) const {
        epoll_event event{};
        int count = -1;
        // EINTR: the kernel tidies up after the ring of an earlier test.
        while (count < 0) count = ::epoll_wait(epoll_.get(), &event, 1, limit);
        return count == 0;
    }
    std::uint64_t own_count() const { return own_count_; }
    std::function<void()> on_own_event;

private:
    void watch(int file) {
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.fd = file;
        EXPECT_EQ(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, file, &event), 0);
    }
    int limit_ms() const {
        const auto due = hosted_.next_deadline();
        if (due == std::chrono::steady_clock::time_point::max()) return -1;
        const auto wait = due - std::chrono::steady_clock::now();
        return std::max(0, static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(wait).count()));
    }

    sluice::loop& hosted_;
    descriptor epoll_;
    descriptor own_{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
    std::uint64_t own_count_ = 0;
};

TEST_P(LoopThreads, AHostMissesNothingThatOtherThreadsPost) {
    const auto loop = make();
    host in(*loop);
    std::deque<lane> lanes(thread_count);
    std::vector<std::thread> threads;
    for (lane& mine : lanes) {
        threads.emplace_back([&loop, &mine, &in] {
            for (int i = 0; i < each_count / 5; ++i) {
                asio::post(*loop, [&mine, i] { mine.arrive(i); });
                if (i % burst_size == 0) {
                    mine.wait_for(i + 1);
                    in.send_own_event();
                }
            }
        });
    }

    in.run([&] { return lanes[0].run_count == each_count / 5 && lanes[1].run_count == each_count / 5; });
    for (std::thread& each : threads) each.join();

    EXPECT_TRUE(lanes[0].is_in_order);
    EXPECT_TRUE(lanes[1].is_in_order);
}

asio::awaitable<void> sleep_often(sluice::loop& loop, int& count) {
    loop_timer timer(loop);
    for (int i = 0; i < 5; ++i) {
        co_await timer.wait_for(1ms, asio::use_awaitable);
        ++count;
    }
}

TEST_P(LoopThreads, AHostKeepsTheDeadlinesAndIsLeftInPeaceInBetween) {
    const auto loop = make();
    host in(*loop);
    int count = 0;
    asio::co_spawn(*loop, sleep_often(*loop, count), asio::detached);

    in.run([&] { return count == 5; });
    while (loop->run_ready()) {}

    EXPECT_TRUE(in.is_silent(50));
    EXPECT_EQ(loop->next_deadline(), std::chrono::steady_clock::time_point::max());
}

TEST_P(LoopThreads, AHostIsAskedForATurnAfterACallInAScope) {
    const auto loop = make();
    host in(*loop);
    std::string seen;
    loop_timer timer(*loop);
    in.on_own_event = [&] {
        sluice::loop::scope on_the_loop(*loop);
        asio::dispatch(*loop, [&] { seen += 'a'; });
        asio::post(*loop, [&] { seen += 'c'; });
        timer.wait_for(0ms, [&](error_code) { seen += 'd'; });
        seen += 'b';
    };
    in.send_own_event();

    in.run([&] { return seen.size() == 4; });

    EXPECT_EQ(seen, "abcd");
    EXPECT_EQ(in.own_count(), 1u);
}

TEST_P(LoopThreads, AHostThatCatchesAnExceptionIsAskedToComeBack) {
    const auto loop = make();
    host in(*loop);
    bool has_run = false;
    asio::post(*loop, [] { throw std::runtime_error("handler"); });
    asio::post(*loop, [&] { has_run = true; });

    EXPECT_THROW(in.run([&] { return has_run; }), std::runtime_error);
    EXPECT_FALSE(in.is_silent(5000));
    in.run([&] { return has_run; });
}

// A participant's socket operations in a hosted loop, started outside of a turn.
TEST_P(LoopThreads, AHostSubmitsWhatItStarted) {
    const auto loop = make();
    host in(*loop);
    listener server;
    reactor& io = loop->events().io();
    struct counted_connect : connect_operation {
        counted_connect() : connect_operation(&complete) {}
        static void complete(io_operation& self) noexcept {
            static_cast<counted_connect&>(self).is_done = true;
        }
        bool is_done = false;
    } connect;
    connect.peer = server.address();
    const socket_id socket = *io.open(AF_INET, {});
    while (loop->run_ready()) {}

    {
        sluice::loop::scope on_the_loop(*loop);
        io.connect(socket, connect);
    }
    loop->submit();
    in.run([&] { return connect.is_done; });

    EXPECT_EQ(connect.result, 0);
    io.close(socket);
}

// ---- who may call

struct broken_rule : std::runtime_error {
    using std::runtime_error::runtime_error;
};
// Breaking a rule throws, for so long.
class throwing_rules {
public:
    throwing_rules() : before_(set_invariant_handler(&throw_rule)) {}
    ~throwing_rules() { set_invariant_handler(before_); }

private:
    static void throw_rule(const char* rule, const char*, int) { throw broken_rule(rule); }
    invariant_handler before_;
};

std::string rule_broken_by(auto call) {
    try {
        call();
    } catch (const broken_rule& rule) {
        return rule.what();
    }
    return "none";
}

constexpr const char* thread_rule =
    "a sluice::loop is run or hosted by one thread, and this call came on another";

TEST_P(LoopThreads, HostedItBelongsToTheThreadThatHostsIt) {
    const throwing_rules rules;
    const auto loop = make();
    while (loop->run_ready()) {}

    std::thread([&] {
        EXPECT_EQ(rule_broken_by([&] { loop->run_ready(); }), thread_rule);
        EXPECT_EQ(rule_broken_by([&] { loop->run_ready(1ms); }), thread_rule);
        EXPECT_EQ(rule_broken_by([&] { loop->submit(); }), thread_rule);
        EXPECT_EQ(rule_broken_by([&] { loop->next_deadline(); }), thread_rule);
        EXPECT_EQ(rule_broken_by([&] { loop->run(); }), thread_rule);
        EXPECT_EQ(rule_broken_by([&] { sluice::loop::scope entered(*loop); }), thread_rule);
    }).join();

    EXPECT_EQ(rule_broken_by([&] {
                  loop->run();
                  loop->run_ready();
              }),
              "none");
}

TEST_P(LoopThreads, ItsThreadMayChangeBetweenTwoRuns) {
    const throwing_rules rules;
    const auto loop = make();
    int run_count = 0;
    asio::post(*loop, [&] {
        ++run_count;
        std::thread([&] {
            EXPECT_EQ(rule_broken_by([&] { loop->run(); }), thread_rule);
            EXPECT_EQ(rule_broken_by([&] { loop->run_ready(); }), thread_rule);
            EXPECT_EQ(rule_broken_by([&] { sluice::loop::scope entered(*loop); }), thread_rule);
        }).join();
    });
    loop->run();
    asio::post(*loop, [&] { ++run_count; });

    std::thread([&] { EXPECT_EQ(rule_broken_by([&] { loop->run(); }), "none"); }).join();

    EXPECT_EQ(run_count, 2);
}

TEST(LoopThreadsDeathTest, ACallOnTheWrongThreadEndsTheProcessAndSaysWhy) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_DEATH(
        {
            sluice::loop loop;
            loop.run_ready();
            std::thread([&] { loop.run_ready(); }).join();
        },
        "sluice: wrong use: a sluice::loop is run or hosted by one thread, and this call came on another");
}

}  // namespace
}  // namespace sluice
