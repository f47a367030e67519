#include "micro/allocation_count.hpp"

#include <cstdlib>
#include <new>

namespace sluice::perf {

std::atomic<std::uint64_t> allocation_count{0};

}  // namespace sluice::perf

// A file of its own, so that no compiler sees through them and takes free() for the wrong partner.
void* operator new(std::size_t size) {
    sluice::perf::allocation_count.fetch_add(1, std::memory_order_relaxed);
    if (void* memory = std::malloc(size)) return memory;
    throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}
