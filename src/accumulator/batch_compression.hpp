// Compresses the closed batches of a shard: the oldest first, one at a time, in steps, so that the loop is never held for
// long. There is one codec context for all of them, and one scratch, outside the budget of buffer.memory.
//
//   closed batch --add()--> FIFO --run()--> its body compressed, over its own first chunks; the others are given back
//                                     `---> or as it was, if compressing does not make it smaller
//
// A turn may compress so many bytes (`turn_bytes`); what is left goes on in the next.
//
// Owner: one shard; not synchronised.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "accumulator/batch.hpp"
#include "record/codecs/codec.hpp"

namespace sluice {

class batch_compression {
public:
    batch_compression(compression type, int level);

    bool is_on() const noexcept { return type_ != compression::none; }
    bool has_work() const noexcept { return !waiting_.empty(); }

    void add(batch& closed) noexcept { waiting_.push_back(closed); }
    // It has its result before it was sent.
    void withdraw(batch& ended) noexcept;

    // The turn's share of work is available again.
    void begin_turn() noexcept { left_in_turn_ = turn_bytes_; }
    // Works as long as there are batches, and bytes of the turn left. `done` is called for each batch that can be sent now;
    // what it was compressed to has been noted in its topic.
    template <class Done>
    void run(Done&& done) {
        while (left_in_turn_ > 0 && has_work()) {
            batch& first = waiting_.front();
            if (!step(first)) continue;
            first.list_hook<compress_tag>::unlink();
            done(first);
        }
    }

    // How many bytes of records a turn may compress: about a millisecond's work for a codec and level.
    static std::int64_t turn_bytes(compression type, int level) noexcept;

private:
    bool step(batch& first);
    void send_as_it_is(batch& first) noexcept;

    compression type_;
    std::int64_t turn_bytes_;
    std::int64_t left_in_turn_;
    std::unique_ptr<compressor> codec_;
    list_of<batch, compress_tag> waiting_;  // the first may be half done
    bool is_under_way_ = false;
    batch_builder::reading rest_;  // of the first
    output_buffer compressed_;
};

}  // namespace sluice
