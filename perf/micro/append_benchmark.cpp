// What a record costs its caller: from send() to its place in an open batch.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <pthread.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <ctime>
#include <string>
#include <thread>

#include "loop/event_loop.hpp"
#include "micro/allocation_count.hpp"
#include "micro/instant_reactor.hpp"
#include "producer/create.hpp"
#include "sluice/producer.hpp"
#include "sluice/wait.hpp"

namespace sluice::perf {
namespace {

namespace asio = boost::asio;

// The CPU time of this thread: these sends never wait, and other processes of the machine do not count.
double cpu_seconds() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

constexpr int sends_per_turn = 1000;

producer_config config_of() {
    producer_config config;
    config.bootstrap_servers = "127.0.0.1:9092";
    config.acks = acks::none;  // the instant broker frees the memory by taking the bytes
    config.seed = 1;
    return config;
}

struct bench {
    explicit bench(std::int32_t partitions)
        : on(std::make_unique<event_loop>(std::make_unique<instant_reactor>("bench", partitions), logger())) {
    }

    template <class Body>
    void run(Body body) {
        asio::co_spawn(on, std::move(body), [](std::exception_ptr error) {
            if (error) std::rethrow_exception(error);
        });
        on.run();
    }
    loop on;
};

// Times `sends` of 1000 records a turn, and counts their allocations; what the turn itself costs is left out.
template <class Send>
void own_core(benchmark::State& state, std::int32_t partitions, Send send) {
    bench bench(partitions);
    std::uint64_t allocations = 0;
    std::uint64_t records = 0;
    bench.run([&]() -> asio::awaitable<void> {
        producer_config config = config_of();
        std::vector<event_loop*> loops{&bench.on.events()};  // named: g++ 12 and braced lists in co_await
        producer to = co_await create_with(std::move(loops), std::move(config), make_system_resolver);
        const topic handle = to.topic("bench");
        const std::string value(100, 'v');
        record warm(handle, value);
        for (int i = 0; i < 100000; ++i) co_await to.send(warm);
        co_await to.flush();
        while (state.KeepRunningBatch(sends_per_turn)) {
            const std::uint64_t before = allocation_count.load(std::memory_order_relaxed);
            const double started = cpu_seconds();
            co_await send(to, handle, value);
            state.SetIterationTime(cpu_seconds() - started);
            allocations += allocation_count.load(std::memory_order_relaxed) - before;
            records += sends_per_turn;
            co_await asio::post(bench.on.get_executor(), asio::use_awaitable);
            co_await to.flush();  // the turn, and its memory back
        }
        co_await to.close();
    });
    state.counters["allocations"] = static_cast<double>(allocations) / static_cast<double>(records);
}

void try_send_own_core(benchmark::State& state) {
    own_core(state, static_cast<std::int32_t>(state.range(0)),
             [](producer& to, const topic& handle, const std::string& value) -> asio::awaitable<void> {
                 for (int i = 0; i < sends_per_turn; ++i) {
                     auto accepted = to.try_send(record(handle, value));
                     benchmark::DoNotOptimize(accepted);
                 }
                 co_return;
             });
}
BENCHMARK(try_send_own_core)->Arg(1)->Arg(12)->UseManualTime();

void co_await_send_own_core(benchmark::State& state) {
    own_core(state, static_cast<std::int32_t>(state.range(0)),
             [](producer& to, const topic& handle, const std::string& value) -> asio::awaitable<void> {
                 for (int i = 0; i < sends_per_turn; ++i) {
                     delivery accepted = co_await to.send(record(handle, value));
                     benchmark::DoNotOptimize(accepted);
                 }
             });
}
BENCHMARK(co_await_send_own_core)->Arg(12)->UseManualTime();

void try_send_own_core_with_key(benchmark::State& state) {
    own_core(state, 12,
             [](producer& to, const topic& handle, const std::string& value) -> asio::awaitable<void> {
                 char key[17] = "customer-0000000";
                 for (int i = 0; i < sends_per_turn; ++i) {
                     key[15] = static_cast<char>('0' + i % 10);
                     key[14] = static_cast<char>('0' + i / 10 % 10);
                     auto accepted = to.try_send(record(handle, std::string_view(key, 16), value));
                     benchmark::DoNotOptimize(accepted);
                 }
                 co_return;
             });
}
BENCHMARK(try_send_own_core_with_key)->UseManualTime();

void try_send_own_core_by_name(benchmark::State& state) {
    own_core(state, 12, [](producer& to, const topic&, const std::string& value) -> asio::awaitable<void> {
        for (int i = 0; i < sends_per_turn; ++i) {
            auto accepted = to.try_send(record("bench", value));
            benchmark::DoNotOptimize(accepted);
        }
        co_return;
    });
}
BENCHMARK(try_send_own_core_by_name)->UseManualTime();

// From send() to the bytes on their way, turns and compression included: CPU time per record of 100 bytes of JSON.
void compressed_own_core(benchmark::State& state, compression type) {
    bench bench(12);
    std::uint64_t records = 0;
    std::vector<std::string> values;
    for (int i = 0; i < 10000; ++i) {
        values.push_back(
            fmt::format(R"({{"order":{},"customer":{},"status":"delivered","total":{}.{:02},"note":")",
                        1000000000 + i, i * 7919 % 100003, i * 31 % 1000, i * 17 % 100));
        values.back().resize(98, ' ');
        values.back() += "\"}";
    }
    bench.run([&]() -> asio::awaitable<void> {
        producer_config config = config_of();
        config.compression_type = type;
        std::vector<event_loop*> loops{&bench.on.events()};  // named: g++ 12 and braced lists in co_await
        producer to = co_await create_with(std::move(loops), std::move(config), make_system_resolver);
        const topic handle = to.topic("bench");
        std::size_t next = 0;
        for (int i = 0; i < 100000; ++i) co_await to.send(record(handle, values[++next % values.size()]));
        co_await to.flush();
        while (state.KeepRunningBatch(100 * sends_per_turn)) {
            const double started = cpu_seconds();
            for (int i = 0; i < 100 * sends_per_turn; ++i) {
                delivery accepted = co_await to.send(record(handle, values[++next % values.size()]));
                benchmark::DoNotOptimize(accepted);
            }
            co_await to.flush();
            state.SetIterationTime(cpu_seconds() - started);
            records += 100 * sends_per_turn;
        }
        co_await to.close();
    });
    state.SetBytesProcessed(static_cast<std::int64_t>(100 * records));
}
BENCHMARK_CAPTURE(compressed_own_core, none, compression::none)->UseManualTime();
BENCHMARK_CAPTURE(compressed_own_core, lz4, compression::lz4)->UseManualTime();
BENCHMARK_CAPTURE(compressed_own_core, snappy, compression::snappy)->UseManualTime();
BENCHMARK_CAPTURE(compressed_own_core, zstd, compression::zstd)->UseManualTime();
BENCHMARK_CAPTURE(compressed_own_core, gzip, compression::gzip)->UseManualTime();

double cpu_seconds(std::thread& of) {
    clockid_t clock_of{};
    pthread_getcpuclockid(of.native_handle(), &clock_of);
    timespec now{};
    clock_gettime(clock_of, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// From a thread of its own, at load: the loop on another thread takes the records over meanwhile. The counters are CPU
// time per record of the one thread and of the other, and how often the sender had to wait for credit.
void staged_send_other_thread(benchmark::State& state) {
    bench bench(12);
    auto work = asio::require(bench.on.get_executor(), asio::execution::outstanding_work.tracked);
    std::thread runner([&] { bench.on.run(); });
    {
        producer to = wait(create_with({&bench.on.events()}, config_of(), make_system_resolver));
        const topic handle = to.topic("bench");
        const std::string value(100, 'v');
        for (int i = 0; i < 100000; ++i) wait(to.send(record(handle, value)));
        std::uint64_t waits = 0;
        const double sender_before = cpu_seconds();
        const double loop_before = cpu_seconds(runner);
        for (auto _ : state) {
            send_operation sending = to.send(record(handle, value));
            if (!sending.poll()) {
                ++waits;
                blocking waiting(std::move(sending));
                waiting.wait();
            }
        }
        const auto per_record = [&](double seconds) {
            return seconds * 1e9 / static_cast<double>(state.iterations());
        };
        state.counters["sender_ns"] = per_record(cpu_seconds() - sender_before);
        wait(to.flush());
        state.counters["loop_ns"] = per_record(cpu_seconds(runner) - loop_before);
        state.counters["waits"] = static_cast<double>(waits) / static_cast<double>(state.iterations());
        wait(to.close());
    }
    work = bench.on.get_executor();
    bench.on.stop();
    runner.join();
}
BENCHMARK(staged_send_other_thread)->UseRealTime();

}  // namespace
}  // namespace sluice::perf
