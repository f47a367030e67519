// Compresses the closed batches of a shard: the oldest first, one at a time, in steps, so that the loop is never held for
// long. There is one codec context for all of them, and one scratch, outside the budget of buffer.memory.
//
//   closed batch --add()--> FIFO --run()--> its body compressed, over its own first chunks; the others are given back
//                                     `---> or as it was, if compressing does not make it smaller
//
// A turn may compress so many bytes (`turn_bytes`), and ends earlier if that takes longer than expected; what is left goes
// on in the next. So the loop is held for `turn_time` and one step more. A step is what the codec's library does in one go: a
// piece, or the block that a piece completes (zstd: 128 KB, from level 6 on 64 KB; lz4: 64 KB). To begin with a batch is a
// step of its own, in which a codec gets its tables.
//
// Owner: one shard; not synchronised.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "accumulator/batch.hpp"
#include "record/codecs/codec.hpp"

namespace sluice {

class batch_compression {
public:
    // `read_clock` may be empty: then only bytes count.
    batch_compression(compression type, int level, std::function<time_point()> read_clock);

    bool is_on() const noexcept { return type_ != compression::none; }
    bool has_work() const noexcept { return !waiting_.empty(); }

    // So much waits that what is accepted now would have left the caches when its turn comes.
    bool is_behind() const noexcept { return waiting_bytes_ >= behind_bytes; }

    void add(batch& closed) noexcept {
        waiting_bytes_ += closed.records.body_size();
        waiting_.push_back(closed);
    }
    // It has its result before it was sent.
    void withdraw(batch& ended) noexcept;

    // The turn's share of work is available again.
    void begin_turn() noexcept {
        left_in_turn_ = turn_bytes_;
        has_begun_ = false;
    }
    // Works as long as there are batches, and bytes of the turn left. `done` is called for each batch that can be sent now;
    // what it was compressed to has been noted in its topic.
    template <class Done>
    void run(Done&& done) {
        while (left_in_turn_ > 0 && has_work()) {
            batch& first = waiting_.front();
            if (!step_in_time(first)) continue;
            leave(first);
            done(first);
        }
    }

    // How many bytes of records a turn may compress: about a millisecond's work for a codec and level.
    static std::int64_t turn_bytes(compression type, int level) noexcept;
    // How many bytes of a chunk, at most, a codec gets at a time: few where it may take milliseconds for what it usually does
    // in a tenth of one, as gzip's high levels for text of two or four letters.
    static std::size_t piece_bytes(compression type, int level) noexcept;

private:
    bool step_in_time(batch& first);
    bool step(batch& first);
    void send_as_it_is(batch& first) noexcept;
    void leave(batch& waiting) noexcept {
        waiting_bytes_ -= waiting.records.raw_body_size();
        waiting.list_hook<compress_tag>::unlink();
    }

    static constexpr std::int64_t behind_bytes = 256 * 1024;
    static constexpr duration turn_time = std::chrono::milliseconds(1);

    compression type_;
    std::int64_t turn_bytes_;
    std::size_t piece_bytes_;
    std::function<time_point()> read_clock_;
    std::int64_t left_in_turn_;
    bool has_begun_ = false;  // something, in this turn
    time_point turn_began_{};
    std::unique_ptr<compressor> codec_;
    list_of<batch, compress_tag> waiting_;  // the first may be half done
    std::int64_t waiting_bytes_ = 0;        // of all of them, uncompressed
    bool is_under_way_ = false;
    batch_builder::reading rest_;  // of the first
    output_buffer compressed_;
};

}  // namespace sluice
