// One thread's loop: what runs in a turn, and in which order. No Asio in here; `sluice::loop` (the public facade) wraps it.
//
//   a turn   1 messages      control messages, then ingress (budget)          participants, in the order they joined
//            2 timers        due deadlines
//            3 completions   what the last wait reaped
//            4 serve         memory and topics to those who wait
//            5 drain         full, lingered, flushed batches become requests, requests become one send per connection
//            6 wait          ONE submit_and_wait, until the next deadline; not at all if a task is ready or a message is there
//            7 resume        tasks: coroutines and handlers, in the order in which they were posted
//
// A coroutine that is resumed in 7 appends records; they leave in 5 of the next turn, together.
//
// Owner: the thread that runs it. From any thread: post_remote, ring, stop, work_started, work_finished.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/log.hpp"
#include "base/mpsc_queue.hpp"
#include "base/time.hpp"
#include "loop/reactor.hpp"
#include "loop/timer_heap.hpp"
#include "sluice/detail/task.hpp"

namespace sluice {

// Who takes part in every turn: a shard. Called by its loop only.
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
    // The loop ends and nothing will be called any more: let go of everything that waits, run nothing.
    virtual void abandon() noexcept = 0;
};

class event_loop {
public:
    event_loop(std::unique_ptr<reactor> io, logger log);
    // Drops what is queued, cancels what is pending and waits for the terminal completions. Not inside a turn (ensured).
    ~event_loop();
    event_loop(const event_loop&) = delete;
    event_loop& operator=(const event_loop&) = delete;

    // Runs turns on this thread until stop() was called, or nothing is left to do: no work outstanding, no task queued,
    // no user timer set. May be called again.
    void run();
    // Any thread. Ends run() after the current turn; the next run() starts afresh.
    void stop() noexcept;
    // One turn that does not wait. True if another one is wanted at once. For hosts and for simulation.
    bool run_ready();
    // When run_ready wants to be called again if nothing happens before; `never` for: not by time.
    time_point next_deadline() const;
    // Hands started operations to the kernel without a turn.
    void submit() { io_->submit(); }

    // The loop in whose turn this thread is, or whose `scope` it is in; nullptr elsewhere.
    static event_loop* current() noexcept { return current_; }
    bool is_current() const noexcept { return current_ == this; }
    // Makes a loop the current one of this thread: around each turn, and around what a host calls outside of turns.
    class scope {
    public:
        explicit scope(event_loop& entered) noexcept : before_(current_) { current_ = &entered; }
        ~scope() { current_ = before_; }
        scope(const scope&) = delete;
        scope& operator=(const scope&) = delete;

    private:
        event_loop* before_;
    };

    // The time at the start of this turn. Outside of turns: read now, once per scope entry is enough for most.
    time_point now() const noexcept { return now_; }
    wall_time wall_now() const noexcept { return wall_now_; }
    // Reads the clocks again; for hosted callers outside of a turn.
    void read_clocks() noexcept;

    // Runs in phase 7 of this turn, or of the next if that phase is over or running.
    void post(task& ready) noexcept { ready_.push_back(ready); }
    // Moves a whole queue of waiters behind what is ready, keeping its order.
    void post_all(task_list& waiters) noexcept { ready_.splice(ready_.end(), waiters); }
    void set_timer(timer& wanted, time_point due) { timers_.set(wanted, due); }
    void cancel_timer(timer& unwanted) noexcept { timers_.cancel(unwanted); }
    reactor& io() noexcept { return *io_; }
    const logger& log() const noexcept { return log_; }

    void join(participant& shard);
    void leave(participant& shard) noexcept;

    // Any thread. Runs in phase 7, in the order of posting.
    void post_remote(remote_task& ready) noexcept;
    // Any thread, after something was pushed where a participant's has_messages() looks: wakes the loop if it sleeps.
    void ring() noexcept;
    // Any thread. run() does not return while work is outstanding.
    void work_started() noexcept { work_.fetch_add(1, std::memory_order_relaxed); }
    void work_finished() noexcept;

private:
    void turn(bool may_wait);
    bool has_messages() const noexcept;
    void take_remote_tasks();

    inline static thread_local event_loop* current_ = nullptr;

    std::unique_ptr<reactor> io_;
    logger log_;
    std::vector<participant*> participants_;
    task_list ready_;
    timer_heap timers_;
    completion_list completed_;
    time_point now_{};
    wall_time wall_now_{};
    bool in_turn_ = false;

    alignas(64) mpsc_queue<remote_task> remote_tasks_;
    alignas(64) std::atomic<bool> is_asleep_{false};
    std::atomic<std::int64_t> work_{0};
    std::atomic<bool> stop_requested_{false};
};

}  // namespace sluice
