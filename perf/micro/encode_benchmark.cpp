#include <benchmark/benchmark.h>

#include <array>
#include <vector>

#include "record/batch_header.hpp"
#include "wire/api/produce.hpp"
#include "wire/frame.hpp"

namespace sluice::perf {
namespace {

// A Produce request with 12 partitions of one topic, record sets of 16 KiB by reference: frame, header, body, pieces.
void encode_produce(benchmark::State& state) {
    const std::vector<std::byte> body(16323);
    std::array<std::byte, batch_header::size_bytes> header{};
    const std::array<bytes, 2> pieces{bytes(header), bytes(body)};
    wire::produce_request request;
    request.acks = -1;
    request.timeout_ms = 30000;
    auto& topic = request.topic_data.emplace_back();
    topic.name = "a-topic";
    for (int i = 0; i < 12; ++i) {
        auto& partition = topic.partition_data.emplace_back();
        partition.index = i;
        partition.records = wire::records(std::span<const bytes>(pieces));
    }
    wire::writer out;
    std::vector<iovec> iov;
    for (auto _ : state) {
        out.clear();
        iov.clear();
        benchmark::DoNotOptimize(wire::write_request(out, request, 11, 7, "client"));
        out.pieces(iov);
        benchmark::DoNotOptimize(iov.data());
    }
}
BENCHMARK(encode_produce);

void encode_batch_header(benchmark::State& state) {
    batch_header header;
    header.record_count = 140;
    header.body_size = 16323;
    std::array<std::byte, batch_header::size_bytes> to{};
    for (auto _ : state) {
        ++header.base_sequence;
        encode(header, 12345, to);
        benchmark::DoNotOptimize(to.data());
    }
}
BENCHMARK(encode_batch_header);

void decode_produce_answer(benchmark::State& state) {
    wire::produce_response answer;
    auto& topic = answer.responses.emplace_back();
    topic.name = "a-topic";
    for (int i = 0; i < 12; ++i) topic.partition_responses.emplace_back().index = i;
    wire::writer out;
    benchmark::DoNotOptimize(wire::encode(answer, 11, out));
    const std::vector<std::byte> body = out.gathered();
    wire::produce_response decoded;
    for (auto _ : state) {
        wire::reader in{bytes(body)};
        benchmark::DoNotOptimize(wire::decode(decoded, 11, in));
    }
}
BENCHMARK(decode_produce_answer);

}  // namespace
}  // namespace sluice::perf
