// What compressing costs, and for how long a step of it holds the loop.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <string>

#include "accumulator/shard_accumulator.hpp"
#include "base/random.hpp"

namespace sluice::perf {
namespace {

constexpr std::uint32_t chunk_size = 16 * 1024;

double cpu_seconds() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// Events as services log them: numbers and names differ, the rest is the same again and again.
std::string json_text(std::size_t size) {
    random from(1);
    const char* const cities[] = {"Amsterdam", "Berlin", "Cairo", "Dakar", "Edinburgh", "Fukuoka", "Geneva"};
    std::string text;
    while (text.size() < size) {
        text += fmt::format(
            R"({{"id":{},"customer":"customer-{}","city":"{}","amount":{}.{:02},"currency":"EUR","paid":{}}})",
            from.below(1'000'000'000), from.below(100'000), cities[from.below(std::size(cities))],
            from.below(500), from.below(100), from.below(2) == 0);
    }
    text.resize(size);
    return text;
}

// What is hard to match: letters at random, of an alphabet of so many.
std::string random_letters(std::size_t size, std::uint64_t alphabet) {
    random from(1);
    std::string text;
    while (text.size() < size) text += static_cast<char>('0' + from.below(alphabet));
    return text;
}

// A batch with one record, compressed as a shard does it, turn by turn. CPU time.
void compress_batch(benchmark::State& state, compression type, const std::string& text) {
    buffer_pool pool(8 << 20, chunk_size);
    accumulator_limits limits;
    limits.compression = type;
    limits.compression_level = static_cast<int>(state.range(0));
    limits.read_clock = [] { return std::chrono::steady_clock::now(); };
    shard_accumulator accumulator(limits, pool);
    partition_queue& queue = accumulator.queue(accumulator.add_topic("t"), 0);
    record_parts parts;
    parts.value = text;
    double longest_turn = 0;
    double ratio = 0;
    for (auto _ : state) {
        accumulator.append(queue, parts, time_point{}).result->drop_reference();
        double all = 0;
        for (bool is_ready = false; !is_ready;) {
            const double began = cpu_seconds();
            accumulator.compress_in_turn();
            is_ready = accumulator.can_take_head(queue);
            const double took = cpu_seconds() - began;
            longest_turn = std::max(longest_turn, took);
            all += took;
        }
        state.SetIterationTime(all);
        batch& done = accumulator.take_head(queue, time_point{});
        ratio =
            static_cast<double>(done.records.body_size()) / static_cast<double>(done.records.raw_body_size());
        accumulator.finish(done, batch_result{});
        accumulator.release(done);
        accumulator.take_finished([](result_block& block) { block.drop_reference(); });
    }
    state.SetBytesProcessed(static_cast<std::int64_t>(text.size()) *
                            static_cast<std::int64_t>(state.iterations()));
    state.counters["longest_turn_ms"] = longest_turn * 1e3;
    state.counters["ratio"] = ratio;
}

void compress_body(benchmark::State& state, compression type) {
    compress_batch(state, type, json_text(static_cast<std::size_t>(state.range(1))));
}

constexpr std::int64_t small = 16 * 1024;
constexpr std::int64_t medium = 128 * 1024;
constexpr std::int64_t large = 1024 * 1024;

void compress_gzip(benchmark::State& state) {
    compress_body(state, compression::gzip);
}
BENCHMARK(compress_gzip)->ArgsProduct({{1, -1, 9}, {small, medium, large}})->UseManualTime();

void compress_snappy(benchmark::State& state) {
    compress_body(state, compression::snappy);
}
BENCHMARK(compress_snappy)->ArgsProduct({{0}, {small, medium, large}})->UseManualTime();

void compress_lz4(benchmark::State& state) {
    compress_body(state, compression::lz4);
}
BENCHMARK(compress_lz4)->ArgsProduct({{9, 3, 12}, {small, medium, large}})->UseManualTime();

void compress_zstd(benchmark::State& state) {
    compress_body(state, compression::zstd);
}
BENCHMARK(compress_zstd)->ArgsProduct({{1, 3, 6, 9, 19}, {small, medium, large}})->UseManualTime();

// The second argument: how many letters.
void compress_hard(benchmark::State& state, compression type) {
    compress_batch(state, type, random_letters(large, static_cast<std::uint64_t>(state.range(1))));
}
BENCHMARK_CAPTURE(compress_hard, gzip, compression::gzip)
    ->ArgsProduct({{-1, 9}, {2, 4, 16}})
    ->UseManualTime();
BENCHMARK_CAPTURE(compress_hard, lz4, compression::lz4)
    ->ArgsProduct({{9, 8, 12}, {2, 4, 16}})
    ->UseManualTime();
BENCHMARK_CAPTURE(compress_hard, zstd, compression::zstd)
    ->ArgsProduct({{3, 6, 9, 19}, {2, 4, 16}})
    ->UseManualTime();

}  // namespace
}  // namespace sluice::perf
