// The machine's two clocks, for the reactors that run in real time.
#pragma once

#include <algorithm>
#include <chrono>

#include "base/time.hpp"

namespace sluice {

inline time_point steady_now() noexcept {
    return std::chrono::steady_clock::now();
}

inline wall_time wall_clock_now() noexcept {
    using namespace std::chrono;
    return wall_time{duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count()};
}

// How long to wait for a deadline: zero if it has passed, duration::max() for `never`, else at most a day.
// The kernel adds a wait to its own clock, which must not overflow; waking once a day costs nothing.
inline duration time_until(time_point deadline) noexcept {
    if (deadline == never) return duration::max();
    const time_point start = steady_now();
    if (deadline <= start) return duration::zero();
    return std::min<duration>(deadline - start, std::chrono::hours(24));
}

}  // namespace sluice
