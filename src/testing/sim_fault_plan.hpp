// What goes wrong in a simulation, and how often.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/random.hpp"
#include "base/time.hpp"

namespace sluice::testing {

// Rates of faults. `chance`s are per occasion, named at each group; 0 is never.
//
//   calm()        nothing goes wrong; bytes still move late, since the contract of the reactor says no more than that
//   from_seed()   a random subset of the faults at random rates, for a random while; then the world heals, as in calm(),
//                 so that whatever retries comes to an end
//
// A test may set single faults: auto faults = fault_plan::calm(); faults.short_send = 0.5;
// Owner: the world copies it; immutable from then on.
struct fault_plan {
    using chance = double;

    // Counted from the start of the world; duration::max(): never.
    duration heals_after = duration::max();

    // ---- the kernel, per operation
    chance tried_late = 0.5;       // not when it is submitted but up to kernel_delay_max later
    chance completed_late = 0.25;  // so much later than its bytes have moved
    duration kernel_delay_max = std::chrono::microseconds(20);
    chance short_send = 0;
    chance short_receive = 0;
    chance no_buffers = 0;          // ENOBUFS; the connection lives on
    chance send_fails = 0;          // EPIPE, ECONNRESET or ETIMEDOUT; the connection is broken
    chance receive_fails = 0;       // ECONNRESET, ETIMEDOUT or EHOSTUNREACH; the same
    chance open_fails = 0;          // EMFILE
    chance cancelled_too_late = 0;  // the operation completes as if nobody had cancelled it
    chance cancelled_half_way = 0;  // a send has sent a part, whatever its result says

    // ---- the network, per connection
    duration latency_min = std::chrono::microseconds(50);  // one way; drawn for each connection and direction
    duration latency_max = std::chrono::microseconds(200);
    duration jitter_max = std::chrono::microseconds(20);  // per piece; bytes never overtake each other
    std::size_t window_min = 64 * 1024;  // bytes sent and not read yet, the sender's buffer included
    std::size_t window_max = 64 * 1024;
    std::size_t slice_max = 0;                              // bytes that arrive at once; 0: no limit
    std::uint64_t bytes_per_second = 0;                     // 0: no limit
    chance connect_refused = 0;                             // ECONNREFUSED
    chance connect_unreachable = 0;                         // EHOSTUNREACH or ENETUNREACH, at once
    chance connect_lost = 0;                                // no answer: ETIMEDOUT after connect_lost_for
    duration connect_lost_for = std::chrono::seconds(130);  // what Linux takes to give up
    chance accepted_and_closed = 0;                         // the peer closes or resets as its first deed
    chance reset = 0;                                       // at some byte, answer or time of its life
    duration reset_within = std::chrono::seconds(10);       // of its life, if it is by time

    // ---- the network, per piece on its way
    chance stall = 0;  // nothing arrives any more, for up to stall_max
    duration stall_max = std::chrono::seconds(60);
    chance given_up =
        0;  // per stall: ETIMEDOUT for the client, while what was on the way reaches the peer, late

    // ---- loops, clocks, names
    chance pause = 0;  // per turn: the loop's thread gets no core for a while
    duration pause_max = std::chrono::milliseconds(100);
    duration system_call_max = std::chrono::microseconds(2);  // what each submit_and_wait takes
    unsigned wall_clock_jumps = 0;  // of up to a day, back or forth, before it heals
    chance lookup_fails = 0;        // per name
    duration lookup_delay_max = std::chrono::milliseconds(1);

    static fault_plan calm() { return {}; }
    // `active_max`: it heals after that at the latest.
    static fault_plan from_seed(std::uint64_t seed, duration active_max = std::chrono::seconds(30));

    // What differs from calm(): "short_send 0.12, stall 0.003, ..."
    std::string text() const;
};

}  // namespace sluice::testing
