#include "record/batch_header.hpp"

#include "record/crc32c.hpp"
#include "wire/big_endian.hpp"

namespace sluice {
namespace {

constexpr std::size_t length_end = 12;  // batchLength counts from here

}  // namespace

void encode(const batch_header& header, std::uint32_t body_crc,
            std::span<std::byte, batch_header::size_bytes> to) noexcept {
    using wire::store_big_endian;
    std::byte* at = to.data();
    at = store_big_endian(at, header.base_offset);
    at = store_big_endian(
        at, static_cast<std::int32_t>(batch_header::size_bytes - length_end) + header.body_size);
    at = store_big_endian(at, header.partition_leader_epoch);
    at = store_big_endian(at, header.magic);
    std::byte* const crc_place = at;
    at += sizeof(std::uint32_t);
    at = store_big_endian(at, header.attributes);
    at = store_big_endian(at, header.last_offset_delta);
    at = store_big_endian(at, header.base_timestamp);
    at = store_big_endian(at, header.max_timestamp);
    at = store_big_endian(at, header.producer_id);
    at = store_big_endian(at, header.producer_epoch);
    at = store_big_endian(at, header.base_sequence);
    store_big_endian(at, header.record_count);

    const std::uint32_t header_crc = crc32c(to.subspan(batch_header::crc_start));
    store_big_endian(crc_place,
                     crc32c_combine(header_crc, body_crc, static_cast<std::size_t>(header.body_size)));
}

result<batch_header> decode_batch_header(bytes data) noexcept {
    using wire::load_big_endian;
    if (data.size() < batch_header::size_bytes) return errc::protocol_error;
    batch_header header;
    const std::byte* at = data.data();
    header.base_offset = load_big_endian<std::int64_t>(at);
    const auto length = load_big_endian<std::int32_t>(at + 8);
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
    header.body_size = length - static_cast<std::int32_t>(batch_header::size_bytes - length_end);
    if (header.magic != 2 || length < static_cast<std::int32_t>(batch_header::size_bytes - length_end)) {
        return errc::protocol_error;
    }
    return header;
}

bool has_valid_crc(const batch_header& header, bytes data) noexcept {
    return crc32c(data.subspan(batch_header::crc_start)) == header.crc;
}

}  // namespace sluice
