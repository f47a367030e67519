// How often which duration was seen: buckets that grow with the value (HdrHistogram's layout).
//
//   0..127 ns one bucket each; then 64 equal buckets between 2^n and 2^(n+1): a value is off by at most 1/64 of itself
//
// Adding is two shifts and an increment, and allocates nothing. Values above 2^42 ns (73 minutes) count as that.
//
// Owner: its caller; not synchronised. Histograms of several threads are merged at the end.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/time.hpp"

namespace sluice {

class log_linear_histogram {
public:
    void add(duration seen) noexcept {
        const std::int64_t ns = std::chrono::duration_cast<std::chrono::nanoseconds>(seen).count();
        const std::uint64_t value = ns < 0 ? 0 : static_cast<std::uint64_t>(ns);
        ++counts_[index_of(value < value_max ? value : value_max)];
        ++count_;
        if (value > max_) max_ = value;
    }
    void merge(const log_linear_histogram& other) noexcept;

    std::uint64_t count() const noexcept { return count_; }
    // Exact, not of a bucket.
    std::chrono::nanoseconds max() const noexcept { return ns(max_); }
    // The smallest value that at least this share (0..1) of all values are not above, rounded up to the end of its
    // bucket and never above max(). 0 if nothing was added.
    std::chrono::nanoseconds percentile(double share) const noexcept;

private:
    static constexpr unsigned linear_bits = 6;  // 64 buckets for each power of two
    static constexpr std::uint64_t linear_count = std::uint64_t{1} << linear_bits;
    static constexpr unsigned value_bits = 42;
    static constexpr std::uint64_t value_max = (std::uint64_t{1} << value_bits) - 1;

    static constexpr std::size_t index_of(std::uint64_t value) noexcept {
        const unsigned width = static_cast<unsigned>(std::bit_width(value));
        const unsigned shift = width > linear_bits + 1 ? width - linear_bits - 1 : 0;
        return shift * linear_count + (value >> shift);
    }
    // The largest value of a bucket.
    static constexpr std::uint64_t end_of(std::size_t index) noexcept {
        if (index < 2 * linear_count) return index;
        const std::size_t shift = index / linear_count - 1;
        return ((index - shift * linear_count + 1) << shift) - 1;
    }
    static std::chrono::nanoseconds ns(std::uint64_t value) noexcept {
        return std::chrono::nanoseconds(static_cast<std::int64_t>(value));
    }

    std::array<std::uint64_t, (value_bits - linear_bits + 1) * linear_count> counts_{};
    std::uint64_t count_ = 0;
    std::uint64_t max_ = 0;
};

}  // namespace sluice
