// Bytes as text, the way the vectors and the specification write them.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"

namespace sluice::wire {

// "00 0a ff"; blanks are for the eye. Anything else is a mistake in a test, and throws.
inline std::vector<std::byte> from_hex(std::string_view text) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::vector<std::byte> out;
    std::size_t high = std::string_view::npos;
    for (const char letter : text) {
        if (letter == ' ') continue;
        const std::size_t digit = digits.find(letter);
        if (digit == std::string_view::npos)
            throw std::invalid_argument("not hexadecimal: " + std::string(text));
        if (high == std::string_view::npos) {
            high = digit;
        } else {
            out.push_back(static_cast<std::byte>(high * 16 + digit));
            high = std::string_view::npos;
        }
    }
    if (high != std::string_view::npos) throw std::invalid_argument("half a byte: " + std::string(text));
    return out;
}

inline std::string to_hex(bytes data) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    for (const std::byte octet : data) {
        out += digits[std::to_integer<std::size_t>(octet) / 16];
        out += digits[std::to_integer<std::size_t>(octet) % 16];
    }
    return out;
}

}  // namespace sluice::wire
