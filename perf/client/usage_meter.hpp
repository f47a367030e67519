// Wall time, CPU time and resident memory of this process.
#pragma once

#include <sys/resource.h>

#include <chrono>

namespace sluice::perf {

struct usage_meter {
    using clock = std::chrono::steady_clock;

    clock::time_point wall;
    double cpu_s = 0;  // user + system, all threads

    static usage_meter now() {
        rusage of{};
        getrusage(RUSAGE_SELF, &of);
        const auto seconds = [](const timeval& time) {
            return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
        };
        return {clock::now(), seconds(of.ru_utime) + seconds(of.ru_stime)};
    }
    static double peak_rss_mb() {
        rusage of{};
        getrusage(RUSAGE_SELF, &of);
        return static_cast<double>(of.ru_maxrss) * 1024 / 1e6;
    }
};

}  // namespace sluice::perf
