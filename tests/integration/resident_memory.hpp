// How much memory this process has in use.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string>

namespace sluice::testing {

// A line of /proc/<pid>/status in bytes, such as "VmRSS:" (now) or "VmHWM:" (the most so far). 0: not there.
inline std::int64_t memory_bytes(const std::string& name, const std::string& pid = "self") {
    std::ifstream status("/proc/" + pid + "/status");
    for (std::string word; status >> word;) {
        std::int64_t kilobytes = 0;
        if (word == name && status >> kilobytes) return kilobytes * 1024;
    }
    return 0;
}

// From now on "VmHWM:" is counted anew.
inline void forget_peak_memory() {
    std::ofstream("/proc/self/clear_refs") << "5";
}

}  // namespace sluice::testing
