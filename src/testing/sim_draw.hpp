// Random choices of the simulation. Integers only where it matters, so that a seed means the same on every machine.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#include "base/ensure.hpp"
#include "base/random.hpp"
#include "base/time.hpp"

namespace sluice::testing {

// True with this probability. 0 draws nothing: a fault that is off does not shift the draws of the others.
inline bool happens(random& from, double chance) noexcept {
    return chance > 0 && from.fraction() < chance;
}

// Uniform in [least, most].
inline std::uint64_t between(random& from, std::uint64_t least, std::uint64_t most) noexcept {
    debug_ensure(least <= most);
    return least + from.below(most - least + 1);
}

// In [least, most], small ones as often as large ones: the number of binary digits is uniform. least > 0.
inline std::uint64_t of_any_size(random& from, std::uint64_t least, std::uint64_t most) noexcept {
    debug_ensure(least > 0);
    const auto digits = between(from, static_cast<std::uint64_t>(std::bit_width(least)),
                                static_cast<std::uint64_t>(std::bit_width(most)));
    const std::uint64_t smallest = std::uint64_t{1} << (digits - 1);
    return between(from, std::max(least, smallest), std::min(most, 2 * smallest - 1));
}

// Uniform in [0, most].
inline duration up_to(random& from, duration most) noexcept {
    if (most <= duration::zero()) return duration::zero();
    return duration(static_cast<std::int64_t>(between(from, 0, static_cast<std::uint64_t>(most.count()))));
}

// In [least, most], of any size.
inline duration of_any_length(random& from, duration least, duration most) noexcept {
    return duration(static_cast<std::int64_t>(of_any_size(from, static_cast<std::uint64_t>(least.count()),
                                                          static_cast<std::uint64_t>(most.count()))));
}

}  // namespace sluice::testing
