// The two clocks. Everything below `loop` and `engine` gets `now` as an argument and reads neither.
#pragma once

#include <chrono>
#include <cstdint>

namespace sluice {

// Monotonic: time-outs, linger, backoff. In simulation these are points of virtual time.
using time_point = std::chrono::steady_clock::time_point;
using duration = std::chrono::steady_clock::duration;

// Never: a deadline that does not come. Adding to it is not allowed; `after` saturates at it.
inline constexpr time_point never = time_point::max();

inline constexpr time_point after(time_point start, duration wait) noexcept {
    return start >= never - wait ? never : start + wait;
}

// Wall time in milliseconds since 1970, UTC: what a record's timestamp is.
enum class wall_time : std::int64_t {};

}  // namespace sluice
