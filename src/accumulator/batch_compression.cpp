#include "accumulator/batch_compression.hpp"

#include "accumulator/topic_queues.hpp"

namespace sluice {

batch_compression::batch_compression(compression type, int level, std::function<time_point()> read_clock)
    : type_(type),
      turn_bytes_(turn_bytes(type, level)),
      piece_bytes_(piece_bytes(type, level)),
      read_clock_(std::move(read_clock)),
      left_in_turn_(turn_bytes_) {
    if (is_on()) codec_ = make_compressor(type, level);
}

std::int64_t batch_compression::turn_bytes(compression type, int level) noexcept {
    constexpr std::int64_t kilobyte = 1024;
    switch (type) {
        case compression::snappy: return 256 * kilobyte;
        case compression::lz4: return (level == 9 ? 256 : 32) * kilobyte;
        case compression::zstd:
            if (level <= 2) return 256 * kilobyte;
            return (level <= 5 ? 128 : level <= 9 ? 32 : 16) * kilobyte;
        case compression::gzip: return (level >= 1 && level <= 4 ? 64 : 16) * kilobyte;
        case compression::none: break;
    }
    return 0;
}

std::size_t batch_compression::piece_bytes(compression type, int level) noexcept {
    constexpr int first_slow_gzip_level = 7;
    return type == compression::gzip && level >= first_slow_gzip_level ? 1024 : SIZE_MAX;
}

void batch_compression::withdraw(batch& ended) noexcept {
    if (&ended == &waiting_.front()) is_under_way_ = false;
    leave(ended);
}

bool batch_compression::step_in_time(batch& first) {
    if (!read_clock_) return step(first);
    if (!has_begun_) turn_began_ = read_clock_();
    has_begun_ = true;
    const bool is_done = step(first);
    if (read_clock_() - turn_began_ >= turn_time) left_in_turn_ = 0;
    return is_done;
}

// Begins with the batch, or compresses its next piece. True: it is done.
bool batch_compression::step(batch& first) {
    batch_builder& records = first.records;
    if (!is_under_way_) {
        compressed_.clear();
        rest_ = batch_builder::reading(records);
        if (!codec_->begin(records.body_size(), compressed_)) {
            send_as_it_is(first);
            return true;
        }
        is_under_way_ = true;
        return false;
    }
    const bytes piece = rest_.next(piece_bytes_);
    left_in_turn_ -= static_cast<std::int64_t>(piece.size());
    const bool is_last = rest_.is_at_end();
    const bool did_write = codec_->write(piece, is_last, compressed_);
    // No smaller, or no memory for the codec.
    if (!did_write || compressed_.size() >= records.body_size()) {
        send_as_it_is(first);
        return true;
    }
    if (!is_last) return false;
    is_under_way_ = false;
    const float observed = static_cast<float>(compressed_.size()) / static_cast<float>(records.body_size());
    first.queue.topic->ratio.note(observed);
    records.take_compressed(type_, compressed_.content());
    return true;
}

void batch_compression::send_as_it_is(batch& first) noexcept {
    is_under_way_ = false;
    first.queue.topic->ratio.note(1);
    first.records.close();
}

}  // namespace sluice
