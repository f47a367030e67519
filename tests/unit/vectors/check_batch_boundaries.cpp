#include "accumulator/shard_accumulator.hpp"
#include "unit/vectors/vectors.hpp"

namespace sluice::vectors {
namespace {

constexpr std::size_t memory_bytes = std::size_t{16} << 20;

bytes_view zeros(std::int64_t length) {
    static const std::vector<std::byte> plenty(1 << 20);
    if (length < 0) return std::nullopt;
    return std::span<const std::byte>(plenty).first(static_cast<std::size_t>(length));
}

void finish_all(shard_accumulator& accumulator) {
    while (batch* left = accumulator.find_unresolved()) accumulator.finish(*left, batch_result{});
    accumulator.take_finished([](result_block& block) { block.drop_reference(); });
}

// Where the batches end must not depend on the size of the chunks they are made of.
void check_with(const nlohmann::json& vector, std::uint32_t chunk_size, verdict& verdict) {
    buffer_pool pool(memory_bytes, chunk_size);
    accumulator_limits limits;
    limits.batch_size = vector.at("batchSize").get<std::uint32_t>();
    shard_accumulator accumulator(limits, pool);
    partition_queue& queue = accumulator.queue(accumulator.add_topic("t"), 0);
    for (const nlohmann::json& record : vector.at("records")) {
        record_parts parts;
        parts.timestamp = record.at("timestamp").get<std::int64_t>();
        parts.key = zeros(record.at("keyLength").get<std::int64_t>());
        parts.value = zeros(record.at("valueLength").get<std::int64_t>());
        const auto done = accumulator.append(queue, parts, time_point{});
        if (done.result == nullptr) {
            verdict.disagree("append", "memory", "none");
            break;
        }
        done.result->drop_reference();
    }

    const nlohmann::json& expected = vector.at("batches");
    verdict.expect_equal("batches", expected.size(), queue.waiting.size());
    std::uint32_t first = 0;
    std::size_t index = 0;
    for (const batch& came : queue.waiting) {
        if (index >= expected.size()) break;
        const nlohmann::json& batch = expected.at(index);
        const auto compare = [&](const char* name, std::uint64_t value) {
            verdict.expect_equal(fmt::format("{} of batch {}, in chunks of {}", name, index, chunk_size),
                                 batch.at(name).get<std::uint64_t>(), value);
        };
        compare("first", first);
        compare("count", came.records.record_count());
        compare("bufferSize", came.records.write_limit());
        compare("estimatedSize", came.records.estimated_size());
        compare("sizeInBytes", batch_header_size + came.records.body_size());
        verdict.expect_equal(fmt::format("full of batch {}", index), batch.at("full").get<bool>(),
                             came.records.is_full());
        first += came.records.record_count();
        ++index;
    }
    finish_all(accumulator);
    verdict.expect_equal("free chunks", std::int64_t{pool.capacity_chunks()}, pool.free_chunks());
}

void check(const nlohmann::json& vector, verdict& verdict) {
    for (const std::uint32_t chunk_size : {64u, 1024u, 16384u}) check_with(vector, chunk_size, verdict);
}

const registration registered("batch_boundaries", check);

}  // namespace
}  // namespace sluice::vectors
