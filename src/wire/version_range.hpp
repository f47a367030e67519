// Versions of a message, of an API, or in which a field is on the wire.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

namespace sluice::wire {

inline constexpr std::int16_t version_max = std::numeric_limits<std::int16_t>::max();

// From `min` to `max`, both included; empty where max < min.
struct version_range {
    std::int16_t min = 0;
    std::int16_t max = version_max;

    constexpr bool contains(std::int16_t version) const noexcept { return version >= min && version <= max; }
    constexpr bool is_empty() const noexcept { return max < min; }
    constexpr version_range intersection(version_range other) const noexcept {
        return {std::max(min, other.min), std::min(max, other.max)};
    }
    friend constexpr bool operator==(version_range, version_range) noexcept = default;
};

}  // namespace sluice::wire
