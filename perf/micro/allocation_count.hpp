// How often this program has called operator new.
#pragma once

#include <atomic>
#include <cstdint>

namespace sluice::perf {

extern std::atomic<std::uint64_t> allocation_count;

}  // namespace sluice::perf
