#include "wire/uuid.hpp"

#include <string_view>

namespace sluice::wire {

std::string uuid::text() const {
    constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    std::string out;
    std::uint32_t bits = 0;
    int bit_count = 0;
    for (const std::byte octet : octets) {
        bits = (bits << 8) | std::to_integer<std::uint32_t>(octet);
        for (bit_count += 8; bit_count >= 6; bit_count -= 6) out += digits[(bits >> (bit_count - 6)) & 63];
    }
    out += digits[(bits << (6 - bit_count)) & 63];  // 128 bits leave 2 for the last digit
    return out;
}

}  // namespace sluice::wire
