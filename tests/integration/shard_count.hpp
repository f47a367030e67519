// How many shards the producers of a test have: ctest runs the suites with several counts (tests/CMakeLists.txt).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>

namespace sluice::testing {

// SLUICE_TEST_SHARDS: a count, or `more_than_cores`; 1 if it is not set. Where a test does not say how many it wants.
inline std::size_t usual_shard_count() {
    const char* wanted = std::getenv("SLUICE_TEST_SHARDS");
    if (wanted == nullptr) return 1;
    if (std::string_view(wanted) == "more_than_cores")
        return std::max<std::size_t>(std::thread::hardware_concurrency() + 1, 5);
    return std::stoul(wanted);
}

// For tests of what happens between shards.
inline std::size_t several_shards() {
    return std::max<std::size_t>(usual_shard_count(), 2);
}

// Each shard has its even part of `buffer.memory`; tests say how much that is for one.
inline std::int64_t for_usual_shards(std::int64_t buffer_memory) {
    return buffer_memory * static_cast<std::int64_t>(usual_shard_count());
}

}  // namespace sluice::testing
