// What waits for its turn to run on a loop: a coroutine to resume, a handler to call.
#pragma once

#include <boost/intrusive/list.hpp>
#include <cstdint>

namespace sluice {

namespace intrusive = boost::intrusive;

// A node that unlinks itself when it is destroyed, so that whatever waits may die at any moment.
// `Tag` tells the lists apart that one object may be on.
template <class Tag = void>
using list_hook =
    intrusive::list_base_hook<intrusive::link_mode<intrusive::auto_unlink>, intrusive::tag<Tag>>;

template <class Node, class Tag = void>
using list_of =
    intrusive::list<Node, intrusive::base_hook<list_hook<Tag>>, intrusive::constant_time_size<false>>;

// Runs once on the loop it was posted to, in the resume phase of a turn; nothing is run inside somebody's destructor.
// Queues of waiters (for memory, for a topic, for a batch) hold tasks too, so that a whole queue is woken by one splice.
//
// Owner:    one shard (one loop); not synchronised.
// Lifetime: the poster keeps it in place until it ran or was dropped. Destroying it takes it off its list: it never runs.
struct task : list_hook<> {
    enum class fate {
        run,  // do it
        drop  // the loop ends: free what you own, run nothing
    };
    // May throw when it runs (then loop::run() throws); not when it is dropped.
    using callback = void (*)(task& self, fate what);

    explicit task(callback run_or_drop) noexcept : run_or_drop_(run_or_drop) {}
    task(const task&) = delete;
    task& operator=(const task&) = delete;

    void run() { run_or_drop_(*this, fate::run); }
    void drop() noexcept { run_or_drop_(*this, fate::drop); }
    bool is_queued() const noexcept { return this->is_linked(); }
    // Was it made to run this?
    bool runs(callback function) const noexcept { return run_or_drop_ == function; }

private:
    callback run_or_drop_;
};

using task_list = list_of<task>;

// What an operation that completes runs: whoever waits for it. An operation that waits for one record of a batch links it
// into the batch's own list, in the order of the records.
struct completion : task {
    using task::task;
    std::uint32_t index = 0;  // of the record in its batch
};

// A link of a queue that many threads push to (base/mpsc_queue.hpp).
struct mpsc_node {
    mpsc_node* next_pushed = nullptr;
};

// A task that another thread posts. On arrival it joins the loop's other tasks.
struct remote_task : task, mpsc_node {
    using task::task;
};

}  // namespace sluice
