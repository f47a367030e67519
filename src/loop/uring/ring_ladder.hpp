// Which ring to ask the kernel for, and for what instead when it refuses.
#pragma once

#include <liburing.h>

#include <array>
#include <cerrno>

namespace sluice {

struct ring_request {
    unsigned submissions = 0;  // entries of the submission queue; the completion queue has four times as many
    unsigned flags = 0;        // IORING_SETUP_*
};

inline constexpr unsigned ring_submissions_max = 256;
inline constexpr unsigned ring_submissions_min = 64;

// From what we want to what every kernel has. Completions are delivered when we wait, not by interrupting us
// (DEFER, COOP), and the kernel shows when there are some to be picked up (TASKRUN_FLAG). Created disabled,
// since the thread that enables a ring is the only one that may use it (SINGLE_ISSUER), and the maker's
// thread may be another.
inline constexpr std::array ring_flag_sets{
    unsigned{IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_COOP_TASKRUN |
             IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_R_DISABLED | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP},
    unsigned{IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_CQSIZE},
    0u,
};

// Calls `set_up(request)`, which answers 0 or -errno, with ever more modest requests. Gives the last answer
// back; `request` is then what it was given to.
//
//   -EINVAL   a flag is unknown here: the next set of flags
//   -ENOMEM   the locked-memory limit: half the entries
template <class SetUp>
int climb_down(ring_request& request, SetUp set_up) {
    int answer = -EINVAL;
    for (const unsigned flags : ring_flag_sets) {
        request = {ring_submissions_max, flags};
        answer = set_up(request);
        while (answer == -ENOMEM && request.submissions > ring_submissions_min) {
            request.submissions /= 2;
            answer = set_up(request);
        }
        if (answer != -EINVAL) break;
    }
    return answer;
}

}  // namespace sluice
