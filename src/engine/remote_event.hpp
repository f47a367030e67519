// Something that happens on a shard and that one caller, on whatever thread, may wait for.
//
//   shard:   set(level)             levels only rise; whoever waits for that level, or a lower one, is woken
//   caller:  is(level), start(level, done, signal), take_back(signal)
//
// The caller is never touched: what wakes it is a signal on the heap, which either party may take out of the slot, by
// one exchange. On a loop the signal goes home through the loop's gate, so that loop and shard may end in any order.
//
// Owner: shared, atomic; `set` by one shard, the rest by one caller at a time.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "loop/event_loop.hpp"
#include "loop/loop_gate.hpp"

namespace sluice {

class remote_event;

// Runs the completion of a caller that waits. Frees itself.
class remote_signal final : public gated_task {
public:
    remote_signal(remote_event& event, completion& done, remote_signal*& slot);

private:
    friend class remote_event;
    static void run_or_drop(task& self, fate what);

    remote_event* event_;              // outlives this while the signal is in its slot
    completion* done_;                 // nullptr: the caller has gone
    remote_signal** slot_;             // where the caller keeps its pointer to this
    std::shared_ptr<loop_gate> gate_;  // of the caller's loop; nullptr: it is on none
};

class remote_event {
public:
    remote_event() = default;
    remote_event(const remote_event&) = delete;
    remote_event& operator=(const remote_event&) = delete;

    std::uint8_t level() const noexcept {
        return static_cast<std::uint8_t>(state_.load(std::memory_order_acquire) & level_mask);
    }

    // On the shard. Wakes in a later phase; `on` is the shard's loop, nullptr only where nobody can be waiting yet.
    void set(std::uint8_t level, event_loop* on) noexcept;

    // The caller waits for a level (3 at most) that was not reached a moment ago. `signal` stays where it is while it waits.
    void start(std::uint8_t level, completion& done, remote_signal*& signal);
    // The caller does not wait any more. True: `done` will not run. False: it is on its way, on this caller's loop or,
    // without one, on the shard's.
    bool take_back(remote_signal*& signal) noexcept;
    // The caller dies while it waits: as take_back, and `done` does not run on this loop either.
    void abandon(remote_signal*& signal) noexcept;

private:
    friend class remote_signal;
    static constexpr std::uintptr_t level_mask = 3;
    static remote_signal* waiting_in(std::uintptr_t state) noexcept {
        return reinterpret_cast<remote_signal*>(state & ~level_mask);
    }
    remote_signal* take_waiting() noexcept {
        return waiting_in(state_.fetch_and(level_mask, std::memory_order_acq_rel));
    }

    // The level, and the signal that waits. One word, so that a signal is in the slot only while the level is below: who
    // waits without a loop is woken on the shard's thread, and may free this event before start() is back.
    std::atomic<std::uintptr_t> state_{0};
};

static_assert(alignof(remote_signal) > 3);

}  // namespace sluice
