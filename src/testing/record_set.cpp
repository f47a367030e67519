#include "testing/record_set.hpp"

#include <fmt/format.h>

#include "record/crc32c.hpp"
#include "testing/kafka_error.hpp"
#include "testing/record_cursor.hpp"
#include "wire/big_endian.hpp"

namespace sluice::testing {
namespace {

using wire::load_big_endian;

constexpr std::size_t size_end = 12;  // of offset and size, which every format begins with
constexpr std::size_t magic_end = 17;
constexpr std::int32_t size_min = 14;  // of format 0, the smallest
constexpr std::int8_t magic_max = 2;
constexpr int codec_zstd = 4;
constexpr int codec_max = codec_zstd;
constexpr std::size_t decompressed_size_max = std::size_t{256} << 20;

batch_verdict refuse(broker_errc code, bool is_unexpected = true) {
    batch_verdict verdict;
    verdict.code = code_of(code);
    verdict.is_unexpected = is_unexpected;
    return verdict;
}

// Walks over the records of a batch, decompressed.
class record_walk {
public:
    record_walk(const batch_header& header, const batch_rules& rules) noexcept
        : header_(header), rules_(rules) {}

    // False: these are not as many records as the header says, and nothing else.
    bool run(bytes body) {
        record_cursor all(body);
        for (std::int32_t index = 0; index < header_.record_count; ++index) {
            const bytes record = all.read_record();
            if (all.failed() || !look_at(record, index)) return false;
        }
        return all.remaining() == 0;
    }

    batch_verdict verdict() {
        batch_verdict found;
        found.max_timestamp = max_timestamp_;
        if (faults_.empty()) return found;
        found.code =
            code_of(has_bad_timestamp_ ? broker_errc::invalid_timestamp : broker_errc::invalid_record);
        found.is_unexpected = true;
        found.text =
            has_bad_timestamp_
                ? "One or more records have been rejected due to invalid timestamp"
                : fmt::format("One or more records have been rejected due to {} record errors in total",
                              faults_.size());
        found.faults = std::move(faults_);
        return found;
    }

private:
    bool look_at(bytes record, std::int32_t index) {
        record_cursor in(record);
        in.take(1);  // attributes
        const std::int64_t timestamp_delta = in.read_varlong();
        in.read_varint();  // the offset delta: Kafka counts for itself
        const bool has_key = in.read_field().has_value();
        in.read_field();
        const std::int32_t header_count = in.read_varint();
        if (header_count < 0 || static_cast<std::size_t>(header_count) > in.remaining()) return false;
        for (std::int32_t left = header_count; left > 0; --left) {
            if (!in.read_field()) return false;  // a header's name is never null
            in.read_field();
        }
        if (in.failed() || in.remaining() != 0) return false;

        const bool is_stamped = header_.has(batch_attributes::log_append_time);
        const std::int64_t timestamp =
            is_stamped ? header_.max_timestamp
                       : static_cast<std::int64_t>(static_cast<std::uint64_t>(header_.base_timestamp) +
                                                   static_cast<std::uint64_t>(timestamp_delta));
        max_timestamp_ = std::max(max_timestamp_, timestamp);
        judge(index, has_key, timestamp, is_stamped);
        return true;
    }

    void judge(std::int32_t index, bool has_key, std::int64_t timestamp, bool is_stamped) {
        if (rules_.needs_keys && !has_key) {
            faults_.push_back(
                {index,
                 fmt::format("Compacted topic cannot accept message without key in topic partition {}.",
                             rules_.partition_name)});
        } else if (rules_.timestamps == timestamp_type::create_time && timestamp != -1) {
            if (timestamp <= rules_.timestamp_max) return;
            has_bad_timestamp_ = true;
            faults_.push_back(
                {index, fmt::format("Timestamp {} of message with offset {} is out of range. The timestamp "
                                    "should be at most {}.",
                                    timestamp, index, rules_.timestamp_max)});
        } else if (is_stamped) {
            has_bad_timestamp_ = true;
            // Formatted, since g++ 12 with the thread sanitizer takes the copy of a literal for an overflow.
            faults_.push_back(
                {index, fmt::format("Invalid timestamp type in message. Producer should not set "
                                    "timestamp type to LogAppendTime.")});
        }
    }

    const batch_header& header_;
    const batch_rules& rules_;
    std::int64_t max_timestamp_ = -1;
    std::vector<record_fault> faults_;
    bool has_bad_timestamp_ = false;
};

}  // namespace

first_batch find_batch(bytes records) noexcept {
    first_batch found;
    if (records.size() < size_end) return found;
    const auto size = load_big_endian<std::int32_t>(records.data() + 8);
    if (size < size_min) {
        found.what = first_batch::kind::corrupt;
        return found;
    }
    if (records.size() < magic_end) return found;
    found.magic = load_big_endian<std::int8_t>(records.data() + 16);
    if (found.magic < 0 || found.magic > magic_max) {
        found.what = first_batch::kind::corrupt;
        return found;
    }
    if (records.size() - size_end < static_cast<std::size_t>(size)) return found;
    found.what = first_batch::kind::whole;
    found.data = records.first(size_end + static_cast<std::size_t>(size));
    return found;
}

batch_header header_of(bytes batch) noexcept {
    const std::byte* at = batch.data();
    batch_header header;
    header.base_offset = load_big_endian<std::int64_t>(at);
    header.partition_leader_epoch = load_big_endian<std::int32_t>(at + 12);
    header.magic = load_big_endian<std::int8_t>(at + 16);
    header.crc = load_big_endian<std::uint32_t>(at + 17);
    header.attributes = load_big_endian<std::int16_t>(at + 21);
    header.last_offset_delta = load_big_endian<std::int32_t>(at + 23);
    header.base_timestamp = load_big_endian<std::int64_t>(at + 27);
    header.max_timestamp = load_big_endian<std::int64_t>(at + 35);
    header.producer_id = load_big_endian<std::int64_t>(at + 43);
    header.producer_epoch = load_big_endian<std::int16_t>(at + 51);
    header.base_sequence = load_big_endian<std::int32_t>(at + 53);
    header.record_count = load_big_endian<std::int32_t>(at + 57);
    header.body_size = static_cast<std::int32_t>(batch.size() - batch_header::size_bytes);
    return header;
}

std::int16_t check_shape(bytes records, std::int16_t version) noexcept {
    using kind = first_batch::kind;
    const first_batch first = find_batch(records);
    if (first.what == kind::none) return code_of(broker_errc::invalid_record);
    if (first.what == kind::corrupt) return code_of(broker_errc::corrupt_message);
    if (first.magic != magic_max) return code_of(broker_errc::invalid_record);
    if (first.data.size() < batch_header::size_bytes) return code_of(broker_errc::corrupt_message);
    if (version < 7 && header_of(first.data).codec() == codec_zstd) {
        return code_of(broker_errc::unsupported_compression_type);
    }
    switch (find_batch(records.subspan(first.data.size())).what) {
        case kind::whole: return code_of(broker_errc::invalid_record);
        case kind::corrupt: return code_of(broker_errc::corrupt_message);
        case kind::none: break;
    }
    return no_error;
}

std::optional<bytes> records_of(const batch_header& header, bytes batch, output_buffer& room) {
    const bytes body = batch.subspan(batch_header::size_bytes);
    const auto type = static_cast<compression>(header.codec());
    if (type == compression::none) return body;
    if (decompress(type, body, decompressed_size_max, room)) return std::nullopt;
    return room.content();
}

batch_verdict check_batch(const batch_header& header, bytes batch, const batch_rules& rules) {
    if (header.base_offset != 0) return refuse(broker_errc::invalid_record);
    if (batch.size() > static_cast<std::size_t>(rules.size_max))
        return refuse(broker_errc::message_too_large, false);
    if (crc32c(batch.subspan(batch_header::crc_start)) != header.crc)
        return refuse(broker_errc::corrupt_message, false);
    if (header.codec() > codec_max) return refuse(broker_errc::unknown_server_error);
    if (header.last_offset_delta < 0 || header.record_count <= 0) return refuse(broker_errc::invalid_record);
    if (header.last_offset_delta != header.record_count - 1) return refuse(broker_errc::invalid_record);
    if (header.has(batch_attributes::control)) return refuse(broker_errc::invalid_record);
    if (header.producer_id >= 0 && header.base_sequence < 0) return refuse(broker_errc::invalid_record);
    output_buffer room;
    const std::optional<bytes> records = records_of(header, batch, room);
    if (!records) return refuse(broker_errc::unknown_server_error);
    record_walk walk(header, rules);
    if (!walk.run(*records)) return refuse(broker_errc::invalid_record);
    return walk.verdict();
}

}  // namespace sluice::testing
