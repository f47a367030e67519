// What wakes a loop that waits in the kernel: an eventfd.
#pragma once

#include "loop/descriptor.hpp"
#include "sluice/error.hpp"

namespace sluice {

// Owner: shared, atomic (the kernel's counter); ring() is async-signal-safe.
//
// Both reactors watch it for edges, so nobody reads it between two rings: the count only grows, and a ring is
// one system call on one side and none on the other.
class doorbell {
public:
    // `rung` is how often it has been rung before anybody watches it.
    static result<doorbell> make(unsigned rung = 0);

    void ring() const noexcept;
    // Silences it until the next ring, for those who watch its level. True if it had been rung.
    bool silence() const noexcept;
    int handle() const noexcept { return eventfd_.get(); }
    bool is_open() const noexcept { return eventfd_.is_open(); }

    doorbell() = default;  // none

private:
    explicit doorbell(descriptor eventfd) noexcept : eventfd_(std::move(eventfd)) {}

    descriptor eventfd_;
};

}  // namespace sluice
