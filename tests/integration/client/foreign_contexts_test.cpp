// Sends from threads and contexts that are none of the producer's: in order, once, and with nothing left behind where a
// context stops or ends in the middle.
#include <fmt/format.h>

#include <atomic>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <map>
#include <optional>
#include <thread>

#include "base/random.hpp"
#include "integration/client/client_fixture.hpp"
#include "integration/produce_watch.hpp"

namespace sluice::testing {
namespace {

namespace asio = boost::asio;

// How many coroutine frames there are, and how many ran to their end.
struct frame_counts {
    std::atomic<int> alive = 0;
    std::atomic<int> finished = 0;
};
class frame_guard {
public:
    explicit frame_guard(frame_counts& counts) : counts_(counts) { ++counts_.alive; }
    ~frame_guard() { --counts_.alive; }
    frame_guard(const frame_guard&) = delete;
    frame_guard& operator=(const frame_guard&) = delete;

private:
    frame_counts& counts_;
};

template <class Operation>
asio::awaitable<void> await_counted(Operation awaited, frame_counts& counts) {
    const frame_guard guard(counts);
    try {
        co_await std::move(awaited);
    } catch (const boost::system::system_error&) {}
    ++counts.finished;
}

struct ForeignContext : ::testing::Test {
    fake_cluster_server kafka{{.cluster = {.auto_create_topics_enable = false}}};
    produce_watch requests{kafka};
    frame_counts frames;

    ForeignContext() {
        kafka.with_cluster([](fake_cluster& cluster) { EXPECT_FALSE(cluster.create_topic("orders")); });
    }
    std::int64_t end_offset(const char* topic) {
        return kafka.with_cluster([&](fake_cluster& cluster) { return cluster.end_offset(topic, 0); });
    }
    void silence_broker() {
        requests.decide([](const request_info&) { return fate::never_answer(); });
    }
    static void fill_buffer(producer& to) {
        const std::string value(1000, 'x');
        wait(to.partitions_for("orders"));
        for (int refused = 0; refused < 3;) {  // the first refusal asks for a little more
            if (to.try_send(record("orders", value))) continue;
            ++refused;
            wait(to.partitions_for("orders"));
        }
    }
};

// ---- order and number

TEST_F(ForeignContext, ThreadsSendEachInItsOwnOrderAndNothingTwice) {
    constexpr int thread_count = 4;
    constexpr int count = 2000;
    kafka.with_cluster(
        [](fake_cluster& cluster) { EXPECT_FALSE(cluster.create_topic("many", {.partition_count = 3})); });
    client with(kafka.bootstrap(), {}, several_shards());
    std::vector<std::thread> threads;

    for (int thread = 0; thread < thread_count; ++thread) {
        threads.emplace_back([&with, thread] {
            const std::string key = std::to_string(thread);
            std::vector<delivery> deliveries;
            for (int i = 0; i < count; ++i) {
                const std::string value = std::to_string(i);
                deliveries.push_back(wait(with.to.send(record("many", key, value))));
            }
            for (delivery& each : deliveries) EXPECT_EQ(end_of(std::move(each)).error, error_code());
        });
    }
    for (std::thread& each : threads) each.join();

    std::map<std::string, int> next;
    for (std::int32_t partition = 0; partition < 3; ++partition) {
        for (const log_record& each :
             kafka.with_cluster([&](fake_cluster& cluster) { return cluster.records("many", partition); })) {
            EXPECT_EQ(each.value, std::to_string(next[each.key.value()]++));
        }
    }
    for (int thread = 0; thread < thread_count; ++thread) EXPECT_EQ(next[std::to_string(thread)], count);
}

TEST_F(ForeignContext, ARecordThatHasToWaitIsCopiedForTokensThatReturnAtOnce) {
    client with(kafka.bootstrap());
    std::string value = "as it was";
    std::atomic<bool> is_called = false;

    auto future = with.to.deliver(record("orders", value))(asio::use_future);  // the topic is not known yet
    with.to.deliver(record("orders", value))([&](error_code why, const record_metadata& placed) {
        EXPECT_EQ(why, error_code());
        EXPECT_EQ(placed.partition, 0);
        is_called = true;
        is_called.notify_all();
    });
    value.assign("something else altogether, and longer");

    EXPECT_EQ(future.get().topic.view(), "orders");
    is_called.wait(false);
    for (const log_record& each :
         kafka.with_cluster([](fake_cluster& cluster) { return cluster.records("orders", 0); })) {
        EXPECT_EQ(each.value, "as it was");
    }
    EXPECT_EQ(end_offset("orders"), 2);
}

TEST_F(ForeignContext, CallbacksWithoutAContextAreCalledOnceEach) {
    constexpr int count = 5000;
    client with(kafka.bootstrap());
    std::atomic<int> called_count = 0;
    std::atomic<int> failed_count = 0;

    // Called on the loop's thread, maybe before this thread is back from the call that waits.
    for (int i = 0; i < count; ++i) {
        with.to.deliver(record("orders", "value"))([&](error_code why, const record_metadata&) {
            if (why) ++failed_count;
            ++called_count;
            called_count.notify_all();
        });
    }
    for (int called = called_count; called < count; called = called_count) called_count.wait(called);
    wait(with.to.close());

    EXPECT_EQ(called_count, count);
    EXPECT_EQ(failed_count, 0);
    EXPECT_EQ(end_offset("orders"), count);
}

// ---- a context that ends in the middle

enum class wait_for_what { topic, memory, acknowledgement, flush, close, partitions };

struct EndedContext : ForeignContext, ::testing::WithParamInterface<wait_for_what> {
    static producer_config config() {
        producer_config made;
        made.buffer_memory = 64 << 10;
        return made;
    }
    // A coroutine that waits, and goes on waiting.
    asio::awaitable<void> waiting(producer& to) {
        switch (GetParam()) {
            case wait_for_what::topic: return await_counted(to.send(record("not-yet", "value")), frames);
            case wait_for_what::memory:
                fill_buffer(to);
                return await_counted(to.send(record("orders", large)), frames);
            case wait_for_what::acknowledgement:
                return await_counted(to.deliver(record("orders", "value")), frames);
            case wait_for_what::flush: return await_counted(to.flush(), frames);
            case wait_for_what::close: return await_counted(to.close(), frames);
            case wait_for_what::partitions: return await_counted(to.partitions_for("not-yet"), frames);
        }
        return {};
    }
    const std::string large = std::string(20'000, 'x');
};

std::string name_of_wait(const ::testing::TestParamInfo<wait_for_what>& tested) {
    constexpr const char* names[] = {"Topic", "Memory", "Acknowledgement", "Flush", "Close", "Partitions"};
    return names[static_cast<int>(tested.param)];
}
INSTANTIATE_TEST_SUITE_P(, EndedContext,
                         ::testing::Values(wait_for_what::topic, wait_for_what::memory,
                                           wait_for_what::acknowledgement, wait_for_what::flush,
                                           wait_for_what::close, wait_for_what::partitions),
                         name_of_wait);

TEST_P(EndedContext, TakesItsCoroutinesWithItAndTheProducerGoesOn) {
    client with(kafka.bootstrap(), config());
    wait(with.to.deliver(record("orders", "first")));
    silence_broker();
    delivery outstanding = wait(with.to.send(record("orders", "outstanding")));
    std::optional<asio::io_context> context(std::in_place);
    for (int i = 0; i < 3; ++i) asio::co_spawn(*context, waiting(with.to), asio::detached);
    context->poll();
    EXPECT_EQ(frames.alive, 3);

    context.reset();

    EXPECT_EQ(frames.alive, 0);
    EXPECT_EQ(frames.finished, 0);
    kafka.with_cluster([](fake_cluster& cluster) { EXPECT_FALSE(cluster.create_topic("not-yet")); });
    wait(with.to.close(0ns));
    EXPECT_EQ(frames.finished, 0) << "what completes later finds nobody";
    EXPECT_EQ(end_offset("not-yet"), 0) << "withdrawn before it was accepted is never sent";
    EXPECT_EQ(end_of(std::move(outstanding)).error, errc::closed);
}

TEST_P(EndedContext, MayEndAfterTheProducer) {
    std::optional<asio::io_context> context(std::in_place);
    {
        client with(kafka.bootstrap(), config());
        wait(with.to.deliver(record("orders", "first")));
        silence_broker();
        const delivery outstanding = wait(with.to.send(record("orders", "outstanding")));
        for (int i = 0; i < 3; ++i) asio::co_spawn(*context, waiting(with.to), asio::detached);
        context->poll();
        EXPECT_EQ(frames.alive, 3);
        if (GetParam() == wait_for_what::topic || GetParam() == wait_for_what::memory)
            wait(with.to.close(0ns));
    }

    context.reset();

    EXPECT_EQ(frames.alive, 0);
    EXPECT_EQ(frames.finished, 0);
}

TEST_P(EndedContext, OfSeveralThreadsTakesItsCoroutinesWithItToo) {
    client with(kafka.bootstrap(), config());
    wait(with.to.deliver(record("orders", "first")));
    silence_broker();
    delivery outstanding = wait(with.to.send(record("orders", "outstanding")));
    {
        asio::thread_pool pool(3);
        for (int i = 0; i < 6; ++i) asio::co_spawn(pool, waiting(with.to), asio::detached);
        while (frames.alive < 6) std::this_thread::yield();
        pool.stop();
        pool.join();
    }

    EXPECT_EQ(frames.alive, 0);
    EXPECT_EQ(frames.finished, 0);
    wait(with.to.close(0ns));
    EXPECT_EQ(frames.finished, 0);
    EXPECT_EQ(end_of(std::move(outstanding)).error, errc::closed);
}

TEST_P(EndedContext, ThatOnlyStoppedResumesEachCoroutineOnceLater) {
    client with(kafka.bootstrap(), config());
    wait(with.to.deliver(record("orders", "first")));
    silence_broker();
    const delivery outstanding = wait(with.to.send(record("orders", "outstanding")));
    asio::io_context context;
    for (int i = 0; i < 3; ++i) asio::co_spawn(context, waiting(with.to), asio::detached);
    context.poll();
    context.stop();
    EXPECT_EQ(frames.alive, 3);

    wait(with.to.close(0ns));  // everything ends
    EXPECT_EQ(frames.finished, 0) << "nobody runs them";
    context.restart();
    context.run();

    EXPECT_EQ(frames.alive, 0);
    EXPECT_EQ(frames.finished, 3);
}

TEST_F(ForeignContext, OfAnotherLoopTakesItsCoroutinesWithItAndTheProducerGoesOn) {
    client with(kafka.bootstrap());
    wait(with.to.deliver(record("orders", "first")));
    silence_broker();
    {
        loop other;
        for (int i = 0; i < 3; ++i) {
            asio::co_spawn(other.get_executor(),
                           await_counted(with.to.deliver(record("orders", "value")), frames), asio::detached);
        }
        while (frames.alive < 3) other.run_ready();
    }

    EXPECT_EQ(frames.alive, 0);
    EXPECT_EQ(frames.finished, 0);
    requests.decide({});
    wait(with.to.close(0ns));
}

// ---- cancellation

TEST_F(ForeignContext, ACancelledSendEndsOnceAndIsNeverSent) {
    client with(kafka.bootstrap());
    asio::io_context context;
    asio::cancellation_signal signal;
    std::vector<error_code> ends;

    with.to.send(record("not-yet", "value"))(asio::bind_cancellation_slot(
        signal.slot(),
        asio::bind_executor(context, [&ends](error_code why, const delivery&) { ends.push_back(why); })));
    signal.emit(asio::cancellation_type::terminal);
    context.run();

    ASSERT_EQ(ends.size(), 1u);
    EXPECT_EQ(ends[0], boost::system::errc::operation_canceled);
    kafka.with_cluster([](fake_cluster& cluster) { EXPECT_FALSE(cluster.create_topic("not-yet")); });
    wait(with.to.deliver(record("not-yet", "another")));
    EXPECT_EQ(end_offset("not-yet"), 1);
}

// ---- everything at once

TEST_F(ForeignContext, ContextsThatEndAtAnyMomentLeaveNothingBehindAndLoseNothingThatWasAcknowledged) {
    constexpr int thread_count = 3;
    constexpr int round_count = 60;
    constexpr int coroutine_count = 12;
    kafka.with_cluster(
        [](fake_cluster& cluster) { EXPECT_FALSE(cluster.create_topic("storm", {.partition_count = 4})); });
    producer_config config;
    config.buffer_memory =
        (48 << 10) * static_cast<std::int64_t>(several_shards());  // so that some wait for memory
    config.linger = 0ms;
    client with(kafka.bootstrap(), config, several_shards());
    std::atomic<std::int64_t> acknowledged_count = 0;
    std::atomic<int> failed_count = 0;
    const auto send_some = [&](std::uint64_t seed) -> asio::awaitable<void> {
        const frame_guard guard(frames);
        random drawn(seed);
        const std::string value(500 + drawn.below(3000), 'x');
        for (int i = 0; i < 5; ++i) {
            try {
                co_await with.to.deliver(record("storm", value));
                ++acknowledged_count;
            } catch (const boost::system::system_error&) {
                ++failed_count;
            }
        }
        ++frames.finished;
    };
    std::vector<std::thread> threads;

    for (int thread = 0; thread < thread_count; ++thread) {
        threads.emplace_back([&, thread] {
            random drawn(static_cast<std::uint64_t>(thread) + 1);
            for (int round = 0; round < round_count; ++round) {
                asio::io_context context;
                for (int i = 0; i < coroutine_count; ++i)
                    asio::co_spawn(context, send_some(drawn.next()), asio::detached);
                const auto step_count = drawn.below(120);
                for (std::uint64_t step = 0; step < step_count && context.run_one_for(20ms) != 0; ++step) {}
            }
        });
    }
    for (std::thread& each : threads) each.join();
    wait(with.to.close());

    EXPECT_EQ(frames.alive, 0);
    EXPECT_GT(frames.finished, 0) << "some were to come through";
    EXPECT_LT(frames.finished, thread_count * round_count * coroutine_count) << "some were to be cut off";
    EXPECT_EQ(failed_count, 0);
    std::int64_t stored_count = 0;
    for (std::int32_t partition = 0; partition < 4; ++partition) {
        stored_count +=
            kafka.with_cluster([&](fake_cluster& cluster) { return cluster.end_offset("storm", partition); });
    }
    EXPECT_GE(stored_count, acknowledged_count);
    fmt::print("[ FIGURES  ] {} coroutines, {} cut off; {} records stored, {} acknowledged\n",
               thread_count * round_count * coroutine_count,
               thread_count * round_count * coroutine_count - frames.finished.load(), stored_count,
               acknowledged_count.load());
}

}  // namespace
}  // namespace sluice::testing
