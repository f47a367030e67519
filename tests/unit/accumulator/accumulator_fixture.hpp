// An accumulator with a pool of its own, and records that know where they are: for the tests of accumulator and sender.
#pragma once

#include <string>
#include <vector>

#include "accumulator/shard_accumulator.hpp"
#include "record/batch_reader.hpp"

namespace sluice {

inline constexpr producer_identity identity{7, 0};

inline time_point at(duration since_start) {
    return time_point{} + std::chrono::hours(1) + since_start;
}

inline accumulator_limits limits_of(std::uint32_t batch_size,
                                    duration linger = std::chrono::milliseconds(5)) {
    accumulator_limits limits;
    limits.batch_size = batch_size;
    limits.linger = linger;
    limits.delivery_timeout = std::chrono::milliseconds(100);
    return limits;
}

using partitions = std::vector<std::int32_t>;
using texts = std::vector<std::string>;

inline std::vector<batch*> waiting_in(partition_queue& queue) {
    std::vector<batch*> waiting;
    for (batch& each : queue.waiting) waiting.push_back(&each);
    return waiting;
}

inline record_parts parts_of(bytes_view key, bytes_view value, std::int64_t timestamp = 1000) {
    record_parts parts;
    parts.timestamp = timestamp;
    parts.key = key;
    parts.value = value;
    return parts;
}

// One appended record on its way to its result: a delivery that nobody awaits.
class held_record {
public:
    held_record() = default;
    explicit held_record(const shard_accumulator::appended& done) : block_(done.result), index_(done.index) {}
    held_record(held_record&& other) noexcept
        : block_(std::exchange(other.block_, nullptr)), index_(other.index_) {}
    held_record& operator=(held_record&& other) noexcept {
        std::swap(block_, other.block_);
        std::swap(index_, other.index_);
        return *this;
    }
    ~held_record() {
        if (block_ != nullptr) block_->drop_reference();
    }

    bool was_appended() const { return block_ != nullptr; }
    bool is_done() const { return place().block->is_done(); }
    const batch_result& result() const { return place().block->result(); }
    record_metadata metadata() const {
        const result_block::part at = place();
        return at.block->metadata(at.first_index, 1000, 1, 1);
    }
    // The block that has it now, and its index there.
    result_block::part place() const {
        result_block::part at{index_, block_};
        while (at.block->is_split()) at = at.block->find(at.first_index);
        return at;
    }

private:
    result_block* block_ = nullptr;
    std::uint32_t index_ = 0;
};

// A record read back, as text: "key=value @timestamp {name: value}".
inline std::string text_of(const record_parts& parts) {
    const auto text = [](const bytes_view& view) {
        return view.is_null() ? std::string("null") : std::string(view.text());
    };
    std::string made = text(parts.key) + "=" + text(parts.value) + " @" + std::to_string(parts.timestamp);
    for (const header& each : parts.headers) {
        made += " {" + std::string(each.key) + ": " + text(each.value) + "}";
    }
    return made;
}

// The records of a closed batch.
inline std::vector<std::string> texts_of(const batch& closed) {
    batch_header header;
    header.record_count = closed.record_count;
    header.base_timestamp = closed.records.base_timestamp();
    std::vector<bytes> pieces;
    closed.records.append_pieces(pieces);
    std::vector<std::byte> body;
    for (const bytes piece : pieces) body.insert(body.end(), piece.begin(), piece.end());
    std::vector<std::string> texts;
    batch_reader reader(header, body);
    while (const auto record = reader.next()) texts.push_back(text_of(record->parts));
    ensure(!reader.error());
    return texts;
}

struct accumulator_fixture {
    explicit accumulator_fixture(const accumulator_limits& limits = {}, std::size_t memory_bytes = 1 << 20,
                                 std::uint32_t chunk_size = 1024)
        : pool(memory_bytes, chunk_size), accumulator(limits, pool) {}
    ~accumulator_fixture() {
        while (batch* left = accumulator.find_unresolved()) {
            if (left->is_tracked()) left->queue.ledger.on_failed(*left);
            accumulator.finish(*left, batch_result{});
        }
        drop_finished();
        // What a test still holds in flight it released itself, or the accumulator complains.
    }

    partition_queue& queue(std::int32_t partition = 0) { return accumulator.queue(topic, partition); }

    held_record append(partition_queue& to, const record_parts& parts, time_point now = {}) {
        return held_record(accumulator.append(to, parts, now));
    }
    held_record append(partition_queue& to, bytes_view value, time_point now = {}) {
        return append(to, parts_of(std::nullopt, value), now);
    }

    // The queues that became sendable, in order, as partition numbers.
    std::vector<std::int32_t> take_sendable() {
        std::vector<std::int32_t> taken;
        accumulator.take_sendable([&](partition_queue& each) { taken.push_back(each.partition); });
        return taken;
    }
    // Takes the head into flight, acknowledges it and lets go of it.
    void complete(batch& in_flight, std::int64_t base_offset = 0) {
        batch_result result;
        result.outcome = outcome::persisted;
        result.base_offset = base_offset;
        accumulator.finish(in_flight, std::move(result));
        accumulator.release(in_flight);
    }
    // How many results were set.
    int drop_finished() {
        int count = 0;
        accumulator.take_finished([&](result_block& block) {
            block.drop_reference();
            ++count;
        });
        return count;
    }
    bool is_all_memory_free() const { return pool.free_chunks() == std::int64_t{pool.capacity_chunks()}; }

    buffer_pool pool;
    shard_accumulator accumulator;
    topic_queues& topic = accumulator.add_topic("orders");
};

}  // namespace sluice
