#include "record/batch_builder.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "record/crc32c.hpp"

namespace sluice {

batch_builder::batch_builder(buffer_pool& pool, chunk_chain lent, std::uint32_t write_limit) noexcept
    : write_limit_(write_limit), pool_(&pool), chunks_(lent) {
    ensure(!lent.empty());
    enter(chunks_.first);
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
    std::size_t left = body_size_;
    for (chunk_index chunk = chunks_.first; left != 0; chunk = pool_->next(chunk)) {
        const std::size_t piece = std::min<std::size_t>(left, pool_->chunk_size_bytes());
        to.push_back(bytes(pool_->data(chunk), piece));
        left -= piece;
    }
}

void batch_builder::close() noexcept {
    if (is_closed_) return;
    is_closed_ = true;
    std::size_t left = body_size_;
    for (chunk_index chunk = chunks_.first; left != 0; chunk = pool_->next(chunk)) {
        const std::size_t piece = std::min<std::size_t>(left, pool_->chunk_size_bytes());
        body_crc_ = crc32c_extend(body_crc_, bytes(pool_->data(chunk), piece));
        left -= piece;
    }
}

}  // namespace sluice
