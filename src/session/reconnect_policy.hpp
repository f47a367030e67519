// When a broker may be tried again, and how long setting a connection up may take (NET-4..6, KIP-601).
//
//   wait before an attempt   reconnect.backoff.ms * 2^failures, jittered, capped; from the last attempt or disconnect
//   time to set it up        socket.connection.setup.timeout.ms * 2^failed connects, likewise
//
// Owner: one shard; one for each broker.
#pragma once

#include <algorithm>
#include <chrono>

#include "base/backoff.hpp"
#include "base/time.hpp"

namespace sluice {

struct reconnect_limits {
    std::chrono::milliseconds backoff{50};
    std::chrono::milliseconds backoff_max{1000};
    std::chrono::milliseconds setup_timeout{10000};
    std::chrono::milliseconds setup_timeout_max{30000};
};

class reconnect_policy {
public:
    explicit reconnect_policy(const reconnect_limits& limits) noexcept
        : backoff_(limits.backoff, limits.backoff_max),
          setup_(limits.setup_timeout, limits.setup_timeout_max) {}

    // The earliest time of the next attempt; time_point::min() if there was none.
    time_point next_attempt() const noexcept { return next_attempt_; }

    // An attempt begins; when it must be ready at the latest.
    time_point on_attempt(time_point now, random& randomness) noexcept {
        return after(now, setup_.wait(failed_connects_, randomness));
    }
    void on_connected() noexcept { failed_connects_ = 0; }
    void on_ready() noexcept { failures_ = 0; }
    // The attempt failed, or the connection was lost.
    void on_disconnected(time_point now, bool was_connected, random& randomness) noexcept {
        if (!was_connected) ++failed_connects_;
        next_attempt_ = after(now, backoff_.wait(failures_, randomness));
        ++failures_;
    }

private:
    backoff backoff_;
    backoff setup_;
    time_point next_attempt_ = time_point::min();
    std::uint32_t failures_ = 0;
    std::uint32_t failed_connects_ = 0;
};

}  // namespace sluice
