// Exponential waits with jitter: retries, reconnects, connection set-up, metadata refresh (KIP-580).
// Source: org.apache.kafka.common.utils.ExponentialBackoff.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>

#include "base/random.hpp"

namespace sluice {

//   wait(n) = min(max, initial * multiplier^min(n, n_max) * U(1 - jitter, 1 + jitter))   n counts from 0
//   n_max   = log_multiplier(max / initial); initial >= max: constant, without jitter (NET-4, ACC-11)
//
// The cap comes after the jitter. Owner: shared, immutable.
class backoff {
public:
    using milliseconds = std::chrono::milliseconds;

    backoff(milliseconds initial, milliseconds max, double multiplier = 2, double jitter = 0.2) noexcept
        : initial_(std::min(initial, max)), max_(max), multiplier_(multiplier), jitter_(jitter) {
        const double ratio = static_cast<double>(std::max<std::int64_t>(max_.count(), 1)) /
                             static_cast<double>(std::max<std::int64_t>(initial_.count(), 1));
        exponent_max_ = max_ > initial_ ? std::log(ratio) / std::log(multiplier_) : 0;
    }

    milliseconds wait(std::uint32_t attempts, random& randomness) const noexcept {
        if (exponent_max_ == 0) return initial_;
        return jittered(attempts, jitter_ == 0 ? 1 : 1 - jitter_ + 2 * jitter_ * randomness.fraction());
    }

    milliseconds wait_without_jitter(std::uint32_t attempts) const noexcept { return jittered(attempts, 1); }

private:
    milliseconds jittered(std::uint32_t attempts, double factor) const noexcept {
        const double exponent = std::min(static_cast<double>(attempts), exponent_max_);
        const double term = static_cast<double>(initial_.count()) * std::pow(multiplier_, exponent);
        return milliseconds(
            static_cast<std::int64_t>(std::min(term * factor, static_cast<double>(max_.count()))));
    }

    milliseconds initial_;
    milliseconds max_;
    double multiplier_;
    double jitter_;
    double exponent_max_;
};

}  // namespace sluice
