#include "wire/reader.hpp"

#include <array>
#include <cstring>

#include "wire/varint.hpp"

namespace sluice::wire {

uuid reader::read_uuid() noexcept {
    uuid id;
    const bytes octets = read_raw(id.octets.size());
    if (!octets.empty()) std::memcpy(id.octets.data(), octets.data(), octets.size());
    return id;
}

// `read` looks at up to SizeMax bytes without asking. Near the end of the frame it gets a copy that goes on
// with bytes which say "more follows": a number that would run over the end becomes an over-long one.
template <class Value, std::size_t SizeMax, class Read>
Value reader::read_variable(Read read) noexcept {
    Value value = 0;
    if (remaining() >= SizeMax) [[likely]] {
        const std::byte* next = read(at_, value);
        if (next == nullptr) {
            fail();
            return 0;
        }
        at_ = next;
        return value;
    }
    std::array<std::byte, SizeMax> tail;
    tail.fill(std::byte{0xff});
    if (at_ != end_) std::memcpy(tail.data(), at_, remaining());
    const std::byte* next = read(tail.data(), value);
    if (next == nullptr) {
        fail();
        return 0;
    }
    at_ += next - tail.data();
    return value;
}

std::uint32_t reader::read_unsigned_varint() noexcept {
    return read_variable<std::uint32_t, varint_size_max>(
        [](const std::byte* from, std::uint32_t& value) { return wire::read_unsigned_varint(from, value); });
}

std::int32_t reader::read_varint() noexcept {
    return read_variable<std::int32_t, varint_size_max>(
        [](const std::byte* from, std::int32_t& value) { return wire::read_varint(from, value); });
}

std::int64_t reader::read_varlong() noexcept {
    return read_variable<std::int64_t, varlong_size_max>(
        [](const std::byte* from, std::int64_t& value) { return wire::read_varlong(from, value); });
}

// After an error the integer below is 0, which would be null in compact form and empty in plain form: both
// are "nothing", and nobody looks at them before looking at `error()`.
std::int64_t reader::read_compact_length() noexcept {
    return static_cast<std::int64_t>(read_unsigned_varint()) - 1;
}

std::int64_t reader::read_string_length(encoding how) noexcept {
    const std::int64_t length = how == encoding::compact ? read_compact_length() : read_int16();
    if (length > static_cast<std::int64_t>(string_size_max)) fail();
    return length;
}

std::int64_t reader::read_bytes_length(encoding how) noexcept {
    return how == encoding::compact ? read_compact_length() : read_int32();
}

std::optional<bytes> reader::take(std::int64_t length) noexcept {
    if (length == -1) return std::nullopt;
    if (length < -1) {
        fail();
        return std::nullopt;
    }
    return read_raw(static_cast<std::size_t>(length));
}

bytes reader::read_raw(std::size_t size) noexcept {
    if (remaining() < size) [[unlikely]] {
        fail();
        return {};
    }
    const bytes taken(at_, size);
    at_ += size;
    return taken;
}

std::optional<std::string_view> reader::read_nullable_string(encoding how) noexcept {
    const std::optional<bytes> content = take(read_string_length(how));
    if (!content) return std::nullopt;
    return as_text(*content);
}

std::string_view reader::read_string(encoding how) noexcept {
    const std::optional<bytes> content = take(read_string_length(how));
    if (!content) {
        fail();
        return {};
    }
    return as_text(*content);
}

std::optional<bytes> reader::read_nullable_bytes(encoding how) noexcept {
    return take(read_bytes_length(how));
}

bytes reader::read_bytes(encoding how) noexcept {
    const std::optional<bytes> content = take(read_bytes_length(how));
    if (!content) fail();
    return content.value_or(bytes());
}

std::optional<std::uint32_t> reader::read_array_count(encoding how, std::size_t element_size_min) noexcept {
    const std::int64_t count = read_bytes_length(how);
    if (count == -1) return std::nullopt;
    if (count < -1 ||
        static_cast<std::uint64_t>(count) > remaining() / std::max<std::size_t>(element_size_min, 1)) {
        fail();
        return 0;
    }
    return static_cast<std::uint32_t>(count);
}

std::uint32_t reader::read_tagged_field_count() noexcept {
    const std::uint32_t count = read_unsigned_varint();
    if (count > remaining() / 2) {  // a tag and a size, at least
        fail();
        return 0;
    }
    return count;
}

tagged_field reader::read_tagged_field(std::optional<std::uint32_t> tag_before) noexcept {
    const std::uint32_t tag = read_unsigned_varint();
    if (tag_before && tag <= *tag_before) fail();
    const std::uint32_t size = read_unsigned_varint();
    return {tag, read_raw(size)};
}

void reader::skip_tagged_section() noexcept {
    std::optional<std::uint32_t> tag_before;
    for (std::uint32_t left = read_tagged_field_count(); left > 0 && !failed_; --left) {
        tag_before = read_tagged_field(tag_before).tag;
    }
}

}  // namespace sluice::wire
