// Record batches for tests of brokers: good ones, and ones that are bad in one place.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "record/batch_header.hpp"
#include "record/codecs/codec.hpp"
#include "record/crc32c.hpp"
#include "record/record_format.hpp"
#include "wire/big_endian.hpp"

namespace sluice::testing {

struct made_record {
    std::optional<std::string> key = "k";
    std::optional<std::string> value = "v";
    std::int64_t timestamp = 1000;
    std::vector<std::pair<std::string, std::optional<std::string>>> headers = {};
};

struct made_batch {
    std::vector<made_record> records{made_record{}};
    std::int64_t producer_id = -1;
    std::int16_t producer_epoch = -1;
    std::int32_t base_sequence = -1;
    std::int16_t attributes = 0;
    std::int64_t base_offset = 0;

    // `count` records, of that producer.
    static made_batch of(int count, std::int64_t producer_id = -1, std::int16_t producer_epoch = -1,
                         std::int32_t base_sequence = -1) {
        made_batch made;
        made.records.resize(static_cast<std::size_t>(count));
        made.producer_id = producer_id;
        made.producer_epoch = producer_epoch;
        made.base_sequence = base_sequence;
        return made;
    }

    std::vector<std::byte> bytes() const {
        std::vector<std::byte> all(batch_header::size_bytes);
        batch_header header;
        header.base_offset = base_offset;
        header.attributes = attributes;
        header.base_timestamp = records.empty() ? 0 : records.front().timestamp;
        header.max_timestamp = header.base_timestamp;
        for (std::size_t index = 0; index < records.size(); ++index) {
            append(all, records[index], header.base_timestamp, static_cast<std::int32_t>(index));
            header.max_timestamp = std::max(header.max_timestamp, records[index].timestamp);
        }
        header.producer_id = producer_id;
        header.producer_epoch = producer_epoch;
        header.base_sequence = base_sequence;
        header.record_count = static_cast<std::int32_t>(records.size());
        header.last_offset_delta = header.record_count - 1;
        header.body_size = static_cast<std::int32_t>(all.size() - batch_header::size_bytes);
        const std::uint32_t body_crc = crc32c(sluice::bytes(all).subspan(batch_header::size_bytes));
        encode(header, body_crc, std::span(all).first<batch_header::size_bytes>());
        return all;
    }

private:
    static bytes_view view(const std::optional<std::string>& text) {
        return text ? bytes_view(*text) : bytes_view(std::nullopt);
    }

    static void append(std::vector<std::byte>& to, const made_record& record, std::int64_t base_timestamp,
                       std::int32_t index) {
        std::vector<header> headers;
        for (const auto& [key, value] : record.headers) headers.push_back({key, view(value)});
        const record_parts parts{record.timestamp, view(record.key), view(record.value), headers};
        const std::int64_t delta = record.timestamp - base_timestamp;
        const std::size_t body_size = record_body_size(record_content_size(parts), delta, index);
        const std::size_t begin = to.size();
        to.resize(begin + record_size(body_size));
        write_record(to.data() + begin, body_size, delta, index, parts);
    }
};

// Changes a field of a batch's header, and the checksum with it.
template <class Integer>
std::vector<std::byte> with_field(std::vector<std::byte> batch, std::size_t offset, Integer value) {
    wire::store_big_endian(batch.data() + offset, value);
    wire::store_big_endian(batch.data() + 17, crc32c(bytes(batch).subspan(batch_header::crc_start)));
    return batch;
}

// Where the header's fields are.
inline constexpr std::size_t base_offset_at = 0;
inline constexpr std::size_t size_at = 8;
inline constexpr std::size_t leader_epoch_at = 12;
inline constexpr std::size_t magic_at = 16;
inline constexpr std::size_t crc_at = 17;
inline constexpr std::size_t attributes_at = 21;
inline constexpr std::size_t last_offset_delta_at = 23;
inline constexpr std::size_t base_timestamp_at = 27;
inline constexpr std::size_t max_timestamp_at = 35;
inline constexpr std::size_t record_count_at = 57;

inline std::vector<std::byte> joined(std::vector<std::byte> first, const std::vector<std::byte>& second) {
    first.insert(first.end(), second.begin(), second.end());
    return first;
}

// The same with its records compressed.
inline std::vector<std::byte> compressed(const made_batch& batch, compression type) {
    const std::vector<std::byte> plain = batch.bytes();
    batch_header header = *decode_batch_header(plain);
    output_buffer body;
    const auto codec = make_compressor(type, type == compression::lz4 ? 9 : 1);
    const bool did_compress =
        codec->begin(plain.size() - batch_header::size_bytes, body) &&
        codec->write(sluice::bytes(plain).subspan(batch_header::size_bytes), true, body);
    ensure(did_compress);
    header.attributes = static_cast<std::int16_t>(header.attributes | static_cast<std::int16_t>(type));
    header.body_size = static_cast<std::int32_t>(body.size());
    std::vector<std::byte> all(batch_header::size_bytes);
    encode(header, crc32c(body.content()), std::span<std::byte, batch_header::size_bytes>(all));
    all.insert(all.end(), body.content().begin(), body.content().end());
    return all;
}

}  // namespace sluice::testing
