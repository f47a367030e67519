#include "metrics/log_linear_histogram.hpp"

#include <algorithm>
#include <cmath>

namespace sluice {

void log_linear_histogram::merge(const log_linear_histogram& other) noexcept {
    for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
    count_ += other.count_;
    max_ = std::max(max_, other.max_);
}

std::chrono::nanoseconds log_linear_histogram::percentile(double share) const noexcept {
    const double wanted = std::ceil(share * static_cast<double>(count_));
    const std::uint64_t rank = std::clamp<std::uint64_t>(static_cast<std::uint64_t>(std::max(wanted, 1.0)), 1,
                                                         std::max<std::uint64_t>(count_, 1));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
        seen += counts_[i];
        if (seen >= rank) return ns(std::min(end_of(i), max_));
    }
    return ns(max_);
}

}  // namespace sluice
