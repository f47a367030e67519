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
    using thread_type = awaitable_async_op_handler<void(), Executor>;      // resumes, carries no result
    using handler_type = awaitable_async_op_handler<Signature, Executor>;  // Asio's own way
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

    typename Operation::value_type await_resume() {
        if (handler_result_) return handler_type::resume(*handler_result_);
        return sluice::detail::get(operation_);
    }

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

    void start() {
        const auto executor = frame_->await_transform(this_coro::executor).await_resume();
        sluice::event_loop* here = sluice::detail::current_loop();
        if (here == nullptr || sluice::detail::loop_of(executor) != here) {
            handler_result_.emplace();
            handler_type handler(frame_->detach_thread(), *handler_result_);
            std::move(operation_)(std::move(handler));
            return;
        }
        typename thread_type::result_type nothing;
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
    std::optional<typename handler_type::result_type> handler_result_;
};

}  // namespace boost::asio::detail

#endif
