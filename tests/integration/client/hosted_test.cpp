// A producer on a loop that lives inside somebody else's: what the host calls, and when it is asked to.
#include <poll.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>
#include <optional>

#include "integration/client/client_fixture.hpp"
#include "sluice/testing/fake_cluster_server.hpp"

namespace sluice::testing {
namespace {

namespace asio = boost::asio;

// A host that does nothing else than waiting for the loop.
class host {
public:
    explicit host(loop& hosted) : hosted_(hosted) {}

    void run_until(const std::function<bool()>& is_over) {
        for (;;) {
            const bool is_wanted = hosted_.run_ready(1ms);
            if (is_over()) return;
            if (!is_wanted) wait();
        }
    }
    void settle() {
        while (hosted_.run_ready()) {}
    }
    bool is_asked_for_a_turn() const {
        pollfd asked{hosted_.native_handle(), POLLIN, 0};
        return poll(&asked, 1, 0) == 1;
    }
    // Runs a coroutine on the loop to its end.
    void run(asio::awaitable<void> work) {
        bool is_over = false;
        asio::co_spawn(hosted_, std::move(work), [&is_over](std::exception_ptr failed) {
            is_over = true;
            if (failed) std::rethrow_exception(failed);
        });
        run_until([&is_over] { return is_over; });
    }

private:
    void wait() const {
        const auto due = hosted_.next_deadline();
        int limit_ms = -1;
        if (due != clock::time_point::max()) {
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(due - clock::now());
            limit_ms = static_cast<int>(std::max<std::int64_t>(0, left.count()));
        }
        pollfd asked{hosted_.native_handle(), POLLIN, 0};
        poll(&asked, 1, limit_ms);
    }
    loop& hosted_;
};

struct Hosted : ::testing::Test {
    fake_cluster_server kafka;
    kept_log log;
    loop on{{.log = log.sink()}};
    host in{on};
    producer to;

    Hosted() {
        kafka.with_cluster([](fake_cluster& cluster) { EXPECT_FALSE(cluster.create_topic("orders")); });
        producer_config config;
        config.bootstrap_servers = kafka.bootstrap();
        config.log = log.sink();
        config.linger = 1h;  // nothing leaves that is not asked to
        config.delivery_timeout = 2h;
        in.run(set_up(std::move(config)));
        in.settle();
    }
    asio::awaitable<void> set_up(producer_config config) {
        to = co_await producer::create(on, std::move(config));
        co_await to.partitions_for("orders");
    }
    asio::awaitable<void> flush() { co_await to.flush(); }
    asio::awaitable<void> close() { co_await to.close(); }
    std::size_t stored_count() {
        return kafka.with_cluster([](fake_cluster& cluster) { return cluster.records("orders", 0).size(); });
    }
};

TEST_F(Hosted, AScopeSendsAsTheLoopItselfDoesAndAsksForOneTurn) {
    std::optional<delivery> first, second;
    EXPECT_FALSE(in.is_asked_for_a_turn());
    {
        const loop::scope on_the_loop(on);
        first.emplace(to.try_send({"orders", "first"}).value());
        EXPECT_TRUE(in.is_asked_for_a_turn()) << "the batch's deadlines have to be asked for";
        second.emplace(to.try_send({"orders", "second"}).value());
    }
    in.settle();
    EXPECT_FALSE(in.is_asked_for_a_turn());
    EXPECT_NE(on.next_deadline(), clock::time_point::max()) << "the batch lingers";

    in.run(flush());

    const loop::scope on_the_loop(on);
    EXPECT_TRUE(first->poll());
    EXPECT_EQ(second->value().offset, 1);
}

TEST_F(Hosted, WithoutAScopeTheHostingThreadSendsAsAnyOtherThread) {
    auto sent = to.try_send({"orders", "value"});
    EXPECT_EQ(sent.error(), errc::would_block) << "no memory is lent to other threads yet";
    EXPECT_TRUE(in.is_asked_for_a_turn());
    in.settle();
    sent = to.try_send({"orders", "value"});
    EXPECT_TRUE(in.is_asked_for_a_turn());

    in.run(flush());

    EXPECT_EQ(sent->value().offset, 0);
}

TEST_F(Hosted, ALateCallInAScopeCountsFromNowAndNotFromTheLastTurn) {
    const auto before = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::system_clock::now().time_since_epoch());
    while (std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::system_clock::now().time_since_epoch()) <= before) {}
    {
        const loop::scope on_the_loop(on);
        EXPECT_TRUE(to.try_send({"orders", "value"}).has_value());
    }
    in.run(flush());

    const auto stored =
        kafka.with_cluster([](fake_cluster& cluster) { return cluster.records("orders", 0); });
    ASSERT_EQ(stored.size(), 1u);
    EXPECT_GT(stored[0].timestamp, before.count());
}

TEST_F(Hosted, ABurstInAScopeIsTheLoopsTurnAfterAWhileAndNothingIsLost) {
    constexpr std::size_t count = 10'000;
    std::size_t accepted_count = 0, refused_count = 0;
    while (accepted_count < count) {
        {
            const loop::scope on_the_loop(on);
            while (accepted_count < count) {
                const auto sent = to.try_send({"orders", "value"});
                if (!sent) {
                    EXPECT_EQ(sent.error(), errc::would_block);
                    ++refused_count;
                    break;
                }
                ++accepted_count;
            }
        }
        in.settle();
    }
    in.run(close());

    EXPECT_GT(refused_count, 0u);
    EXPECT_EQ(stored_count(), count);
}

}  // namespace
}  // namespace sluice::testing
