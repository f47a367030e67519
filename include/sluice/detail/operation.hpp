// How every awaitable call of Sluice is awaited: by any coroutine type, or through any Boost.Asio completion token.
//
// An operation (send_operation, delivery, ...) is a value until it is started, and stays in place from then on:
//
//   poll()               true: the result is there, nothing had to wait (the hot path ends here)
//   start(done)          after poll() said no: waits. `done` runs once, as a task of the loop that this thread is on; on a
//                        thread that is on no loop, of the loop that completes the operation
//   cancel(kind, done)   after start(), on the thread (or in the strand) that started it. True: it is over, with
//                        operation_aborted, and `done` will not run
//   stop_waiting()       after `done` was dropped and poll() says no, since a loop has ended: over, with operation_aborted
//   error(), message(), take()   the result
//   ~operation           not completed yet: withdrawn; `done` is destroyed with it, or has run
//   detach_from_loop()   before poll(): the result will be used elsewhere than on this thread's loop
//   own_arguments()      after poll() said no: the caller returns before it completes, so views will not do
//
// On a loop, the operation and whoever waits for it are confined to that loop. Elsewhere, a node on the heap waits,
// registered with the context of the handler's executor, so that no shard ever touches the frame of a foreign coroutine.
#pragma once

#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/system_executor.hpp>
#include <concepts>
#include <coroutine>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>

#include "sluice/detail/task.hpp"
#include "sluice/error.hpp"
#include "sluice/loop.hpp"
#include "sluice/shared_text.hpp"

namespace sluice::detail {

namespace asio = boost::asio;

enum class cancel_kind {
    total,  // only if the call then has had no effect at all
    any     // stop waiting in any case; what was accepted goes on
};

constexpr cancel_kind kind_of(asio::cancellation_type type) noexcept {
    const auto partial_or_terminal = asio::cancellation_type::partial | asio::cancellation_type::terminal;
    return (type & partial_or_terminal) != asio::cancellation_type::none ? cancel_kind::any
                                                                         : cancel_kind::total;
}

template <class Operation>
concept operation =
    std::movable<Operation> && requires(Operation& value, completion& done, cancel_kind kind) {
        typename Operation::value_type;
        { value.poll() } -> std::same_as<bool>;
        value.start(done);
        { value.cancel(kind, done) } -> std::same_as<bool>;
        value.stop_waiting();
        value.detach_from_loop();
        { value.error() } -> std::same_as<error_code>;
        { value.message() } -> std::convertible_to<shared_text>;
    };

// Moving it would cost more than awaiting it: `co_await` leaves it where it is.
template <class Operation>
inline constexpr bool is_awaited_in_place = requires { typename Operation::awaited_in_place; };

[[noreturn]] void throw_error(error_code code, const shared_text& message);

// Of a completed operation.
template <class Operation>
typename Operation::value_type get(Operation& completed) {
    completed.poll();  // takes the result over
    if (completed.error().failed()) [[unlikely]]
        throw_error(completed.error(), completed.message());
    if constexpr (!std::is_void_v<typename Operation::value_type>) return completed.take();
}

// ---- any coroutine type

template <class Operation>
class awaiter {
public:
    explicit awaiter(Operation&& awaited) : operation_(std::move(awaited)) {}

    bool await_ready() { return operation_.poll(); }
    void await_suspend(std::coroutine_handle<> waiting) {
        resumption_.waiting = waiting;
        operation_.start(resumption_);
    }
    typename Operation::value_type await_resume() { return get(operation_); }

private:
    struct resumption : completion {
        resumption() noexcept : completion(&resume) {}
        static void resume(task& self, task::fate what) {
            if (what == task::fate::run) static_cast<resumption&>(self).waiting.resume();
        }
        std::coroutine_handle<> waiting;
    };

    resumption resumption_;
    Operation operation_;
};

// ---- Boost.Asio completion tokens

// The loop that an executor belongs to, or nullptr.
template <class Executor>
event_loop* loop_of(const Executor& executor) noexcept {
    if constexpr (std::is_same_v<Executor, loop::executor_type>) {
        return &executor.context().events();
    } else if constexpr (requires { executor.template target<loop::executor_type>(); }) {
        const auto* target = executor.template target<loop::executor_type>();
        return target != nullptr ? &target->context().events() : nullptr;
    } else {
        return nullptr;
    }
}
// The loop that this thread is on, or nullptr.
event_loop* current_loop() noexcept;
// Runs it in the resume phase of a turn to come.
void post_to(event_loop& on, completion& done) noexcept;

// A handler that waits in a context that is not a loop.
class registered_handler : public list_hook<registered_handler> {
public:
    virtual void abandon() noexcept = 0;  // its context ends: let go of everything that belongs to it

protected:
    ~registered_handler() = default;
};

// Knows the handlers of one execution context that wait for operations of Sluice. When the context ends they are
// destroyed, and what completes later finds nothing to call.
class operation_registry : public asio::execution_context::service {
public:
    using key_type = operation_registry;
    static asio::execution_context::id id;

    // Outlives the context as long as a handler is registered. Recursive, since destroying a handler may run anything.
    struct shared_list {
        std::recursive_mutex mutex;
        list_of<registered_handler, registered_handler> waiting;
        bool is_shut_down = false;
    };

    explicit operation_registry(asio::execution_context& context);
    ~operation_registry() override;
    const std::shared_ptr<shared_list>& list() const noexcept { return list_; }

private:
    void shutdown() override;
    std::shared_ptr<shared_list> list_;
};

// An operation and the handler that waits for it, on the heap of the handler's allocator.
//
//   confined      handler and operation are on the same loop: called in its resume phase; dropped when the loop ends
//   registered    the handler is elsewhere: completed by a post to its executor, or let go of when its context ends
//   neither       no context (a plain callback, use_future): called on the loop that completes the operation
template <class Operation, class Handler, class Executor>
class pending final : public completion, public registered_handler {
public:
    template <class Argument>
    static void start(Argument&& handler, Operation&& awaited, Executor executor) {
        allocator from(asio::get_associated_allocator(handler, asio::recycling_allocator<void>()));
        pending* self = std::allocator_traits<allocator>::allocate(from, 1);
        try {
            new (self)
                pending(from, std::forward<Argument>(handler), std::move(awaited), std::move(executor));
        } catch (...) {
            std::allocator_traits<allocator>::deallocate(from, self, 1);
            throw;
        }
        self->start_operation();
    }

private:
    using allocator = typename std::allocator_traits<asio::associated_allocator_t<
        Handler, asio::recycling_allocator<void>>>::template rebind_alloc<pending>;
    using tracked_executor = std::decay_t<
        typename asio::prefer_result<Executor, asio::execution::outstanding_work_t::tracked_t>::type>;
    static constexpr bool has_context = !std::is_same_v<Executor, asio::system_executor>;

    // On its way through an executor's queue; frees the node if the queue is destroyed before its turn.
    struct posted {
        explicit posted(pending* self_) noexcept : self(self_) {}
        posted(posted&& other) noexcept : self(std::exchange(other.self, nullptr)) {}
        ~posted() {
            if (self != nullptr) self->free();
        }
        void operator()() { std::exchange(self, nullptr)->complete(); }
        pending* self;
    };

    template <class Argument>
    pending(const allocator& from, Argument&& handler, Operation&& awaited, Executor executor)
        : completion(&run_or_drop),
          allocator_(from),
          operation_(std::move(awaited)),
          handler_(std::forward<Argument>(handler)),
          work_(asio::prefer(executor, asio::execution::outstanding_work.tracked)) {}

    void start_operation() {
        const auto executor = asio::get_associated_executor(*handler_);
        event_loop* here = current_loop();
        is_confined_ = here != nullptr && (!has_context || loop_of(executor) == here);
        if (!is_confined_) operation_.detach_from_loop();
        if (operation_.poll()) return post_result();
        operation_.own_arguments();
        if constexpr (has_context) {
            if (!is_confined_) {
                auto& context = asio::query(executor, asio::execution::context);
                registry_ = asio::use_service<operation_registry>(context).list();
                std::unique_lock lock(registry_->mutex);
                if (registry_->is_shut_down) {
                    lock.unlock();
                    return free();
                }
                registry_->waiting.push_back(*this);
            }
        }
        auto slot = asio::get_associated_cancellation_slot(*handler_);
        if (slot.is_connected()) {
            slot.assign([this](asio::cancellation_type type) { cancel(kind_of(type)); });
        }
        operation_.start(*this);
    }

    void post_result() {
        if constexpr (
            !has_context) {  // not to the threads of Asio's system_executor, which know nothing of the loop
            event_loop* here = current_loop();
            if (is_confined_ && here != nullptr) return post_to(*here, *this);
        }
        asio::post(*work_, posted(this));
    }

    void cancel(cancel_kind kind) {
        if (!operation_.cancel(kind, *this)) return;
        unregister();
        post_result();
    }

    void unregister() noexcept {
        if (registry_ == nullptr) return;
        const std::lock_guard lock(registry_->mutex);
        if (list_hook<registered_handler>::is_linked()) list_hook<registered_handler>::unlink();
    }

    static void run_or_drop(task& base, task::fate what) {
        auto* self = static_cast<pending*>(static_cast<completion*>(&base));
        if (self->registry_ == nullptr) return what == task::fate::run ? self->complete() : self->free();
        const std::shared_ptr<operation_registry::shared_list> registry = self->registry_;
        const std::lock_guard lock(registry->mutex);
        if (!self->list_hook<registered_handler>::is_linked()) return self->free();  // its context is gone
        self->list_hook<registered_handler>::unlink();
        if (what == task::fate::drop && !self->operation_.poll()) self->operation_.stop_waiting();
        self->post_result();
    }

    // Where the handler belongs. The memory is free before the handler runs, which may start another operation in it.
    void complete() {
        auto slot = asio::get_associated_cancellation_slot(*handler_);
        if (slot.is_connected()) slot.clear();
        operation_.poll();  // takes the result over
        Handler handler(std::move(*handler_));
        Operation completed(std::move(operation_));
        [[maybe_unused]] const std::optional<tracked_executor> work(std::move(work_));
        free();
        if constexpr (requires { handler.take_back(std::move(completed)); }) {
            handler.take_back(std::move(completed));  // wants the whole operation (awaitable.hpp)
        } else {
            const error_code code = completed.error();
            if constexpr (requires { completed.log_lost_text(); }) {
                if (code) completed.log_lost_text();
            }
            if constexpr (std::is_void_v<typename Operation::value_type>) {
                std::move(handler)(code);
            } else {
                std::move(handler)(code, completed.take());
            }
        }
    }

    void abandon() noexcept override {
        handler_.reset();
        work_.reset();
    }

    void free() noexcept {
        allocator from(allocator_);
        this->~pending();
        std::allocator_traits<allocator>::deallocate(from, this, 1);
    }

    allocator allocator_;
    Operation operation_;
    std::optional<Handler> handler_;
    std::optional<tracked_executor> work_;
    std::shared_ptr<operation_registry::shared_list> registry_;
    bool is_confined_ = false;
};

// Starts an operation for a handler. Where the result is there already it is posted: completing inside the initiation
// would overflow the stack in a long loop.
struct initiate {
    template <class Handler, operation Operation>
    void operator()(Handler&& handler, Operation&& awaited) const {
        auto executor = asio::get_associated_executor(handler);
        using started = pending<std::decay_t<Operation>, std::decay_t<Handler>, decltype(executor)>;
        started::start(std::forward<Handler>(handler), std::forward<Operation>(awaited), std::move(executor));
    }
};

// void(error_code, Value), or void(error_code) where there is no value.
template <class Value>
struct signature_of {
    using type = void(error_code, Value);
};
template <>
struct signature_of<void> {
    using type = void(error_code);
};

// What makes a class with the interface above awaitable in all three ways.
template <class Derived, class Value>
class basic_operation {
public:
    using value_type = Value;

    awaiter<Derived> operator co_await() && { return awaiter<Derived>(static_cast<Derived&&>(*this)); }

    template <asio::completion_token_for<typename signature_of<Value>::type> Token>
    auto operator()(Token&& token) && {
        return asio::async_initiate<Token, typename signature_of<Value>::type>(initiate(), token,
                                                                               static_cast<Derived&&>(*this));
    }

    void own_arguments() noexcept {}

    // After poll() said true: the value, or an exception (sluice::error).
    Value value() { return get(static_cast<Derived&>(*this)); }
};

}  // namespace sluice::detail
