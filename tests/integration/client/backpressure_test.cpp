// A buffer that is too small for a slow broker: sends suspend, in order, and memory stays where it is.
#include <fmt/format.h>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include "integration/client/client_fixture.hpp"
#include "integration/produce_watch.hpp"
#include "integration/resident_memory.hpp"

namespace sluice::testing {
namespace {

namespace asio = boost::asio;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool is_memory_measured = false;  // the sanitizer's own would be measured
constexpr std::size_t large_count = 20'000;
#else
constexpr bool is_memory_measured = true;
constexpr std::size_t large_count = 200'000;
#endif

constexpr std::int64_t buffer_memory = 1 << 20;
constexpr std::size_t value_size = 1000;

producer_config small_buffer() {
    producer_config made;
    made.buffer_memory = buffer_memory;
    return made;
}

struct Backpressure : ::testing::Test {
    fake_cluster_server kafka;
    produce_watch requests{kafka};
    std::atomic<std::size_t> suspended_count = 0;
    std::atomic<std::size_t> done_count = 0;
    std::atomic<std::size_t> failed_count = 0;

    Backpressure() {
        kafka.with_cluster([](fake_cluster& cluster) { EXPECT_FALSE(cluster.create_topic("orders")); });
        // Slow at first, so that the buffer fills on slow machines, too.
        requests.decide(
            [count = 0](const request_info&) mutable { return fate::delay(++count <= 50 ? 20ms : 1ms); });
    }

    // Sends one record whose value begins with its number, and waits for its acknowledgement.
    asio::awaitable<void> send_one(producer& to, std::size_t number) {
        const std::string value = fmt::format("{:<{}}", number, value_size);
        try {
            send_operation sending = to.send(record("orders", value));
            if (!sending.poll()) ++suspended_count;
            delivery accepted = co_await std::move(sending);
            co_await std::move(accepted);
        } catch (const boost::system::system_error&) {
            ++failed_count;
        }
        ++done_count;
        done_count.notify_all();
    }
    void wait_until_done(std::size_t count) {
        for (std::size_t done = done_count; done < count; done = done_count) done_count.wait(done);
    }
    std::vector<std::size_t> stored_numbers() {
        std::vector<std::size_t> numbers;
        for (const log_record& each :
             kafka.with_cluster([](fake_cluster& cluster) { return cluster.records("orders", 0); })) {
            numbers.push_back(std::stoul(each.value.value()));
        }
        return numbers;
    }
    static std::vector<std::size_t> first_numbers(std::size_t count) {
        std::vector<std::size_t> numbers(count);
        for (std::size_t i = 0; i < count; ++i) numbers[i] = i;
        return numbers;
    }
};

TEST_F(Backpressure, CoroutinesThatWaitForMemoryAreServedInTheOrderInWhichTheyCame) {
    constexpr std::size_t count = 10'000;  // ten times the buffer
    client with(kafka.bootstrap(), small_buffer());
    wait(with.to.partitions_for("orders"));

    for (std::size_t i = 0; i < count; ++i) {
        asio::co_spawn(with.loops.loops()[0]->get_executor(), send_one(with.to, i), asio::detached);
    }
    wait_until_done(count);

    EXPECT_GT(suspended_count, count / 10);
    EXPECT_EQ(failed_count, 0u);
    EXPECT_EQ(stored_numbers(), first_numbers(count));
}

TEST_F(Backpressure, CoroutinesOfAForeignContextThatWaitForMemoryAreServedInTheOrderInWhichTheyCame) {
    constexpr std::size_t count = 10'000;
    client with(kafka.bootstrap(), small_buffer());
    wait(with.to.partitions_for("orders"));
    asio::io_context context;

    for (std::size_t i = 0; i < count; ++i) asio::co_spawn(context, send_one(with.to, i), asio::detached);
    context.run();

    EXPECT_EQ(done_count, count);
    EXPECT_GT(suspended_count, count / 10);
    EXPECT_EQ(failed_count, 0u);
    EXPECT_EQ(stored_numbers(), first_numbers(count));
}

TEST_F(Backpressure, ResidentMemoryIsBoundedHoweverMuchIsSent) {
    constexpr std::size_t coroutine_count = 64;
    // The buffer, requests on their way, 64 coroutines; the rest is what malloc keeps.
    const std::int64_t more_memory_max = for_usual_shards(buffer_memory) + (11 << 20);
    fake_cluster_server forgetful({.cluster = {.keep_batches = false}});
    produce_watch slow(forgetful);
    slow.decide([](const request_info&) { return fate::delay(1ms); });
    forgetful.with_cluster(
        [](fake_cluster& cluster) { EXPECT_FALSE(cluster.create_topic("orders", {.partition_count = 12})); });
    client with(forgetful.bootstrap(), small_buffer());
    wait(with.to.partitions_for("orders"));
    forget_peak_memory();
    const std::int64_t before = memory_bytes("VmHWM:");

    std::atomic<std::size_t> under_way_max = 0;
    std::atomic<std::size_t> accepted_count = 0;
    std::atomic<std::size_t> acknowledged_count = 0;
    const auto send_many = [&](std::size_t count) -> asio::awaitable<void> {
        const std::string value(value_size, 'x');
        std::vector<delivery> pending;
        for (std::size_t i = 0; i < count; ++i) {
            delivery accepted = co_await with.to.send(record("orders", value));
            under_way_max = std::max(under_way_max.load(), ++accepted_count - acknowledged_count);
            pending.push_back(std::move(accepted));
            while (!pending.empty() && pending.front().poll()) {
                if (!pending.front().error()) ++acknowledged_count;
                pending.erase(pending.begin());
            }
        }
        for (delivery& each : pending) {
            co_await std::move(each);
            ++acknowledged_count;
        }
        ++done_count;
        done_count.notify_all();
    };
    for (std::size_t i = 0; i < coroutine_count; ++i) {
        asio::co_spawn(with.loops.loops()[0]->get_executor(), send_many(large_count / coroutine_count),
                       asio::detached);
    }
    wait_until_done(coroutine_count);

    const std::int64_t more_memory = memory_bytes("VmHWM:") - before;
    fmt::print(
        "[ FIGURES  ] {} MB through a buffer of 1 MiB for each shard: at most {} records not heard of yet, "
        "{} KiB more in "
        "memory\n",
        large_count * value_size / 1'000'000, under_way_max.load(), more_memory >> 10);
    EXPECT_EQ(acknowledged_count, large_count / coroutine_count * coroutine_count);
    EXPECT_GT(under_way_max, std::size_t{buffer_memory} / value_size / 4) << "the buffer was to be used";
    if (is_memory_measured) {
        EXPECT_LT(more_memory, more_memory_max);
    }
}

TEST_F(Backpressure, EndsAfterMaxBlockWithAnErrorThatNamesTheMemory) {
    requests.decide([](const request_info&) { return fate::never_answer(); });
    producer_config config = small_buffer();
    config.max_block = 400ms;
    client with(kafka.bootstrap(), config);
    const std::string value(value_size, 'x');
    wait(with.to.partitions_for("orders"));

    // Nothing comes back, so one send is the first that has to wait in vain.
    ended last;
    std::size_t accepted_count = 0;
    clock::time_point begin;
    do {
        begin = clock::now();
        last = end_of(with.to.send(record("orders", value)));
        if (!last.error) ++accepted_count;
    } while (!last.error && accepted_count < 10'000);

    EXPECT_GE(clock::now() - begin, 400ms);
    EXPECT_EQ(last.error, errc::memory_timeout);
    EXPECT_TRUE(has(last.text, "no memory for a record of 1")) << last.text;
    EXPECT_TRUE(has(last.text, "buffer.memory")) << last.text;
    EXPECT_GT(accepted_count, std::size_t{buffer_memory} / value_size / 2);
    EXPECT_LE(accepted_count, 2 * std::size_t{buffer_memory} / value_size);
    wait(with.to.close(0ns));
}

struct LargeRecord : Backpressure {
    const std::string large = std::string(60'000, 'x');

    static producer_config config() {
        producer_config made;
        made.buffer_memory = 64 << 10;
        made.max_block = 5s;
        return made;
    }
    // From a foreign thread, which pays with memory that is set aside for such.
    static void send_many_small(producer& to) {
        for (int i = 0; i < 2000; ++i) {
            EXPECT_EQ(end_of(to.send(record("orders", "small"))).error, error_code());
        }
        wait(to.flush());
    }
    asio::awaitable<void> deliver_large(producer& to) {
        try {
            co_await to.deliver(record("orders", large));
        } catch (const boost::system::system_error& why) {
            ADD_FAILURE() << why.what();
        }
        ++done_count;
        done_count.notify_all();
    }
};

TEST_F(LargeRecord, FindsItsMemoryAfterManySmallOnes) {
    client with(kafka.bootstrap(), config());
    send_many_small(with.to);

    const ended sent = end_of(with.to.deliver(record("orders", large)));

    EXPECT_EQ(sent.error, error_code()) << sent.text;
}

TEST_F(LargeRecord, OfACoroutineOnTheLoopFindsItsMemoryAfterManySmallOnesOfOthers) {
    client with(kafka.bootstrap(), config());
    send_many_small(with.to);

    asio::co_spawn(with.loops.loops()[0]->get_executor(), deliver_large(with.to), asio::detached);
    wait_until_done(1);
}

TEST_F(LargeRecord, FindsItsMemoryAmongSmallOnesThatAreSentMeanwhile) {
    client with(kafka.bootstrap(), config());
    send_many_small(with.to);

    blocking first(with.to.deliver(record("orders", large)));
    std::vector<delivery> small_ones;
    for (int i = 0; i < 100; ++i) small_ones.push_back(wait(with.to.send(record("orders", "small"))));
    blocking second(with.to.deliver(record("orders", large)));
    first.wait();
    second.wait();

    EXPECT_EQ(first.error(), error_code()) << first.message().view();
    EXPECT_EQ(second.error(), error_code()) << second.message().view();
    for (delivery& each : small_ones) EXPECT_EQ(end_of(std::move(each)).error, error_code());
}

TEST_F(Backpressure, AWaitThatIsCancelledCostsNobodyElseAnything) {
    constexpr std::size_t count = 4000;
    client with(kafka.bootstrap(), small_buffer());
    wait(with.to.partitions_for("orders"));

    // Every third one gives up at once where it has to wait.
    std::vector<std::size_t> cancelled;
    std::vector<std::unique_ptr<blocking<send_operation>>> sends;
    std::vector<std::string> values;
    values.reserve(count);
    std::vector<std::size_t> wanted;
    for (std::size_t i = 0; i < count; ++i) {
        values.push_back(fmt::format("{:<{}}", i, value_size));
        sends.push_back(
            std::make_unique<blocking<send_operation>>(with.to.send(record("orders", values.back()))));
        const bool is_withdrawn = i % 3 == 0 && sends.back()->cancel();
        if (is_withdrawn) cancelled.push_back(i);
        if (!is_withdrawn) wanted.push_back(i);
    }
    for (const std::size_t number : wanted) {
        sends[number]->wait();
        EXPECT_EQ(sends[number]->error(), error_code());
    }
    wait(with.to.flush());

    EXPECT_GT(cancelled.size(), 100u);
    for (const std::size_t number : cancelled) {
        EXPECT_EQ(sends[number]->error(), boost::system::errc::operation_canceled);
    }
    EXPECT_EQ(stored_numbers(), wanted) << "what was withdrawn before it was accepted is never sent";
}

}  // namespace
}  // namespace sluice::testing
