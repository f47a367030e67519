#include "testing/partition_log.hpp"

#include <algorithm>
#include <cstring>

#include "exactly_once/sequence.hpp"
#include "record/crc32c.hpp"
#include "testing/record_cursor.hpp"
#include "testing/record_set.hpp"
#include "wire/big_endian.hpp"

namespace sluice::testing {
namespace {

using wire::store_big_endian;

std::optional<std::string> owned(const std::optional<bytes>& field) {
    if (!field) return std::nullopt;
    return std::string(as_text(*field));
}

// Wraps, as Java's does: a producer may send any delta.
std::int64_t sum_of(std::int64_t base, std::int64_t delta) noexcept {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(base) + static_cast<std::uint64_t>(delta));
}

// What is the same for every record of a batch.
log_record record_at(const batch_header& header, std::int32_t offset_delta) {
    log_record record;
    record.offset = header.base_offset + offset_delta;
    record.producer_id = header.producer_id;
    record.producer_epoch = header.producer_epoch;
    if (header.base_sequence >= 0) record.sequence = sequence_after(header.base_sequence, offset_delta);
    record.leader_epoch = header.partition_leader_epoch;
    record.compression = static_cast<compression>(header.codec());
    return record;
}

// The batch was checked when it was appended.
void read_records(const batch_header& batch, bytes body, std::vector<log_record>& out) {
    record_cursor all(body);
    for (std::int32_t index = 0; index < batch.record_count; ++index) {
        log_record& record = out.emplace_back(record_at(batch, index));
        record_cursor in(all.read_record());
        in.take(1);  // attributes
        record.timestamp = sum_of(batch.base_timestamp, in.read_varlong());
        if (batch.has(batch_attributes::log_append_time)) record.timestamp = batch.max_timestamp;
        in.read_varint();  // the offset delta
        record.key = owned(in.read_field());
        record.value = owned(in.read_field());
        for (std::int32_t left = in.read_varint(); left > 0; --left) {
            const bytes name = in.read_field().value_or(bytes());
            record.headers.push_back({std::string(as_text(name)), owned(in.read_field())});
        }
    }
}

}  // namespace

std::int64_t partition_log::append(const batch_header& header, bytes batch, const stamp& stamped) {
    const std::int64_t base_offset = end_offset_;
    end_offset_ += header.record_count;
    totals_.record_count += header.record_count;
    totals_.batch_count += 1;
    totals_.size_bytes += static_cast<std::int64_t>(batch.size());
    std::array<std::byte, 4> crc;
    store_big_endian(crc.data(), header.crc);
    totals_.checksum = crc32c_extend(totals_.checksum, crc);
    if (!keeps_batches_) return base_offset;

    stored_batch stored{end_offset_, batch.size(), std::make_unique_for_overwrite<std::byte[]>(batch.size())};
    std::byte* const data = stored.data.get();
    std::memcpy(data, batch.data(), batch.size());
    store_big_endian(data, base_offset);
    store_big_endian(data + 12, stamped.leader_epoch);
    const bool is_log_append_time = stamped.type == timestamp_type::log_append_time;
    if (header.has(batch_attributes::log_append_time) != is_log_append_time ||
        header.max_timestamp != stamped.max_timestamp) {
        constexpr auto type_bit = static_cast<std::int16_t>(batch_attributes::log_append_time);
        // Kafka writes the bits that it knows, which are all in the low byte.
        const auto others = static_cast<std::int16_t>(header.attributes & 0x77);
        store_big_endian(data + 21,
                         static_cast<std::int16_t>(is_log_append_time ? others | type_bit : others));
        store_big_endian(data + 35, stamped.max_timestamp);
        store_big_endian(data + 17, crc32c(stored.view().subspan(batch_header::crc_start)));
    }
    stored_.push_back(std::move(stored));
    return base_offset;
}

void partition_log::delete_before(std::int64_t offset) {
    if (offset <= start_offset_) return;
    start_offset_ = offset;
    const auto first_kept = std::ranges::find_if(
        stored_, [offset](const stored_batch& stored) { return stored.end_offset > offset; });
    stored_.erase(stored_.begin(), first_kept);
}

std::vector<log_record> partition_log::records() const {
    std::vector<log_record> all;
    for (const stored_batch& stored : stored_) {
        const batch_header header = header_of(stored.view());
        output_buffer room;
        const std::optional<bytes> body = records_of(header, stored.view(), room);
        ensure(body.has_value());
        read_records(header, *body, all);
    }
    std::erase_if(all, [this](const log_record& record) { return record.offset < start_offset_; });
    return all;
}

std::vector<std::vector<std::byte>> partition_log::batches() const {
    std::vector<std::vector<std::byte>> copies;
    copies.reserve(stored_.size());
    for (const stored_batch& stored : stored_)
        copies.emplace_back(stored.view().begin(), stored.view().end());
    return copies;
}

}  // namespace sluice::testing
