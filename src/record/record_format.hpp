// One record inside a batch (RB-5, org.apache.kafka.common.record.DefaultRecord).
//
//   record  = length:varint body                          length counts the body; all varints are zigzag
//   body    = attributes:int8(0) timestampDelta:varlong offsetDelta:varint field field headerCount:varint header*
//   header  = field field                                 key (never null), value
//   field   = size:varint byte*                           size -1: null
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "sluice/bytes.hpp"
#include "sluice/header.hpp"
#include "wire/varint.hpp"

namespace sluice {

// What a record is made of, apart from where it goes. Views.
struct record_parts {
    std::int64_t timestamp = 0;  // wall time, ms
    bytes_view key;
    bytes_view value;
    std::span<const header> headers;
};

// Attributes and the five varints in front of key, value and headers, each at its longest (RecordBatch overhead).
inline constexpr std::size_t record_overhead_max = 21;
inline constexpr std::size_t batch_header_size = 61;

namespace detail {

inline std::size_t field_size(const bytes_view& field) noexcept {
    return wire::varint_size(static_cast<std::int32_t>(field.size_or_minus_one())) + field.size();
}

inline std::byte* write_field(std::byte* to, const bytes_view& field) noexcept {
    to = wire::write_varint(to, static_cast<std::int32_t>(field.size_or_minus_one()));
    if (field.size() != 0) std::memcpy(to, field.data(), field.size());
    return to + field.size();
}

inline std::size_t headers_size(std::span<const header> headers) noexcept {
    std::size_t size = wire::varint_size(static_cast<std::int32_t>(headers.size()));
    for (const header& each : headers) size += field_size(each.key) + field_size(each.value);
    return size;
}

}  // namespace detail

// Key, value and headers with their sizes: what does not depend on the record's place in a batch.
template <class Parts>
[[gnu::always_inline]] inline std::size_t record_content_size(const Parts& parts) noexcept {
    return detail::field_size(parts.key) + detail::field_size(parts.value) +
           detail::headers_size(parts.headers);
}

// As much, or a few bytes more: without a look at how long each length is.
template <class Parts>
[[gnu::always_inline]] inline std::size_t record_content_bound(const Parts& parts) noexcept {
    const std::size_t bound = parts.key.size() + parts.value.size() + 3 * wire::varint_size_max;
    return parts.headers.empty() ? bound : bound + detail::headers_size(parts.headers);
}

// The body, from its content's size. `length` goes before it.
inline std::size_t record_body_size(std::size_t content_size, std::int64_t timestamp_delta,
                                    std::int32_t offset_delta) noexcept {
    return 1 + wire::varlong_size(timestamp_delta) + wire::varint_size(offset_delta) + content_size;
}

inline std::size_t record_size(std::size_t body_size) noexcept {
    return wire::varint_size(static_cast<std::int32_t>(body_size)) + body_size;
}

// What a batch with this record alone may need at most: the size that is checked against max.request.size (SND-12).
inline std::size_t batch_size_upper_bound(std::size_t content_size) noexcept {
    return batch_header_size + record_overhead_max + content_size;
}

// Writes a record's body at `to`, which has room for it; returns where it ends. `parts` has a key, a value and headers, as
// record_parts and record have.
template <class Parts>
[[gnu::always_inline]] inline std::byte* write_record_body(std::byte* to, std::int64_t timestamp_delta,
                                                           std::int32_t offset_delta,
                                                           const Parts& parts) noexcept {
    *to++ = std::byte{0};  // attributes
    to = wire::write_varlong(to, timestamp_delta);
    to = wire::write_varint(to, offset_delta);
    to = detail::write_field(to, parts.key);
    to = detail::write_field(to, parts.value);
    to = wire::write_varint(to, static_cast<std::int32_t>(parts.headers.size()));
    for (const header& each : parts.headers) {
        to = detail::write_field(to, each.key);
        to = detail::write_field(to, each.value);
    }
    return to;
}

// Writes a whole record, its size first, which is known: there is room for record_size(body_size).
template <class Parts>
[[gnu::always_inline]] inline std::byte* write_record(std::byte* to, std::size_t body_size,
                                                      std::int64_t timestamp_delta, std::int32_t offset_delta,
                                                      const Parts& parts) noexcept {
    to = wire::write_varint(to, static_cast<std::int32_t>(body_size));
    return write_record_body(to, timestamp_delta, offset_delta, parts);
}

// Writes a whole record whose content is at most `content_bound`, where there is room for record_overhead_max beside it.
// The size is written last: where it takes fewer or more bytes than expected, the body is moved, which is rare.
template <class Parts>
[[gnu::always_inline]] inline std::byte* write_record_quickly(std::byte* to, std::size_t content_bound,
                                                              std::int64_t timestamp_delta,
                                                              std::int32_t offset_delta,
                                                              const Parts& parts) noexcept {
    const std::size_t expected = wire::varint_size(static_cast<std::int32_t>(content_bound));
    std::byte* const body = to + expected;
    const auto body_size =
        static_cast<std::size_t>(write_record_body(body, timestamp_delta, offset_delta, parts) - body);
    const std::size_t taken = wire::varint_size(static_cast<std::int32_t>(body_size));
    if (taken != expected) [[unlikely]]
        std::memmove(to + taken, body, body_size);
    wire::write_varint(to, static_cast<std::int32_t>(body_size));
    return to + taken + body_size;
}

}  // namespace sluice
