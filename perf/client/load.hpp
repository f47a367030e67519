// A load: records sent, acknowledged and timed.
#pragma once

#include <cstdint>
#include <string>

#include "client/settings.hpp"
#include "metrics/log_linear_histogram.hpp"

namespace sluice::perf {

struct load_result {
    std::uint64_t acknowledged = 0;  // records of the load, without the warm-up
    double wall_s = 0;
    double cpu_s = 0;
    double rss_mb = 0;         // peak
    std::uint64_t errors = 0;  // records that failed, those of the warm-up too
    log_linear_histogram latency;
};

// Runs warm-up and load to their ends; progress goes to stderr each second. Throws sluice::error where no producer can be
// made, or it cannot be closed.
load_result run_load(const settings& asked);

}  // namespace sluice::perf
