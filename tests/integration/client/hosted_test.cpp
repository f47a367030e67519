// A producer on a loop that lives inside somebody else's: what the host calls, and when it is asked to.
#include <poll.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>
#include <optional>
#include <thread>
#include <tuple>

#include "integration/client/client_fixture.hpp"
#include "integration/produce_watch.hpp"
#include "sluice/attach.hpp"
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
    // Until the loop wants nothing, sockets included.
    void settle() {
        do {
            while (hosted_.run_ready()) {}
        } while (is_asked_for_a_turn());
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
    {
        const loop::scope on_the_loop(on);
        first.emplace(to.try_send({"orders", "first"}).value());
        EXPECT_TRUE(in.is_asked_for_a_turn()) << "the batch's deadlines have to be asked for";
        second.emplace(to.try_send({"orders", "second"}).value());
    }
    in.settle();
    EXPECT_NE(on.next_deadline(), clock::time_point::max()) << "the batch lingers";

    in.run(flush());

    const loop::scope on_the_loop(on);
    EXPECT_TRUE(first->poll());
    EXPECT_EQ(second->value().offset, 1);
}

TEST_F(Hosted, ACallbackOfACallThatNeedNotWaitComesInATurnToo) {
    const std::string large(2 << 20, 'x');
    std::vector<error_code> ends;
    const std::thread::id here = std::this_thread::get_id();
    const auto note = [&](error_code why, const auto&) {
        EXPECT_EQ(std::this_thread::get_id(), here);
        EXPECT_TRUE(on.running_in_this_thread());
        ends.push_back(why);
    };
    {
        const loop::scope on_the_loop(on);
        to.deliver({"orders", large})(note);
        to.send({"orders", "value"})(note);
        EXPECT_TRUE(ends.empty()) << "not inside of the call";
    }

    in.settle();

    EXPECT_EQ(ends, (std::vector<error_code>{errc::record_too_large, error_code()}));
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

// ---- on an io_context, which may end at any moment

enum class waits_for { topic, memory, acknowledgement };
enum class ends_first { context, producer, attachment };

struct AttachedProducer : ::testing::TestWithParam<std::tuple<waits_for, ends_first>> {
    fake_cluster_server kafka{{.cluster = {.auto_create_topics_enable = false}}};
    produce_watch requests{kafka};
    kept_log log;
    int alive = 0, finished = 0;
    const std::string large = std::string(40'000, 'x');

    AttachedProducer() {
        kafka.with_cluster([](fake_cluster& cluster) { EXPECT_FALSE(cluster.create_topic("orders")); });
        requests.decide([](const request_info&) { return fate::never_answer(); });
    }
    producer_config config() {
        producer_config made;
        made.bootstrap_servers = kafka.bootstrap();
        made.log = log.sink();
        made.linger = 0ms;
        made.buffer_memory = 64 << 10;
        return made;
    }
    asio::awaitable<void> set_up(loop& on, producer& to) {
        to = co_await producer::create(on, config());
        co_await to.partitions_for("orders");
        if (std::get<waits_for>(GetParam()) != waits_for::memory) co_return;
        const delivery filling = co_await to.send({"orders", large});
    }
    asio::awaitable<void> send(producer& to) {
        struct frame {
            explicit frame(int& alive) : of(alive) { ++of; }
            ~frame() { --of; }
            int& of;
        } here(alive);
        const bool is_unknown = std::get<waits_for>(GetParam()) == waits_for::topic;
        const std::string_view topic = is_unknown ? "not-yet" : "orders";
        try {
            co_await to.deliver({topic, large});
        } catch (const boost::system::system_error&) {}
        ++finished;
    }
};
INSTANTIATE_TEST_SUITE_P(
    , AttachedProducer,
    ::testing::Combine(::testing::Values(waits_for::topic, waits_for::memory, waits_for::acknowledgement),
                       ::testing::Values(ends_first::context, ends_first::producer, ends_first::attachment)));

TEST_P(AttachedProducer, LeavesNothingBehindWhicheverPartEndsFirst) {
    std::optional<loop> on(std::in_place, loop_options{.log = log.sink()});
    std::optional<asio::io_context> context(std::in_place, 1);
    attachment attached = attach(*context, *on);
    producer to;
    asio::co_spawn(*context, set_up(*on, to), asio::detached);
    context->run();
    context->restart();
    for (int i = 0; i < 3; ++i) asio::co_spawn(*context, send(to), asio::detached);
    context->run_for(20ms);
    ASSERT_EQ(alive, 3);

    switch (std::get<ends_first>(GetParam())) {
        case ends_first::context:
            context.reset();
            EXPECT_EQ(alive, 0);
            while (on->run_ready()) {}
            to = producer();
            on.reset();
            break;
        case ends_first::producer:
            to = producer();
            context->restart();
            context->run();
            EXPECT_EQ(finished, 3) << "each is told once, and nothing keeps the context";
            finished = 0;
            on.reset();
            context.reset();
            break;
        case ends_first::attachment:
            attached.detach();
            while (on->run_ready()) {}
            to = producer();
            on.reset();
            context.reset();
            break;
    }

    EXPECT_EQ(alive, 0);
    EXPECT_EQ(finished, 0);
}

}  // namespace
}  // namespace sluice::testing
