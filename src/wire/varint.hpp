// Kafka's variable-length integers, on raw memory.
//
//   unsigned varint   7 bits per byte, low group first, high bit = more follows; at most 5 bytes for 32 bits
//   varint, varlong   the same of zigzag(value): 0, -1, 1, -2, ... -> 0, 1, 2, 3, ...; at most 5 and 10 bytes
//
// Lengths of the protocol (compact strings, tags) are unsigned varints; the inside of a record is zigzag. These
// functions check no bounds, since they are on the way of every record: a writer asks for the size first, or has
// `..._size_max` bytes of room; a reader has as many bytes to look at. `reader` is the checked way in.
//
// Errors: reading gives nullptr where more bytes follow than the type can take, or where bits would be lost. A value
// in more bytes than it needs is accepted as long as it fits, as in Java.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>

namespace sluice::wire {

inline constexpr std::size_t varint_size_max = 5;
inline constexpr std::size_t varlong_size_max = 10;

constexpr std::uint32_t zigzag(std::int32_t value) noexcept {
    return (static_cast<std::uint32_t>(value) << 1) ^ static_cast<std::uint32_t>(value >> 31);
}
constexpr std::uint64_t zigzag(std::int64_t value) noexcept {
    return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}
constexpr std::int32_t unzigzag(std::uint32_t word) noexcept {
    return static_cast<std::int32_t>((word >> 1) ^ (~(word & 1) + 1));
}
constexpr std::int64_t unzigzag(std::uint64_t word) noexcept {
    return static_cast<std::int64_t>((word >> 1) ^ (~(word & 1) + 1));
}

// One and two bytes, which nearly all are, by branches that a processor learns; else ceil(bits / 7) without a division:
// 9/64 is close enough to 1/7 for up to 64 bits.
constexpr std::size_t unsigned_varlong_size(std::uint64_t value) noexcept {
    if (value < 1u << 7) return 1;
    if (value < 1u << 14) return 2;
    return (static_cast<std::size_t>(std::bit_width(value)) * 9 + 64) / 64;
}
constexpr std::size_t unsigned_varint_size(std::uint32_t value) noexcept {
    return unsigned_varlong_size(value);
}
constexpr std::size_t varint_size(std::int32_t value) noexcept {
    return unsigned_varint_size(zigzag(value));
}
constexpr std::size_t varlong_size(std::int64_t value) noexcept {
    return unsigned_varlong_size(zigzag(value));
}

namespace detail {

template <std::unsigned_integral Word>
inline std::byte* write_groups(std::byte* to, Word word) noexcept {
    if (word < 0x80) [[likely]] {
        *to = static_cast<std::byte>(word);
        return to + 1;
    }
    if (word < 0x4000) {
        to[0] = static_cast<std::byte>(word | 0x80);
        to[1] = static_cast<std::byte>(word >> 7);
        return to + 2;
    }
    while (word >= 0x80) {
        *to++ = static_cast<std::byte>(word | 0x80);
        word = static_cast<Word>(word >> 7);
    }
    *to++ = static_cast<std::byte>(word);
    return to;
}

// `LastGroupMax`: what the last byte allowed may hold; a larger one has bits that the type has not, or says "more".
template <std::unsigned_integral Word, int GroupCountMax, unsigned LastGroupMax>
inline const std::byte* read_groups(const std::byte* from, Word& value) noexcept {
    Word word = 0;
    for (int group = 0; group < GroupCountMax; ++group) {
        const auto byte = std::to_integer<unsigned>(from[group]);
        if (group == GroupCountMax - 1 && byte > LastGroupMax) return nullptr;
        word |= static_cast<Word>(static_cast<Word>(byte & 0x7f) << (7 * group));
        if (byte < 0x80) {
            value = word;
            return from + group + 1;
        }
    }
    return nullptr;
}

}  // namespace detail

// Each writes at `to` and returns where the next byte goes.
inline std::byte* write_unsigned_varint(std::byte* to, std::uint32_t value) noexcept {
    return detail::write_groups(to, value);
}
inline std::byte* write_varint(std::byte* to, std::int32_t value) noexcept {
    return detail::write_groups(to, zigzag(value));
}
inline std::byte* write_varlong(std::byte* to, std::int64_t value) noexcept {
    return detail::write_groups(to, zigzag(value));
}

// Each reads at `from` and returns where the next byte is, or nullptr (then `value` is untouched).
inline const std::byte* read_unsigned_varint(const std::byte* from, std::uint32_t& value) noexcept {
    return detail::read_groups<std::uint32_t, 5, 0x0f>(from, value);
}
inline const std::byte* read_varint(const std::byte* from, std::int32_t& value) noexcept {
    std::uint32_t word = 0;
    const std::byte* next = read_unsigned_varint(from, word);
    if (next != nullptr) value = unzigzag(word);
    return next;
}
inline const std::byte* read_varlong(const std::byte* from, std::int64_t& value) noexcept {
    std::uint64_t word = 0;
    const std::byte* next = detail::read_groups<std::uint64_t, 10, 0x01>(from, word);
    if (next != nullptr) value = unzigzag(word);
    return next;
}

static_assert(varint_size(0) == 1 && varint_size(-64) == 1 && varint_size(64) == 2);
static_assert(unsigned_varint_size(~0u) == varint_size_max);
static_assert(varlong_size(INT64_MIN) == varlong_size_max);

}  // namespace sluice::wire
