#include "loop/uring/kernel_ring.hpp"

#include <atomic>

namespace sluice {

result<std::unique_ptr<kernel_ring>> kernel_ring::make() {
    io_uring made{};
    ring_request request;
    const int answer = climb_down(request, [&made](const ring_request& wanted) {
        io_uring_params parameters{};
        parameters.flags = wanted.flags;
        parameters.cq_entries = 4 * wanted.submissions;
        return ::io_uring_queue_init_params(wanted.submissions, &made, &parameters);
    });
    if (answer < 0) return error_code(-answer, boost::system::system_category());
    std::unique_ptr<kernel_ring> owner(new kernel_ring);
    owner->ring_ = made;
    owner->made_ = request;
    return owner;
}

int kernel_ring::enable() noexcept {
    if ((made_.flags & IORING_SETUP_R_DISABLED) == 0) return 0;
    // Not io_uring_enable_rings: Debian 12's liburing.so does not export it.
    return ::io_uring_register(static_cast<unsigned>(ring_.ring_fd), IORING_REGISTER_ENABLE_RINGS, nullptr,
                               0);
}

int kernel_ring::submit_and_wait(duration wait) noexcept {
    io_uring_cqe* oldest = nullptr;
    if (wait == duration::max()) {
        return ::io_uring_submit_and_wait_timeout(&ring_, &oldest, 1, nullptr, nullptr);
    }
    using namespace std::chrono;
    const auto whole = duration_cast<seconds>(wait);
    __kernel_timespec limit{whole.count(), nanoseconds(wait - whole).count()};
    return ::io_uring_submit_and_wait_timeout(&ring_, &oldest, 1, &limit, nullptr);
}

bool kernel_ring::holds_back_completions() const noexcept {
    const unsigned flags = std::atomic_ref<unsigned>(*ring_.sq.kflags).load(std::memory_order_relaxed);
    return (flags & (IORING_SQ_CQ_OVERFLOW | IORING_SQ_TASKRUN)) != 0;
}

}  // namespace sluice
