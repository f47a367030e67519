// Waiting for an operation by blocking a thread: for programs without coroutines, at their start and at their end.
#pragma once

#include <chrono>
#include <semaphore>
#include <utility>

#include "sluice/detail/operation.hpp"

namespace sluice {

// Begins an operation and lets a thread that is on no loop wait for it.
//
//   blocking waiting(producer.flush());
//   while (!waiting.wait_for(1s)) show_progress();
//   waiting.get();
//
// Errors: get() throws sluice::error, with the whole text. Lifetime: destroying it before the end cancels the operation,
// and then waits for whatever is on its way.
template <detail::operation Operation>
class blocking {
public:
    explicit blocking(Operation operation) : operation_(std::move(operation)) {
        if (operation_.poll()) {
            is_over_ = true;
        } else {
            operation_.start(done_);
        }
    }
    blocking(const blocking&) = delete;
    blocking& operator=(const blocking&) = delete;
    ~blocking() {
        if (!is_over_ && !cancel()) wait();
    }

    void wait() {
        if (is_over_) return;
        done_.happened.acquire();
        note_end();
    }
    // True if it is over.
    template <class Rep, class Period>
    bool wait_for(std::chrono::duration<Rep, Period> at_most) {
        if (!is_over_ && done_.happened.try_acquire_for(at_most)) note_end();
        return is_over_;
    }
    // Stops waiting: true if it is over by that, with operation_aborted.
    bool cancel() {
        if (is_over_ || !operation_.cancel(detail::cancel_kind::any, done_)) return false;
        is_over_ = true;
        return true;
    }

    // Of an operation that is over. An exception for an error; or ask for the error.
    typename Operation::value_type get() { return detail::get(operation_); }
    error_code error() {
        operation_.poll();
        return operation_.error();
    }
    shared_text message() { return operation_.message(); }

private:
    struct thread_completion final : completion {
        thread_completion() noexcept : completion(&release) {}
        static void release(task& self, fate what) {
            auto& done = static_cast<thread_completion&>(static_cast<completion&>(self));
            done.is_dropped = what == fate::drop;
            done.happened.release();
        }
        std::binary_semaphore happened{0};
        bool is_dropped = false;  // written before the release
    };
    void note_end() {
        is_over_ = true;
        if (done_.is_dropped && !operation_.poll()) operation_.stop_waiting();
    }

    thread_completion done_;
    Operation operation_;
    bool is_over_ = false;
};

// Waits to the end: the value, or an exception.
template <detail::operation Operation>
typename Operation::value_type wait(Operation operation) {
    blocking<Operation> waiting(std::move(operation));
    waiting.wait();
    return waiting.get();
}

}  // namespace sluice
