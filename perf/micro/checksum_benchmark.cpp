#include <benchmark/benchmark.h>

#include <vector>

#include "partitioner/murmur2.hpp"
#include "record/crc32c.hpp"

namespace sluice::perf {
namespace {

void checksum(benchmark::State& state) {
    const std::vector<std::byte> data(static_cast<std::size_t>(state.range(0)), std::byte{7});
    for (auto _ : state) benchmark::DoNotOptimize(crc32c(data));
    state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(checksum)->Arg(100)->Arg(16323)->Arg(1 << 20);

void combine_checksums(benchmark::State& state) {
    std::uint32_t crc = 1;
    for (auto _ : state) benchmark::DoNotOptimize(crc = crc32c_combine(crc, 12345, 16323));
}
BENCHMARK(combine_checksums);

void hash_key(benchmark::State& state) {
    const std::vector<std::byte> key(static_cast<std::size_t>(state.range(0)), std::byte{7});
    for (auto _ : state) benchmark::DoNotOptimize(murmur2(key));
}
BENCHMARK(hash_key)->Arg(16);

}  // namespace
}  // namespace sluice::perf
