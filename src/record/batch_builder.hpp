// The records of one batch, written over a chain of chunks as they are appended (Kafka's MemoryRecordsBuilder).
//
//   chunk 1              chunk 2              chunk 3
//   [record record rec|  |ord record recor|   |d record ........]      records may span chunks
//                                                        ^cursor
//
// The bytes never change after close(): every attempt writes its own header elsewhere, and the checksum of the body is
// computed once. Appending never waits: a batch that needs another chunk and gets none is full.
//
// Owner: one shard; not synchronised. The chunks belong to the pool, which outlives the builder.
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.hpp"
#include "memory/buffer_pool.hpp"
#include "record/record_format.hpp"

namespace sluice {

class batch_builder {
public:
    // Starts a batch in chunks that were lent for it. `write_limit` is max(batch.size, upper bound of the first record),
    // header included (ACC-3).
    batch_builder(buffer_pool& pool, chunk_chain lent, std::uint32_t write_limit) noexcept;
    // Gives the chunks back if nobody took them.
    ~batch_builder() { pool_->release(chunks_); }
    batch_builder(const batch_builder&) = delete;
    batch_builder& operator=(const batch_builder&) = delete;

    // Appends the record, of which record_content_size is known. False, and nothing changed, if the batch is closed,
    // if the record does not fit under the write limit (ACC-7; the first one always does), or if a chunk is missing.
    bool try_append(const record_parts& parts, std::size_t content_size) noexcept {
        const std::int64_t timestamp_delta = record_count_ == 0 ? 0 : parts.timestamp - base_timestamp_;
        const std::size_t body =
            record_body_size(content_size, timestamp_delta, static_cast<std::int32_t>(record_count_));
        const std::size_t size = record_size(body);
        if (record_count_ != 0 && estimated_size() + size > write_limit_) return false;
        if (is_closed_) return false;
        if (size <= static_cast<std::size_t>(chunk_end_ - cursor_)) [[likely]] {
            cursor_ =
                write_record(cursor_, body, timestamp_delta, static_cast<std::int32_t>(record_count_), parts);
        } else if (!append_over_chunks(parts, size, body, timestamp_delta)) {
            return false;
        }
        note_appended(parts.timestamp, size);
        return true;
    }

    // As full as it gets: at or over the write limit (ACC-8).
    bool is_full() const noexcept { return record_count_ != 0 && write_limit_ <= estimated_size(); }
    bool is_closed() const noexcept { return is_closed_; }
    // Ends appending and sums the body up.
    void close() noexcept;

    std::uint32_t record_count() const noexcept { return record_count_; }
    std::int64_t base_timestamp() const noexcept { return base_timestamp_; }
    std::int64_t max_timestamp() const noexcept { return max_timestamp_; }
    std::uint32_t body_size() const noexcept { return body_size_; }
    std::uint32_t write_limit() const noexcept { return write_limit_; }
    // Of the whole batch, as it counts for batch.size (uncompressed: exact).
    std::size_t estimated_size() const noexcept { return batch_header_size + body_size_; }
    std::uint32_t body_crc() const noexcept { return body_crc_; }

    // The body, in order, without copying. Valid as long as the chunks.
    void append_pieces(std::vector<bytes>& to) const;
    std::uint32_t chunk_count() const noexcept { return chunks_.count; }

private:
    bool append_over_chunks(const record_parts& parts, std::size_t size, std::size_t body,
                            std::int64_t timestamp_delta) noexcept;
    void copy(const std::byte* from, std::size_t size) noexcept;
    void enter(chunk_index chunk) noexcept {
        cursor_ = pool_->data(chunk);
        chunk_end_ = cursor_ + pool_->chunk_size_bytes();
        writing_ = chunk;
    }
    void note_appended(std::int64_t timestamp, std::size_t size) noexcept {
        if (record_count_ == 0) {
            base_timestamp_ = timestamp;
            max_timestamp_ = timestamp;
        } else if (timestamp > max_timestamp_) {
            max_timestamp_ = timestamp;
        }
        ++record_count_;
        body_size_ += static_cast<std::uint32_t>(size);
    }

    std::byte* cursor_ = nullptr;
    std::byte* chunk_end_ = nullptr;
    std::uint32_t record_count_ = 0;
    std::uint32_t body_size_ = 0;
    std::uint32_t write_limit_;
    bool is_closed_ = false;
    std::int64_t base_timestamp_ = -1;
    std::int64_t max_timestamp_ = -1;
    buffer_pool* pool_;
    chunk_chain chunks_;
    chunk_index writing_ = chunk_index::none;  // the chunk that the cursor is in
    std::uint32_t body_crc_ = 0;
};

}  // namespace sluice
