// What compressing costs, and for how long a step of it holds the loop.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <string>

#include "accumulator/batch_compression.hpp"
#include "base/random.hpp"
#include "record/codecs/codec.hpp"

namespace sluice::perf {
namespace {

constexpr std::size_t chunk_size = 16 * 1024;  // a batch is compressed chunk by chunk

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

// A body of so many bytes, compressed as the accumulator does it: turns of so many bytes. CPU time.
void compress_body(benchmark::State& state, compression type) {
    const auto level = static_cast<int>(state.range(0));
    const auto size = static_cast<std::size_t>(state.range(1));
    const std::string text = json_text(size);
    const bytes body = std::as_bytes(std::span(text));
    const auto turn_bytes = static_cast<std::size_t>(batch_compression::turn_bytes(type, level));
    const auto codec = make_compressor(type, level);
    output_buffer compressed;
    double longest_turn = 0;
    for (auto _ : state) {
        compressed.clear();
        double all = 0;
        bool is_well = codec->begin(size, compressed);
        for (std::size_t at = 0; at < size;) {
            const double began = cpu_seconds();
            const std::size_t turn_end = std::min(size, at + turn_bytes);
            while (at < turn_end) {
                const bytes piece = body.subspan(at, std::min(chunk_size, size - at));
                at += piece.size();
                is_well &= codec->write(piece, at == size, compressed);
            }
            const double took = cpu_seconds() - began;
            longest_turn = std::max(longest_turn, took);
            all += took;
        }
        if (!is_well) return state.SkipWithError("the codec failed");
        state.SetIterationTime(all);
    }
    state.SetBytesProcessed(static_cast<std::int64_t>(size) * static_cast<std::int64_t>(state.iterations()));
    state.counters["longest_turn_ms"] = longest_turn * 1e3;
    state.counters["ratio"] = static_cast<double>(compressed.size()) / static_cast<double>(size);
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

}  // namespace
}  // namespace sluice::perf
