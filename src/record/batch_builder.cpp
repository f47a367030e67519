#include "record/batch_builder.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "record/crc32c.hpp"

namespace sluice {

namespace {

// At which size of records a batch is as large as `limit`; below, there is room for something.
std::uint32_t body_size_at(std::uint32_t limit, float expected_share) noexcept {
    const std::uint32_t room = limit > batch_header_size ? limit - std::uint32_t{batch_header_size} : 0;
    if (expected_share == 1.0f) return room;
    const double size = std::ceil(room / static_cast<double>(expected_share));
    return static_cast<std::uint32_t>(std::min(size, double{std::numeric_limits<std::int32_t>::max()}));
}

}  // namespace

batch_builder::batch_builder(buffer_pool& pool, chunk_chain lent, std::uint32_t write_limit,
                             float expected_share) noexcept
    : sure_body_size_(body_size_at(write_limit, std::max(expected_share, 1.0f))),
      full_body_size_(body_size_at(write_limit, expected_share)),
      pool_(&pool),
      chunks_(lent),
      write_limit_(write_limit),
      expected_share_(expected_share) {
    ensure(!lent.empty());
    if (expected_share > 1 && sure_body_size_ != 0) --sure_body_size_;  // it was rounded up
    enter(chunks_.first);
    quick_end_ = cursor_;  // the first record sets the base of the others
}

bool batch_builder::try_append(const record_parts& parts) noexcept {
    if (is_closed_) return false;
    const std::int64_t timestamp_delta = record_count_ == 0 ? 0 : parts.timestamp - base_timestamp_;
    const auto offset_delta = static_cast<std::int32_t>(record_count_);
    const std::size_t body = record_body_size(record_content_size(parts), timestamp_delta, offset_delta);
    const std::size_t size = record_size(body);
    if (record_count_ != 0 && body_size_ + size > sure_body_size_ && !has_room(size)) return false;
    if (size <= static_cast<std::size_t>(chunk_end_ - cursor_)) {
        cursor_ = write_record(cursor_, body, timestamp_delta, offset_delta, parts);
    } else if (!append_over_chunks(parts, size, body, timestamp_delta)) {
        return false;
    }
    note_appended(parts.timestamp, size);
    return true;
}

void batch_builder::note_appended(std::int64_t timestamp, std::size_t size) noexcept {
    if (record_count_ == 0) {
        base_timestamp_ = timestamp;
        max_timestamp_ = timestamp;
    } else if (timestamp > max_timestamp_) {
        max_timestamp_ = timestamp;
    }
    ++record_count_;
    body_size_ += static_cast<std::uint32_t>(size);
    // Room now, and it only becomes more than what is appended takes away from it, where that is expected to shrink.
    std::size_t room = sure_body_size_ > body_size_ ? sure_body_size_ - body_size_ : 0;
    if (expected_share_ < 1 && write_limit_ > estimated_size()) room = write_limit_ - estimated_size();
    quick_end_ = cursor_ + std::min(room, static_cast<std::size_t>(chunk_end_ - cursor_));
}

// A record that does not fit in the rest of the chunk: its small parts go through a scratch, key, value and headers are
// copied piece by piece.
bool batch_builder::append_over_chunks(const record_parts& parts, std::size_t size, std::size_t body,
                                       std::int64_t timestamp_delta) noexcept {
    const std::size_t room = std::size_t{chunks_.count} * pool_->chunk_size_bytes() - body_size_;
    if (size > room && !pool_->try_lend(chunks_, pool_->chunks_for(size - room))) return false;

    std::array<std::byte, record_overhead_max> scratch;
    const auto put = [&](std::byte* end) {
        copy(scratch.data(), static_cast<std::size_t>(end - scratch.data()));
    };
    const auto put_field = [&](const bytes_view& field) {
        put(wire::write_varint(scratch.data(), static_cast<std::int32_t>(field.size_or_minus_one())));
        copy(field.data(), field.size());
    };
    std::byte* at = wire::write_varint(scratch.data(), static_cast<std::int32_t>(body));
    *at++ = std::byte{0};  // attributes
    at = wire::write_varlong(at, timestamp_delta);
    put(wire::write_varint(at, static_cast<std::int32_t>(record_count_)));
    put_field(parts.key);
    put_field(parts.value);
    put(wire::write_varint(scratch.data(), static_cast<std::int32_t>(parts.headers.size())));
    for (const header& each : parts.headers) {
        put_field(each.key);
        put_field(each.value);
    }
    return true;
}

void batch_builder::copy(const std::byte* from, std::size_t size) noexcept {
    while (size != 0) {
        if (cursor_ == chunk_end_) enter(pool_->next(writing_));
        const std::size_t piece = std::min(size, static_cast<std::size_t>(chunk_end_ - cursor_));
        std::memcpy(cursor_, from, piece);
        cursor_ += piece;
        from += piece;
        size -= piece;
    }
}

void batch_builder::append_pieces(std::vector<bytes>& to) const {
    for (reading rest(*this); !rest.is_at_end();) to.push_back(rest.next());
}

void batch_builder::close() noexcept {
    end_appending();
    expected_share_ = 1;
    body_crc_ = 0;
    for (reading rest(*this); !rest.is_at_end();) body_crc_ = crc32c_extend(body_crc_, rest.next());
}

void batch_builder::take_compressed(compression type, bytes compressed) noexcept {
    ensure(is_closed_);
    ensure(type_ == compression::none);
    ensure(compressed.size() < body_size_);
    raw_body_size_ = body_size_;
    body_size_ = static_cast<std::uint32_t>(compressed.size());
    type_ = type;
    expected_share_ = 1;
    body_crc_ = crc32c(compressed);
    enter(chunks_.first);
    copy(compressed.data(), compressed.size());
    end_appending();  // where the cursor is now
    pool_->release_behind(chunks_, pool_->chunks_for(compressed.size()));
}

}  // namespace sluice
