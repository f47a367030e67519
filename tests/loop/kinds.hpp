// The reactors that every test of this folder runs on.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "sluice/reactor.hpp"

namespace sluice {

inline const auto both_reactors = ::testing::Values(reactor_kind::uring, reactor_kind::epoll);

inline std::string name_of_kind(const ::testing::TestParamInfo<reactor_kind>& tested) {
    return tested.param == reactor_kind::uring ? "uring" : "epoll";
}

#if defined(__SANITIZE_THREAD__)
inline constexpr bool is_thread_sanitizer_on = true;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
inline constexpr bool is_thread_sanitizer_on = true;
#else
inline constexpr bool is_thread_sanitizer_on = false;
#endif
#else
inline constexpr bool is_thread_sanitizer_on = false;
#endif

}  // namespace sluice

// For tests in which threads hand things over through the loop.
#define LEAVE_OUT_WHAT_THE_THREAD_SANITIZER_CANNOT_SEE(kind)                                                 \
    if (is_thread_sanitizer_on && (kind) == reactor_kind::uring) {                                           \
        GTEST_SKIP()                                                                                         \
            << "the thread sanitizer does not see what is handed over through io_uring; epoll runs instead"; \
    }                                                                                                        \
    static_assert(true)
