// `co_await` of Sluice's operations inside boost::asio::awaitable, without suspending where nothing has to wait.
//
// Asio awaits an asynchronous operation by suspending, initiating it, and resuming through a handler: 75 to 110 ns by a
// post, even if the result is there already. These specialisations ask `poll()` first, and where the coroutine has to
// wait on its own loop they keep the handler in its frame, so that nothing is allocated.
//
// Included by every public header that declares an operation, and nowhere optional: whether a coroutine sees the
// specialisation must not differ between two files of a program (one-definition rule). It leans on details of Asio and is
// therefore bound to the versions that were looked at; with others `co_await` works through the ordinary initiation.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/version.hpp>

#include "sluice/detail/operation.hpp"

#if BOOST_VERSION >= 108100 && BOOST_VERSION <= 108300

namespace boost::asio::detail {

template <class Signature, sluice::detail::operation Operation, class Executor>
class awaitable_async_op<Signature, Operation, Executor> {
    using frame_type = awaitable_frame_base<Executor>;
    using thread_type = awaitable_async_op_handler<void(), Executor>;  // resumes, carries no result
    // What `co_await` is given outlives the await: a temporary ends with the whole expression.
    using held_type =
        std::conditional_t<sluice::detail::is_awaited_in_place<Operation>, Operation&, Operation>;

public:
    awaitable_async_op(Operation&& awaited, frame_type* frame)
        : operation_(static_cast<held_type&&>(awaited)), frame_(frame) {}

    bool await_ready() { return operation_.poll(); }

    void await_suspend(coroutine_handle<void>) {
        frame_->after_suspend([](void* self) { static_cast<awaitable_async_op*>(self)->start(); }, this);
    }

    typename Operation::value_type await_resume() { return sluice::detail::get(operation_); }

private:
    // The rest of the coroutine, waiting in its own frame: whoever runs it moves it out, whoever drops it destroys it.
    struct resumption : sluice::completion {
        resumption() noexcept : completion(&run_or_drop) {}
        static void run_or_drop(sluice::task& base, sluice::task::fate what) {
            auto& self = static_cast<resumption&>(base);
            auto slot = self.thread->get_cancellation_slot();
            if (slot.is_connected()) slot.clear();
            thread_type moved(std::move(*self.thread));
            self.thread.reset();
            if (what == sluice::task::fate::run) moved();
        }
        std::optional<thread_type> thread;
    };

    // The same on an executor that is no loop of ours: gets the operation back when it is over, with the text of its error,
    // which a completion handler would not.
    struct foreign_resumption : thread_type {
        foreign_resumption(thread_type&& rest, awaitable_async_op& of_)
            : thread_type(std::move(rest)), of(&of_) {}
        void take_back(Operation&& completed) {
            of->operation_ = std::move(completed);
            (*this)();
        }
        awaitable_async_op* of;  // in the frame of the coroutine, which this owns
    };

    void start() {
        const auto executor = frame_->await_transform(this_coro::executor).await_resume();
        sluice::event_loop* here = sluice::detail::current_loop();
        typename thread_type::result_type nothing;
        if (here == nullptr || sluice::detail::loop_of(executor) != here) {
            foreign_resumption resumed(thread_type(frame_->detach_thread(), nothing), *this);
            return sluice::detail::initiate()(std::move(resumed), static_cast<Operation&&>(operation_));
        }
        resumption_.thread.emplace(frame_->detach_thread(), nothing);
        auto slot = resumption_.thread->get_cancellation_slot();
        if (slot.is_connected()) {
            slot.assign([this](cancellation_type type) {
                if (!operation_.cancel(sluice::detail::kind_of(type), resumption_)) return;
                thread_type moved(std::move(*resumption_.thread));
                resumption_.thread.reset();
                const auto of_resumed = moved.get_executor();
                boost::asio::post(of_resumed, [resumed = std::move(moved)]() mutable { resumed(); });
            });
        }
        operation_.start(resumption_);
    }

    resumption resumption_;
    held_type operation_;
    frame_type* frame_;
};

}  // namespace boost::asio::detail

#endif
