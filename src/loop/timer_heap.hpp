// Deadlines of a loop, soonest first. For what differs from call to call (backoff, caller deadlines);
// time-outs that are the same for all are kept in lists by whoever owns them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/ensure.hpp"
#include "base/time.hpp"

namespace sluice {

class timer_heap;

// Runs `fire` once in the timer phase of a turn. Cancels itself when destroyed.
// Owner: one loop; not synchronised.
class timer {
public:
    using function = void (*)(timer& self) noexcept;

    explicit timer(function fire) noexcept : fire_(fire) {}
    timer(const timer&) = delete;
    timer& operator=(const timer&) = delete;
    inline ~timer();

    bool is_set() const noexcept { return heap_ != nullptr; }
    time_point due() const noexcept { return due_; }

private:
    friend class timer_heap;
    function fire_;
    timer_heap* heap_ = nullptr;
    std::size_t index_ = 0;
    time_point due_{};
    std::uint64_t order_ = 0;  // ties fire in the order in which they were set
};

// A binary heap of pointers with the index kept in the timer: set, cancel and pop in O(log n), the soonest in
// O(1).
class timer_heap {
public:
    timer_heap() = default;
    timer_heap(const timer_heap&) = delete;
    timer_heap& operator=(const timer_heap&) = delete;
    ~timer_heap() {
        for (timer* left : heap_) left->heap_ = nullptr;
    }

    void set(timer& wanted, time_point due) {
        if (wanted.is_set()) cancel(wanted);
        wanted.heap_ = this;
        wanted.due_ = due;
        wanted.order_ = ++order_;
        wanted.index_ = heap_.size();
        heap_.push_back(&wanted);
        rise(wanted.index_);
    }

    void cancel(timer& unwanted) noexcept {
        if (!unwanted.is_set()) return;
        ensure(unwanted.heap_ == this);
        const std::size_t hole = unwanted.index_;
        unwanted.heap_ = nullptr;
        timer* last = heap_.back();
        heap_.pop_back();
        if (last == &unwanted) return;
        place(last, hole);
        rise(hole);
        sink(last->index_);
    }

    time_point soonest() const noexcept { return heap_.empty() ? never : heap_.front()->due_; }
    bool empty() const noexcept { return heap_.empty(); }

    // Fires everything that is due at `now`; what is set meanwhile for `now` waits for the next call.
    void fire_due(time_point now) {
        const std::uint64_t last_order = order_;
        while (!heap_.empty() && heap_.front()->due_ <= now && heap_.front()->order_ <= last_order) {
            timer& due = *heap_.front();
            cancel(due);
            due.fire_(due);
        }
    }

private:
    static bool is_before(const timer& a, const timer& b) noexcept {
        return a.due_ != b.due_ ? a.due_ < b.due_ : a.order_ < b.order_;
    }
    void place(timer* moved, std::size_t index) noexcept {
        heap_[index] = moved;
        moved->index_ = index;
    }
    void rise(std::size_t index) noexcept {
        timer* moved = heap_[index];
        while (index > 0 && is_before(*moved, *heap_[(index - 1) / 2])) {
            place(heap_[(index - 1) / 2], index);
            index = (index - 1) / 2;
        }
        place(moved, index);
    }
    void sink(std::size_t index) noexcept {
        timer* moved = heap_[index];
        for (;;) {
            std::size_t child = 2 * index + 1;
            if (child >= heap_.size()) break;
            if (child + 1 < heap_.size() && is_before(*heap_[child + 1], *heap_[child])) ++child;
            if (!is_before(*heap_[child], *moved)) break;
            place(heap_[child], index);
            index = child;
        }
        place(moved, index);
    }

    std::vector<timer*> heap_;
    std::uint64_t order_ = 0;
};

inline timer::~timer() {
    if (heap_ != nullptr) heap_->cancel(*this);
}

}  // namespace sluice
