// The first 61 bytes of a record batch, format 2 (RB-1, org.apache.kafka.common.record.DefaultRecordBatch).
//
//   batch = baseOffset:int64 batchLength:int32 partitionLeaderEpoch:int32 magic:int8(2) crc:uint32
//           attributes:int16 lastOffsetDelta:int32 baseTimestamp:int64 maxTimestamp:int64
//           producerId:int64 producerEpoch:int16 baseSequence:int32 recordCount:int32 record*
//
//   batchLength counts what follows it; crc is CRC-32C of everything from `attributes` on (RB-3).
#pragma once

#include <cstdint>
#include <span>

#include "base/bytes.hpp"
#include "record/record_format.hpp"
#include "sluice/error.hpp"

namespace sluice {

// RB-4. The codec is in the low three bits.
enum class batch_attributes : std::int16_t {
    none = 0,
    codec_mask = 7,
    log_append_time = 8,
    transactional = 16,
    control = 32
};

struct batch_header {
    static constexpr std::size_t size_bytes = batch_header_size;
    static constexpr std::size_t crc_start = 21;  // the first byte that the checksum covers

    std::int64_t base_offset = 0;
    std::int32_t partition_leader_epoch = -1;
    std::int8_t magic = 2;
    std::uint32_t crc = 0;  // of a decoded batch; encode() computes it
    std::int16_t attributes = 0;
    std::int32_t last_offset_delta = 0;
    std::int64_t base_timestamp = 0;
    std::int64_t max_timestamp = 0;
    std::int64_t producer_id = -1;
    std::int16_t producer_epoch = -1;
    std::int32_t base_sequence = -1;
    std::int32_t record_count = 0;
    std::int32_t body_size = 0;  // of the records; batchLength is derived from it

    bool has(batch_attributes attribute) const noexcept {
        return (attributes & static_cast<std::int16_t>(attribute)) != 0;
    }
    int codec() const noexcept {
        return attributes & static_cast<std::int16_t>(batch_attributes::codec_mask);
    }
};

static_assert(batch_header::size_bytes == 61);

// Writes the header with its checksum, made of the header's own bytes and the checksum of the body.
void encode(const batch_header& header, std::uint32_t body_crc,
            std::span<std::byte, batch_header::size_bytes> to) noexcept;

// Reads the header of the batch that `data` begins with. Errors: protocol_error where it is cut off, its length is
// impossible, or the magic is not 2. Whether the body is there too, and the checksum, is the caller's to check.
result<batch_header> decode_batch_header(bytes data) noexcept;

// Is the checksum right? `data` is a whole batch.
bool has_valid_crc(const batch_header& header, bytes data) noexcept;

}  // namespace sluice
