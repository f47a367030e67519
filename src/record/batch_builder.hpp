// The records of one batch, written over a chain of chunks as they are appended (Kafka's MemoryRecordsBuilder).
//
//   chunk 1              chunk 2              chunk 3
//   [record record rec|  |ord record recor|   |d record ........]      records may span chunks
//                                                        ^cursor
//
// The bytes never change after close(): every attempt writes its own header elsewhere, and the checksum of the body is
// computed once. Appending never waits: a batch that needs another chunk and gets none is full.
//
// A batch that will be compressed gathers its records as they are, until what they are expected to be compressed to is
// batch.size (CMP-8). It ends with end_appending(), and then with take_compressed(), which writes the compressed body
// over the first chunks and gives the others back, or, if that would not make it smaller, with close().
//
// Owner: one shard; not synchronised. The chunks belong to the pool, which outlives the builder.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/bytes.hpp"
#include "memory/buffer_pool.hpp"
#include "record/record_format.hpp"
#include "sluice/compression.hpp"

namespace sluice {

class batch_builder {
public:
    // Starts a batch in chunks that were lent for it. `write_limit` is max(batch.size, upper bound of the first record),
    // header included (ACC-3). `expected_share`: what is left of the records' size when they are sent; 1 if they are not
    // compressed.
    batch_builder(buffer_pool& pool, chunk_chain lent, std::uint32_t write_limit,
                  float expected_share = 1) noexcept;
    // Gives the chunks back if nobody took them.
    ~batch_builder() { pool_->release(chunks_); }
    batch_builder(const batch_builder&) = delete;
    batch_builder& operator=(const batch_builder&) = delete;

    // Appends the record. False, and nothing changed, if the batch is closed, if the record does not fit under the write
    // limit (ACC-7; the first one always does), or if a chunk is missing.
    bool try_append(const record_parts& parts) noexcept;
    // The same for anything with a key, a value and headers, whose record_content_size is at most `content_bound`; but false,
    // and nothing changed, also where it takes more than a few instructions to know: then try_append() decides.
    template <class Parts>
    [[gnu::always_inline]] bool try_append_quickly(const Parts& parts, std::int64_t timestamp,
                                                   std::size_t content_bound) noexcept {
        if (static_cast<std::ptrdiff_t>(record_overhead_max + content_bound) > quick_end_ - cursor_)
            return false;
        std::byte* const end = write_record_quickly(cursor_, content_bound, timestamp - base_timestamp_,
                                                    static_cast<std::int32_t>(record_count_), parts);
        body_size_ += static_cast<std::uint32_t>(end - cursor_);
        cursor_ = end;
        ++record_count_;
        if (timestamp > max_timestamp_) max_timestamp_ = timestamp;
        return true;
    }

    // As full as it gets: at or over the write limit (ACC-8).
    bool is_full() const noexcept { return record_count_ != 0 && full_body_size_ <= body_size_; }
    // Takes no more records.
    bool is_closed() const noexcept { return is_closed_; }
    void end_appending() noexcept {
        is_closed_ = true;
        quick_end_ = cursor_;
    }
    // Ends appending, and sums the body up: it is sent as it is. Once.
    void close() noexcept;
    // Of a batch whose appending has ended: this is what its body was compressed to, and is smaller.
    void take_compressed(compression type, bytes compressed) noexcept;

    std::uint32_t record_count() const noexcept { return record_count_; }
    std::int64_t base_timestamp() const noexcept { return base_timestamp_; }
    std::int64_t max_timestamp() const noexcept { return max_timestamp_; }
    // Of the records as they are now: compressed, once they are.
    std::uint32_t body_size() const noexcept { return body_size_; }
    // Of the records uncompressed.
    std::uint32_t raw_body_size() const noexcept {
        return type_ == compression::none ? body_size_ : raw_body_size_;
    }
    compression type() const noexcept { return type_; }
    std::uint32_t write_limit() const noexcept { return write_limit_; }
    // Of the whole batch, as it counts for batch.size: exact, if it is not to be compressed or has been.
    std::size_t estimated_size() const noexcept { return batch_header_size + expected_size(body_size_); }
    // What so many bytes of records will be when they are sent.
    std::uint32_t expected_size(std::uint32_t raw_size) const noexcept {
        return expected_share_ == 1.0f
                   ? raw_size
                   : static_cast<std::uint32_t>(static_cast<float>(raw_size) * expected_share_);
    }
    std::uint32_t body_crc() const noexcept { return body_crc_; }

    // The body, in order, without copying. Valid as long as the chunks.
    void append_pieces(std::vector<bytes>& to) const;
    // The body from its first byte on, piece after piece; valid as long as nothing is appended.
    class reading {
    public:
        reading() = default;
        explicit reading(const batch_builder& of) noexcept
            : pool_(of.pool_), chunk_(of.chunks_.first), left_(of.body_size_) {}
        bool is_at_end() const noexcept { return left_ == 0; }
        // The next piece, of at most that many bytes; not at the end.
        bytes next(std::size_t size_max = SIZE_MAX) noexcept {
            const std::size_t left_in_chunk = pool_->chunk_size_bytes() - offset_;
            const bytes piece(pool_->data(chunk_) + offset_, std::min({size_max, left_in_chunk, left_}));
            left_ -= piece.size();
            offset_ += piece.size();
            if (piece.size() == left_in_chunk) {
                chunk_ = pool_->next(chunk_);
                offset_ = 0;
            }
            return piece;
        }

    private:
        const buffer_pool* pool_ = nullptr;
        chunk_index chunk_ = chunk_index::none;
        std::size_t offset_ = 0;
        std::size_t left_ = 0;
    };
    std::uint32_t chunk_count() const noexcept { return chunks_.count; }

private:
    // Beyond the size at which any record would do.
    bool has_room(std::size_t size) const noexcept {
        return expected_share_ != 1.0f && estimated_size() + size <= write_limit_;
    }
    bool append_over_chunks(const record_parts& parts, std::size_t size, std::size_t body,
                            std::int64_t timestamp_delta) noexcept;
    void copy(const std::byte* from, std::size_t size) noexcept;
    void enter(chunk_index chunk) noexcept {
        cursor_ = pool_->data(chunk);
        chunk_end_ = cursor_ + pool_->chunk_size_bytes();
        writing_ = chunk;
    }
    void note_appended(std::int64_t timestamp, std::size_t size) noexcept;

    std::byte* cursor_ = nullptr;
    std::byte* quick_end_ = nullptr;  // up to here a record is appended without a second look
    std::byte* chunk_end_ = nullptr;
    std::uint32_t record_count_ = 0;
    std::uint32_t body_size_ = 0;
    std::uint32_t sure_body_size_;  // up to here there is room for sure
    std::uint32_t full_body_size_;  // from here on the batch is full
    bool is_closed_ = false;
    compression type_ = compression::none;
    std::int64_t base_timestamp_ = -1;
    std::int64_t max_timestamp_ = -1;
    buffer_pool* pool_;
    chunk_chain chunks_;
    chunk_index writing_ = chunk_index::none;  // the chunk that the cursor is in
    std::uint32_t body_crc_ = 0;
    std::uint32_t write_limit_;
    float expected_share_;
    std::uint32_t raw_body_size_ = 0;  // of one that is compressed
};

}  // namespace sluice
