// Sequence numbers: 31 bits that wrap to 0 (RB-9).
#pragma once

#include <cstdint>

namespace sluice {

inline constexpr std::int32_t no_sequence = -1;

constexpr std::int32_t sequence_after(std::int32_t sequence, std::int32_t count) noexcept {
    return static_cast<std::int32_t>(
        (static_cast<std::uint32_t>(sequence) + static_cast<std::uint32_t>(count)) & 0x7fffffffu);
}

constexpr std::int32_t sequence_before(std::int32_t sequence, std::int32_t count) noexcept {
    return static_cast<std::int32_t>(
        (static_cast<std::uint32_t>(sequence) - static_cast<std::uint32_t>(count)) & 0x7fffffffu);
}

}  // namespace sluice
