// Integers in network order, at any address.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace sluice::wire {

template <std::unsigned_integral Word>
constexpr Word swap_to_big_endian(Word word) noexcept {
    if constexpr (std::endian::native == std::endian::big || sizeof(Word) == 1) {
        return word;
    } else if constexpr (sizeof(Word) == 2) {
        return __builtin_bswap16(word);
    } else if constexpr (sizeof(Word) == 4) {
        return __builtin_bswap32(word);
    } else {
        return __builtin_bswap64(word);
    }
}

// Reads sizeof(Integer) bytes at `from`.
template <std::integral Integer>
Integer load_big_endian(const std::byte* from) noexcept {
    std::make_unsigned_t<Integer> word;
    std::memcpy(&word, from, sizeof word);
    return static_cast<Integer>(swap_to_big_endian(word));
}

// Writes sizeof(Integer) bytes at `to`; returns where the next byte goes.
template <std::integral Integer>
std::byte* store_big_endian(std::byte* to, Integer value) noexcept {
    const auto word = swap_to_big_endian(static_cast<std::make_unsigned_t<Integer>>(value));
    std::memcpy(to, &word, sizeof word);
    return to + sizeof word;
}

}  // namespace sluice::wire
