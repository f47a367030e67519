// How another thread reaches a loop that may be gone by then.
#pragma once

#include <mutex>

#include "base/ensure.hpp"
#include "sluice/detail/task.hpp"

namespace sluice {

class event_loop;

// What waits on a loop for something that another thread does. Made and registered on the loop; then either the other
// thread posts it (once), or it is taken back on the loop, or the loop ends first and drops it.
struct gated_task : remote_task, list_hook<gated_task> {
    using remote_task::remote_task;
    bool is_posted = false;  // on its way: whoever runs or drops it now is the last to touch it
};

// Owner: shared; a mutex, since this is for those who had to wait anyway. Outlives its loop as long as it is held.
class loop_gate {
public:
    explicit loop_gate(event_loop& loop) noexcept : loop_(&loop) {}

    // On the loop.
    void add(gated_task& waiting);
    void remove(gated_task& waiting) noexcept;
    // Any thread. False if the loop is gone; then the task was dropped, and is the caller's to free.
    bool post(gated_task& ready) noexcept;
    // The loop ends: what still waits is dropped.
    void close() noexcept;

private:
    std::mutex mutex_;
    event_loop* loop_;
    list_of<gated_task, gated_task> waiting_;
};

}  // namespace sluice
