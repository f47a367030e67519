// One io_uring: its two queues, and the calls that move entries through them.
#pragma once

#include <liburing.h>

#include <memory>

#include "base/time.hpp"
#include "loop/uring/ring_ladder.hpp"
#include "sluice/error.hpp"

namespace sluice {

// Owner: the thread that calls enable(); before that, the one that made it. All calls answer >= 0 or -errno;
// -EEXIST means: this is another thread's ring.
class kernel_ring {
public:
    // The best ring that climb_down() finds. Errors: the errno of io_uring_setup(2).
    static result<std::unique_ptr<kernel_ring>> make();
    ~kernel_ring() { ::io_uring_queue_exit(&ring_); }
    kernel_ring(const kernel_ring&) = delete;
    kernel_ring& operator=(const kernel_ring&) = delete;

    const ring_request& size_and_flags() const noexcept { return made_; }

    // An entry to fill in, or nullptr: the queue is full until submit() makes room.
    io_uring_sqe* next_entry() noexcept { return ::io_uring_get_sqe(&ring_); }
    bool has_entries() const noexcept { return ::io_uring_sq_ready(&ring_) > 0; }

    // Lets this thread use the ring; once.
    int enable() noexcept;
    int submit() noexcept { return ::io_uring_submit(&ring_); }
    // Submits, waits for a completion until `wait` is over (`never`: without limit).
    int submit_and_wait(duration wait) noexcept;
    // Submits, fetches what the kernel holds back for us (overflown or deferred completions), does not wait.
    int submit_and_fetch() noexcept { return ::io_uring_submit_and_get_events(&ring_); }
    // Does the kernel hold completions back until we enter it?
    bool holds_back_completions() const noexcept;

    // Gives every completion that is in the queue to `take`. Nothing may be submitted in there.
    template <class Take>
    void take_completions(Take take) noexcept {
        unsigned head = 0;
        unsigned count = 0;
        io_uring_cqe* completion = nullptr;
        io_uring_for_each_cqe(&ring_, head, completion) {
            take(*completion);
            ++count;
        }
        ::io_uring_cq_advance(&ring_, count);
    }

    // A table of `count` files that operations may name by index (IOSQE_FIXED_FILE); empty at first. -1
    // empties a place.
    int reserve_files(unsigned count) noexcept { return ::io_uring_register_files_sparse(&ring_, count); }
    int set_file(unsigned index, int file) noexcept {
        return ::io_uring_register_files_update(&ring_, index, &file, 1);
    }
    // Rung at each completion.
    int set_eventfd(int eventfd) noexcept { return ::io_uring_register_eventfd(&ring_, eventfd); }

private:
    kernel_ring() = default;

    io_uring ring_{};
    ring_request made_;
};

}  // namespace sluice
