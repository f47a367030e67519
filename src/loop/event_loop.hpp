// One thread's loop: what runs in a turn, and in which order. No Asio in here; `sluice::loop` (the public
// facade) wraps it.
//
//   a turn   1 messages      control messages, then ingress (budget)     participants, in the order they joined
//            2 timers        due deadlines
//            3 completions   what the last wait reaped
//            4 serve         memory and topics to those who wait
//            5 drain         full, lingered, flushed batches become requests, those one send per connection
//            6 wait          ONE submit_and_wait, until the next deadline; none if a task or a message is there
//            7 resume        tasks: coroutines and handlers, in the order in which they were posted
//
// A coroutine that is resumed in 7 appends records; they leave in 5 of the next turn, together.
//
// Falling asleep loses no message: the loop announces its sleep, then looks for messages; others push, then
// look whether it sleeps. Both are sequentially consistent, so at least one of the two sees the other.
//
// Owner: the thread that runs it. From any thread: post_remote, ring, stop, work_started, work_finished.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "base/log.hpp"
#include "base/mpsc_queue.hpp"
#include "base/time.hpp"
#include "loop/loop_gate.hpp"
#include "loop/reactor.hpp"
#include "loop/timer_heap.hpp"
#include "sluice/detail/task.hpp"

namespace sluice {

// Who takes part in every turn: a shard. Called by its loop only. It may join and leave at any point of a turn,
// and leaves before it dies: who joins is called from the running phase on, who left is not called again.
class participant {
public:
    virtual ~participant() = default;

    virtual void take_messages(time_point now) = 0;  // 1
    virtual void on_time(time_point now) = 0;        // 2: deadlines that are kept in lists
    virtual void serve(time_point now) = 0;          // 4
    virtual void drain(time_point now) = 0;          // 5
    // The soonest deadline of this participant; `never` if there is none.
    virtual time_point next_deadline() const = 0;
    // Is there something for take_messages? Read after the loop announced its sleep: sequentially consistent.
    virtual bool has_messages() const noexcept = 0;
    // The loop ends and nothing will be called any more: let go of everything that waits, cancel what is
    // pending, run nothing. Callbacks of pending operations still come, until the last one has completed.
    virtual void abandon() noexcept = 0;
};

// Who runs the turns of a hosted loop, if it has to know when. Lives as long as the loop, once it was set.
class loop_host {
public:
    virtual ~loop_host() = default;
    virtual bool is_hosting() const noexcept = 0;
    // Any thread: the sleeping loop was rung, and its handle is about to be readable.
    virtual void on_ring() noexcept = 0;
    virtual void on_end() noexcept = 0;  // of the loop
};

class event_loop {
public:
    event_loop(std::unique_ptr<reactor> io, logger log);
    // end(), if that has not been called.
    ~event_loop();
    event_loop(const event_loop&) = delete;
    event_loop& operator=(const event_loop&) = delete;

    // Runs turns on this thread until stop() was called, or nothing is left to do: no work outstanding, no
    // task, no message and no completion queued. Who waits for something holds work (a loop_timer does);
    // pending operations and timers of participants alone do not keep run() alive. An exception of a task
    // ends run() too: tasks behind it stay queued. May be called again, on the same thread.
    void run();
    // Any thread. Ends run() after the current turn, or the next run() before its first one; the run() after
    // that starts afresh.
    void stop() noexcept;
    // Turns that do not wait: one, and within `budget` as many as are wanted at once. True if another one is
    // wanted. When the budget is used up, the turn ends after the task that runs; the tasks behind it stay
    // queued. Without a budget one turn runs all tasks that were ready when it came to them. For hosts, which
    // call it once before they wait for the first time, and again when a call threw; and for simulation.
    bool run_ready(duration budget = duration::zero());
    // Lets the participants go, drops every task that is queued and what that posts, and reaps until every
    // pending operation has completed: their owners have cancelled them by now. What is still pending after 5
    // seconds is a bug of ours (ensured). Not inside a turn (ensured). Posting stays safe; what is posted
    // later, the destructor drops.
    void end() noexcept;
    // When run_ready wants to be called again if nothing happens before; `never` for: not by time.
    time_point next_deadline() const;
    // Hands started operations to the kernel without a turn.
    void submit() { io_->submit(); }

    // The loop in whose turn this thread is, or whose `scope` it is in; nullptr elsewhere.
    static event_loop* current() noexcept { return current_; }
    bool is_current() const noexcept { return current_ == this; }
    // Makes `entered` this thread's loop and gives back the one before.
    static event_loop* enter(event_loop* entered) noexcept { return std::exchange(current_, entered); }
    // Makes a loop the current one of this thread: around each turn, and around what a host calls in between.
    class scope {
    public:
        explicit scope(event_loop& entered) noexcept : before_(enter(&entered)) {}
        ~scope() { enter(before_); }
        scope(const scope&) = delete;
        scope& operator=(const scope&) = delete;

    private:
        event_loop* before_;
    };

    // The time at the start of this turn, or after its wait. Outside of turns: of the last one, or read_clocks().
    time_point now() const noexcept { return now_; }
    wall_time wall_now() const noexcept { return wall_now_; }
    void read_clocks() noexcept;
    // A call that does something in a later turn, perhaps made by a host in a scope: there the first one after a
    // turn reads the clocks and asks the host for the next turn.
    void note_call() noexcept {
        if (!is_noted_) [[unlikely]]
            note_first_call();
    }
    // That this thread is the one that runs or hosts the loop, if there is one (ensured).
    void check_thread() const;

    // Runs in phase 7 of this turn, or of the next if that phase is over or has run its share. From outside
    // of a turn, each of these three asks a sleeping loop's host for a turn.
    void post(task& ready) noexcept {
        if (!in_turn_) [[unlikely]]
            before_post_outside_turn();
        ready_.push_back(ready);
    }
    // Moves a whole queue of waiters behind what is ready, keeping its order.
    void post_all(task_list& waiters) noexcept {
        if (!in_turn_) [[unlikely]]
            before_post_outside_turn();
        ready_.splice(ready_.end(), waiters);
    }
    void set_timer(timer& wanted, time_point due) {
        timers_.set(wanted, due);
        if (!in_turn_) [[unlikely]]
            ring();
    }
    void cancel_timer(timer& unwanted) noexcept { timers_.cancel(unwanted); }
    reactor& io() noexcept { return *io_; }
    const logger& log() const noexcept { return log_; }

    void join(participant& shard);
    void leave(participant& shard) noexcept;

    // Any thread. Runs in phase 7, in the order of posting.
    void post_remote(remote_task& ready) noexcept;
    // Any thread, after a push to where a participant's has_messages() looks: wakes the loop if it sleeps.
    void ring() noexcept;
    // For other threads that may outlive this loop.
    const std::shared_ptr<loop_gate>& gate() const noexcept { return gate_; }
    // Is nothing left that would keep run() going?
    bool is_done() const noexcept;
    void set_host(std::shared_ptr<loop_host> host);
    const loop_host* host() const noexcept { return host_.load(std::memory_order_acquire); }
    // Any thread. run() does not return while work is outstanding.
    void work_started() noexcept { work_.fetch_add(1, std::memory_order_relaxed); }
    void work_finished() noexcept;

private:
    class turn_scope;
    class thread_scope;

    // Phase 7 runs what was ready when it began, and then so many of the tasks that those posted. Chains of
    // short steps need no turn of their own each, and a task that posts itself for ever does not starve the
    // sockets.
    static constexpr int chained_tasks_max = 128;

    bool turn(bool may_wait, time_point until = never);  // true if tasks ran
    template <class Phase>
    void for_each_participant(Phase call);
    void run_completions() noexcept;
    void wait(bool may_wait);
    bool run_tasks(time_point until);
    task& pop_task() noexcept;
    void drop_tasks() noexcept;
    void announce_sleep() noexcept { is_asleep_.store(true, std::memory_order_seq_cst); }
    bool has_messages() const noexcept;
    void take_remote_tasks() noexcept;
    void before_post_outside_turn() noexcept;
    void note_first_call() noexcept;
    static const void* this_thread() noexcept { return &current_; }
    void reap_pending() noexcept;

    inline static constinit thread_local event_loop* current_ = nullptr;

    std::unique_ptr<reactor> io_;
    std::shared_ptr<loop_gate> gate_ = std::make_shared<loop_gate>(*this);
    logger log_;
    std::vector<std::shared_ptr<loop_host>> hosts_;  // all that there were: a ring may be in one of them
    std::vector<participant*> participants_;         // nullptr: left during this turn
    task_list ready_;
    task end_of_phase_{[](task&, task::fate) {}};  // phase 7: behind what was ready when it began
    timer_heap timers_;
    completion_list completed_;
    time_point now_{};
    wall_time wall_now_{};
    bool in_turn_ = false;
    bool is_noted_ = false;  // in a turn, or the host was asked for one since the last

    alignas(64) mpsc_queue<remote_task> remote_tasks_;
    alignas(64) std::atomic<bool> is_asleep_{false};
    std::atomic<std::int64_t> work_{0};
    std::atomic<bool> stop_requested_{false};
    std::atomic<loop_host*> host_{nullptr};
    std::atomic<const void*> thread_{nullptr};  // that runs it, or that has hosted it once
};

}  // namespace sluice
