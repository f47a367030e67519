// Which of the kernel's interfaces a loop waits with.
#pragma once

namespace sluice {

enum class reactor_kind {
    automatic,  // io_uring where it is allowed and new enough (kernel 6.1), else epoll; the log says which and why
    uring,     // io_uring(7), or an error
    epoll,     // epoll(7)
    simulated  // virtual time and network (sluice::testing)
};

constexpr const char* to_string(reactor_kind kind) noexcept {
    switch (kind) {
        case reactor_kind::automatic: return "automatic";
        case reactor_kind::uring: return "io_uring";
        case reactor_kind::epoll: return "epoll";
        case reactor_kind::simulated: return "simulated";
    }
    return "?";
}

}  // namespace sluice
