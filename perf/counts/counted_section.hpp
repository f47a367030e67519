// Where callgrind counts instructions: while one of these lives. Sections do not nest.
#pragma once

#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#define SLUICE_HAS_CALLGRIND 1
#else
#define SLUICE_HAS_CALLGRIND 0
#endif

namespace sluice::perf {

// Under `valgrind --tool=callgrind --collect-atstart=no`; elsewhere it does nothing.
class counted_section {
public:
    counted_section() { toggle(); }
    ~counted_section() { toggle(); }
    counted_section(const counted_section&) = delete;
    counted_section& operator=(const counted_section&) = delete;

private:
    static void toggle() {
#if SLUICE_HAS_CALLGRIND
        CALLGRIND_TOGGLE_COLLECT;
#endif
    }
};

// Makes the compiler believe that somebody reads the object.
template <class Object>
void keep(const Object& object) {
    asm volatile("" : : "g"(&object) : "memory");
}

}  // namespace sluice::perf
