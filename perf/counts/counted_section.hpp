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
// Owner: the one thread that is counted.
class counted_section {
public:
    counted_section() { set(true); }
    ~counted_section() { set(false); }
    counted_section(const counted_section&) = delete;
    counted_section& operator=(const counted_section&) = delete;

private:
    friend class uncounted_section;
    static void set(bool is_counting) {
        is_counting_ = is_counting;
#if SLUICE_HAS_CALLGRIND
        CALLGRIND_TOGGLE_COLLECT;
#endif
    }
    static inline thread_local bool is_counting_ = false;
};

// What a counted section leaves out; nothing where there is none.
class uncounted_section {
public:
    uncounted_section() : is_inside_(counted_section::is_counting_) {
        if (is_inside_) counted_section::set(false);
    }
    ~uncounted_section() {
        if (is_inside_) counted_section::set(true);
    }
    uncounted_section(const uncounted_section&) = delete;
    uncounted_section& operator=(const uncounted_section&) = delete;

private:
    bool is_inside_;
};

// Makes the compiler believe that somebody reads the object.
template <class Object>
void keep(const Object& object) {
    asm volatile("" : : "g"(&object) : "memory");
}

}  // namespace sluice::perf
