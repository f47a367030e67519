#include "counts/request_cases.hpp"

#include <array>
#include <system_error>
#include <vector>

#include "counts/counted_section.hpp"
#include "record/batch_header.hpp"
#include "wire/api/produce.hpp"
#include "wire/frame.hpp"

namespace sluice::perf {
namespace {

constexpr std::int16_t version = 11;
constexpr int partition_count = 12;
constexpr std::uint64_t warm_up = 10;

void check(error_code error) {
    if (error) throw std::system_error(error);
}

}  // namespace

void count_encode_produce(std::uint64_t requests) {
    const std::vector<std::byte> body(16323);
    std::array<std::byte, batch_header::size_bytes> header{};
    const std::array<bytes, 2> pieces{bytes(header), bytes(body)};
    wire::produce_request request;
    request.acks = -1;
    request.timeout_ms = 30000;
    auto& topic = request.topic_data.emplace_back();
    topic.name = "a-topic";
    for (int i = 0; i < partition_count; ++i) {
        auto& partition = topic.partition_data.emplace_back();
        partition.index = i;
        partition.records = wire::records(std::span<const bytes>(pieces));
    }
    wire::writer out;
    std::vector<iovec> iov;
    const auto encode = [&](std::uint64_t count) {
        for (std::uint64_t i = 0; i < count; ++i) {
            out.clear();
            iov.clear();
            check(wire::write_request(out, request, version, static_cast<std::int32_t>(i), "client"));
            out.pieces(iov);
            keep(iov);
        }
    };
    encode(warm_up);
    const counted_section counted;
    encode(requests);
}

void count_decode_produce_answer(std::uint64_t answers) {
    wire::produce_response answer;
    auto& topic = answer.responses.emplace_back();
    topic.name = "a-topic";
    for (int i = 0; i < partition_count; ++i) topic.partition_responses.emplace_back().index = i;
    wire::writer out;
    check(wire::encode(answer, version, out));
    const std::vector<std::byte> body = out.gathered();
    wire::produce_response decoded;
    const auto decode = [&](std::uint64_t count) {
        for (std::uint64_t i = 0; i < count; ++i) {
            wire::reader in{bytes(body)};
            check(wire::decode(decoded, version, in));
            keep(decoded);
        }
    };
    decode(warm_up);
    const counted_section counted;
    decode(answers);
}

}  // namespace sluice::perf
