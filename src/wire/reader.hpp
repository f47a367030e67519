// Reads Kafka's primitive types out of bytes that a peer sent, and believes none of them.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.hpp"
#include "sluice/error.hpp"
#include "wire/big_endian.hpp"
#include "wire/encoding.hpp"
#include "wire/uuid.hpp"

namespace sluice::wire {

// A tagged field as it is on the wire.
//
//   section = count:uvarint { tag:uvarint size:uvarint content:size }     tags ascend, none comes twice
struct tagged_field {
    std::uint32_t tag = 0;
    bytes content;
};

// A cursor over a frame. Errors stick: after the first bad read every read gives zero, empty or null, and
// consumes nothing, so a decoder is a straight line that looks at `error()` once, at its end.
//
// Bad is: beyond the end; a length below -1, or longer than what is left; null where null is not allowed; a
// string longer than Java allows; a count that what is left cannot hold, at the smallest size of an element
// (so no count makes us allocate much more than the peer sent); an over-long varint; tags that do not ascend.
// UTF-8 is not checked: names go back to the broker as they came.
//
// Lifetime: views that it gives (strings, bytes) point into the frame.      Owner: caller.
// Errors:   errc::protocol_error.
class reader {
public:
    explicit reader(bytes frame) noexcept : at_(frame.data()), end_(frame.data() + frame.size()) {}

    bool failed() const noexcept { return failed_; }
    error_code error() const noexcept { return failed_ ? error_code(errc::protocol_error) : error_code(); }
    // As `error()`, and also an error when bytes are left: a message fills its frame.
    error_code finished() const noexcept {
        return failed_ || at_ != end_ ? error_code(errc::protocol_error) : error_code();
    }
    std::size_t remaining() const noexcept { return static_cast<std::size_t>(end_ - at_); }

    // What a caller finds wrong with what it read; everything that is left is skipped.
    void fail() noexcept {
        failed_ = true;
        at_ = end_;
    }

    std::int8_t read_int8() noexcept { return read_integer<std::int8_t>(); }
    std::int16_t read_int16() noexcept { return read_integer<std::int16_t>(); }
    std::int32_t read_int32() noexcept { return read_integer<std::int32_t>(); }
    std::int64_t read_int64() noexcept { return read_integer<std::int64_t>(); }
    std::uint16_t read_uint16() noexcept { return read_integer<std::uint16_t>(); }
    std::uint32_t read_uint32() noexcept { return read_integer<std::uint32_t>(); }
    bool read_bool() noexcept { return read_integer<std::int8_t>() != 0; }  // any non-zero is true
    double read_float64() noexcept { return std::bit_cast<double>(read_integer<std::uint64_t>()); }
    uuid read_uuid() noexcept;

    std::uint32_t read_unsigned_varint() noexcept;
    std::int32_t read_varint() noexcept;   // zigzag
    std::int64_t read_varlong() noexcept;  // zigzag

    std::string_view read_string(encoding how) noexcept;  // null is an error
    std::optional<std::string_view> read_nullable_string(encoding how) noexcept;
    bytes read_bytes(encoding how) noexcept;  // null is an error
    std::optional<bytes> read_nullable_bytes(encoding how) noexcept;
    bytes read_raw(std::size_t size) noexcept;  // without a length before it

    // The count of an array whose elements take at least `element_size_min` bytes each; nullopt for null.
    std::optional<std::uint32_t> read_array_count(encoding how, std::size_t element_size_min) noexcept;

    // A tagged section, field by field: its count, then that many fields. `tag_before` is the tag of the
    // field before, nullopt at the first.
    std::uint32_t read_tagged_field_count() noexcept;
    tagged_field read_tagged_field(std::optional<std::uint32_t> tag_before) noexcept;
    // Or all of it at once.
    void skip_tagged_section() noexcept;

private:
    template <std::integral Integer>
    Integer read_integer() noexcept {
        if (remaining() < sizeof(Integer)) [[unlikely]] {
            fail();
            return 0;
        }
        const std::byte* from = at_;
        at_ += sizeof(Integer);
        return load_big_endian<Integer>(from);
    }
    // The length before a string, bytes or an array; -1 for null. Not yet compared with what is left.
    std::int64_t read_compact_length() noexcept;
    std::optional<bytes> take(std::int64_t length) noexcept;
    std::int64_t read_string_length(encoding how) noexcept;
    std::int64_t read_bytes_length(encoding how) noexcept;
    template <class Value, std::size_t SizeMax, class Read>
    Value read_variable(Read read) noexcept;

    const std::byte* at_;
    const std::byte* end_;
    bool failed_ = false;
};

}  // namespace sluice::wire
