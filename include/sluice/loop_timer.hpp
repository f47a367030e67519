// A deadline to await on a loop. (asio::steady_timer works there too, but starts a thread of its own behind it.)
#pragma once

#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/recycling_allocator.hpp>
#include <chrono>
#include <memory>
#include <utility>

#include "sluice/detail/task.hpp"
#include "sluice/error.hpp"
#include "sluice/loop.hpp"

namespace sluice {

namespace detail {

// The handler of a wait, its type erased: run when the wait has ended, dropped when a context ends first.
struct waiting_handler : remote_task {
    using remote_task::remote_task;
    error_code error;
};

// One wait (src/loop/loop_timer.cpp).
class timer_wait;
// Takes over `handler`, which is dropped when `on` or `of_handler`, its own context, ends. No more happens yet.
std::shared_ptr<timer_wait> make_wait(loop& on, boost::asio::execution_context& of_handler,
                                      waiting_handler& handler);
// Any thread. The handler may have run when this returns.
void start_wait(timer_wait& wait, std::chrono::steady_clock::time_point due);
// Any thread. The handler runs with operation_aborted, unless the deadline came first.
void cancel_wait(timer_wait& wait) noexcept;

// Saturates at time_point::max().
std::chrono::steady_clock::time_point deadline_in(loop& on, std::chrono::nanoseconds wait);

// A handler with its executors kept alive by outstanding work: its own, and the loop's.
template <class Handler>
class waiting_handler_of : public waiting_handler {
public:
    static waiting_handler_of* make(Handler&& handler, const loop::executor_type& of_loop) {
        allocator memory = allocator_of(handler);
        waiting_handler_of* made = std::allocator_traits<allocator>::allocate(memory, 1);
        return new (made) waiting_handler_of(std::move(handler), of_loop);
    }

    boost::asio::execution_context& context() const {
        const handler_executor executor = handler_work_.get_executor();
        if constexpr (boost::asio::can_query_v<handler_executor, boost::asio::execution::context_t>) {
            return boost::asio::query(executor, boost::asio::execution::context);
        } else {
            return executor.context();  // an executor of the Networking TS
        }
    }

private:
    using handler_executor = boost::asio::associated_executor_t<Handler, loop::executor_type>;
    using handler_allocator =
        boost::asio::associated_allocator_t<Handler, boost::asio::recycling_allocator<void>>;
    using allocator =
        typename std::allocator_traits<handler_allocator>::template rebind_alloc<waiting_handler_of>;

    static allocator allocator_of(const Handler& handler) {
        return allocator(
            boost::asio::get_associated_allocator(handler, boost::asio::recycling_allocator<void>()));
    }

    waiting_handler_of(Handler&& handler, const loop::executor_type& of_loop)
        : waiting_handler(&arrive),
          handler_(std::move(handler)),
          loop_work_(of_loop),
          handler_work_(boost::asio::get_associated_executor(handler_, of_loop)) {}

    static void arrive(task& self, fate what) {
        auto* arrived = static_cast<waiting_handler_of*>(&self);
        allocator memory = allocator_of(arrived->handler_);
        // Out of the memory that is given back before the handler runs: it may want to use it again.
        const auto work = std::move(arrived->handler_work_);
        const auto loop_work = std::move(arrived->loop_work_);
        auto call = [handler = std::move(arrived->handler_), error = arrived->error]() mutable {
            std::move(handler)(error);
        };
        arrived->~waiting_handler_of();
        std::allocator_traits<allocator>::deallocate(memory, arrived, 1);
        if (what == fate::run) boost::asio::dispatch(work.get_executor(), std::move(call));
    }

    Handler handler_;
    boost::asio::executor_work_guard<loop::executor_type> loop_work_;
    boost::asio::executor_work_guard<handler_executor> handler_work_;
};

// What starts a wait, whichever token asks for it.
class start_of_wait {
public:
    using executor_type = loop::executor_type;

    start_of_wait(loop& on, std::weak_ptr<timer_wait>& wait) noexcept : loop_(&on), wait_(&wait) {}
    executor_type get_executor() const noexcept { return loop_->get_executor(); }

    template <class Handler>
    void operator()(Handler handler, std::chrono::nanoseconds wait) const {
        (*this)(std::move(handler), deadline_in(*loop_, wait));
    }
    template <class Handler>
    void operator()(Handler handler, std::chrono::steady_clock::time_point due) const {
        if (const auto before = wait_->lock()) cancel_wait(*before);
        auto slot = boost::asio::get_associated_cancellation_slot(handler);
        auto* made = waiting_handler_of<Handler>::make(std::move(handler), get_executor());
        const auto wait = make_wait(*loop_, made->context(), *made);
        *wait_ = wait;
        // Before the start, after which the slot may be gone. What stays in it does no harm later.
        if (slot.is_connected()) {
            slot.assign([ended = std::weak_ptr(wait)](boost::asio::cancellation_type type) {
                const auto still = type == boost::asio::cancellation_type::none ? nullptr : ended.lock();
                if (still) cancel_wait(*still);
            });
        }
        start_wait(*wait, due);
    }

private:
    loop* loop_;
    std::weak_ptr<timer_wait>* wait_;  // the timer's
};

}  // namespace detail

// Waits for a deadline, once at a time: a new wait ends the one before with operation_aborted, and so does
// the destructor. An asynchronous operation in Asio's sense, for every completion token, with the signature
// void(error_code); cancellation of every type ends it with operation_aborted.
//
//   sluice::loop_timer timer(loop);
//   co_await timer.wait_for(5ms, asio::use_awaitable);
//
// Thread rules: one thread at a time; it need not be the loop's. Handlers run on their associated executor, the
//               loop's by default, and never inside the call that starts the wait.
// Lifetime:     the loop outlives the timer. A handler that still waits when the loop, or the context of its own
//               executor, ends is destroyed without being called.
class loop_timer {
public:
    using executor_type = loop::executor_type;
    using time_point = std::chrono::steady_clock::time_point;

    explicit loop_timer(loop& on) noexcept : loop_(&on) {}
    loop_timer(const loop_timer&) = delete;
    loop_timer& operator=(const loop_timer&) = delete;
    ~loop_timer() { cancel(); }

    executor_type get_executor() const noexcept { return loop_->get_executor(); }

    // From when the operation is initiated; never earlier, also where `wait` is 0 or less.
    template <boost::asio::completion_token_for<void(error_code)> Token>
    auto wait_for(std::chrono::nanoseconds wait, Token&& token) {
        return boost::asio::async_initiate<Token, void(error_code)>(detail::start_of_wait(*loop_, wait_),
                                                                    token, wait);
    }
    template <boost::asio::completion_token_for<void(error_code)> Token>
    auto wait_until(time_point due, Token&& token) {
        return boost::asio::async_initiate<Token, void(error_code)>(detail::start_of_wait(*loop_, wait_),
                                                                    token, due);
    }

    // The handler that waits, if there is one, gets operation_aborted.
    void cancel() noexcept {
        if (const auto wait = wait_.lock()) detail::cancel_wait(*wait);
    }

private:
    loop* loop_;
    std::weak_ptr<detail::timer_wait> wait_;
};

}  // namespace sluice
