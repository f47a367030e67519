// One call of the producer on its way, awaited in one of the ways that users have, and given up in any of them.
//
//   raw           poll(), start(), cancel(): the protocol below all others
//   native        co_await in a coroutine type of our own; its frame may be destroyed while it waits
//   coroutine     co_await in asio::awaitable: throws, or gives a tuple
//   callback      a completion handler, on this loop or on another executor
//
// Whoever is resumed twice, or before the result is there, or after giving up, is told to `complain`.
//
// Owner: one schedule. Everything on the place (loop, or none) where the call began.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <coroutine>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

#include "sluice/producer.hpp"

namespace sluice::simulation {

namespace asio = boost::asio;

template <class Operation>
using value_of = std::conditional_t<std::is_void_v<typename Operation::value_type>, std::monostate,
                                    typename Operation::value_type>;

// What a call tells. `knows_value`: false after an exception, which carries the code alone.
template <class Operation>
struct call_events {
    std::function<bool()> may_begin = [] { return true; };  // false: the producer has gone meanwhile
    std::function<void()> begins = [] {};                   // the next thing is its first poll()
    std::function<void(error_code why, value_of<Operation> value, bool knows_value)> ends;
    std::function<void(std::string what)> complain;
};

class running_call {
public:
    running_call() = default;
    running_call(const running_call&) = delete;
    running_call& operator=(const running_call&) = delete;
    virtual ~running_call() = default;

    virtual void start() = 0;
    // May end it at once.
    virtual void cancel(detail::cancel_kind kind) = 0;
    // Whether destroying this object takes the call back; else it goes on without us.
    virtual bool can_destroy() const { return false; }
    // Whether the result is there, though nobody may have been told yet; if it can be asked.
    virtual bool can_ask() const { return false; }
    virtual bool has_result() { return is_over_; }
    bool is_over() const noexcept { return is_over_; }

    std::string name;                           // "send #12"
    int place = 0;                              // where it began
    std::uint64_t subject = ~std::uint64_t{0};  // the record that it is about
    bool awaits_delivery = false;
    bool is_confined = false;  // begins and ends on one loop

protected:
    bool is_over_ = false;  // ended, or let go of by a loop that ended
};

// What is left of one that was destroyed.
class ended_call final : public running_call {
public:
    ended_call() { is_over_ = true; }
    void start() override {}
    void cancel(detail::cancel_kind) override {}
};

// ---- raw

template <class Operation>
class raw_call final : public running_call, completion {
public:
    raw_call(Operation operation, call_events<Operation> events)
        : completion(&resume), operation_(std::move(operation)), events_(std::move(events)) {}

    void start() override {
        events_.begins();
        if (operation_.poll()) return end();
        is_waiting_ = true;
        operation_.start(*this);
    }
    void cancel(detail::cancel_kind kind) override {
        if (!is_waiting_ || !operation_.cancel(kind, *this)) return;
        is_waiting_ = false;
        if (!operation_.poll()) events_.complain(name + " was cancelled and is not over");
        if (operation_.error() != asio::error::operation_aborted) {
            events_.complain(name + " was cancelled and says " + operation_.error().message());
        }
        end();
    }
    bool can_destroy() const override { return true; }
    bool can_ask() const override { return is_waiting_ || is_over_; }
    bool has_result() override { return is_over_ || operation_.poll(); }

private:
    static void resume(task& base, fate what) {
        auto& self = static_cast<raw_call&>(static_cast<completion&>(base));
        if (!self.is_waiting_) self.events_.complain(self.name + " was resumed and did not wait");
        self.is_waiting_ = false;
        if (what == fate::drop) {
            self.is_over_ = true;
            if (!self.operation_.poll()) self.operation_.stop_waiting();
            return;
        }
        if (!self.operation_.poll())
            return self.events_.complain(self.name + " was resumed without a result");
        self.end();
    }
    void end() {
        if (is_over_) return events_.complain(name + " ended twice");
        is_over_ = true;
        const error_code why = operation_.error();
        if constexpr (std::is_void_v<typename Operation::value_type>) {
            events_.ends(why, {}, true);
        } else {
            events_.ends(why, operation_.take(), true);
        }
    }

    Operation operation_;
    call_events<Operation> events_;
    bool is_waiting_ = false;
};

// ---- native

struct native_coroutine {
    struct promise_type {
        native_coroutine get_return_object() {
            return {std::coroutine_handle<promise_type>::from_promise(*this)};
        }
        std::suspend_always initial_suspend() noexcept { return {}; }
        std::suspend_always final_suspend() noexcept { return {}; }
        void unhandled_exception() noexcept { std::terminate(); }
        void return_void() noexcept {}
    };
    std::coroutine_handle<promise_type> handle;
};

// `events` and `is_over` are the running_call's, which destroys this frame.
template <class Operation>
native_coroutine await_natively(Operation operation, call_events<Operation>* events, bool* is_over) {
    error_code why;
    value_of<Operation> value{};
    events->begins();
    try {
        if constexpr (std::is_void_v<typename Operation::value_type>) {
            co_await std::move(operation);
        } else {
            value = co_await std::move(operation);
        }
    } catch (const boost::system::system_error& thrown) {
        why = thrown.code();
    }
    if (std::exchange(*is_over, true)) events->complain("a coroutine was resumed twice");
    events->ends(why, std::move(value), !why);
}

template <class Operation>
class native_call final : public running_call {
public:
    native_call(Operation operation, call_events<Operation> events) : events_(std::move(events)) {
        handle_ = await_natively<Operation>(std::move(operation), &events_, &is_over_).handle;
    }
    ~native_call() override { handle_.destroy(); }
    void start() override { handle_.resume(); }
    void cancel(detail::cancel_kind) override {}
    bool can_destroy() const override { return true; }

private:
    call_events<Operation> events_;
    std::coroutine_handle<> handle_;
};

// ---- Asio

// What outlives the running_call, since handlers and coroutines of Asio cannot be taken back.
template <class Operation>
struct shared_call {
    explicit shared_call(call_events<Operation> events_) : events(std::move(events_)) {}
    void end(error_code why, value_of<Operation> value, bool knows_value) {
        if (std::exchange(is_over, true)) return events.complain(name + " ended twice");
        events.ends(why, std::move(value), knows_value);
    }
    call_events<Operation> events;
    asio::cancellation_signal signal;
    std::string name;
    bool is_over = false;
};

inline asio::cancellation_type type_of(detail::cancel_kind kind) noexcept {
    return kind == detail::cancel_kind::total ? asio::cancellation_type::total
                                              : asio::cancellation_type::terminal;
}

// With little optimisation g++ 12 does not know which operator new a coroutine has.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
#endif
template <class Operation, class Executor>
asio::awaitable<void, Executor> await_with_asio(Operation operation,
                                                std::shared_ptr<shared_call<Operation>> shared,
                                                bool as_tuple) {
    co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
    if (!shared->events.may_begin()) co_return;
    error_code why;
    value_of<Operation> value{};
    bool knows_value = true;
    shared->events.begins();
    try {
        if (as_tuple) {
            constexpr asio::use_awaitable_t<Executor> awaitable{};
            if constexpr (std::is_void_v<typename Operation::value_type>) {
                auto [error] = co_await std::move(operation)(asio::as_tuple(awaitable));
                why = error;
            } else {
                auto [error, got] = co_await std::move(operation)(asio::as_tuple(awaitable));
                why = error;
                value = std::move(got);
            }
        } else if constexpr (std::is_void_v<typename Operation::value_type>) {
            co_await std::move(operation);
        } else {
            value = co_await std::move(operation);
        }
    } catch (const boost::system::system_error& thrown) {
        why = thrown.code();
        knows_value = false;
    }
    shared->end(why, std::move(value), knows_value);
}
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

template <class Operation>
call_events<Operation> noting_the_end(call_events<Operation> events, bool& is_over) {
    events.ends = [&is_over, ends = std::move(events.ends)](error_code why, value_of<Operation> value,
                                                            bool knows) {
        is_over = true;
        ends(why, std::move(value), knows);
    };
    return events;
}

template <class Operation, class Executor>
class coroutine_call final : public running_call {
public:
    coroutine_call(Operation operation, call_events<Operation> events, Executor executor, bool as_tuple)
        : operation_(std::move(operation)),
          executor_(std::move(executor)),
          as_tuple_(as_tuple),
          shared_(std::make_shared<shared_call<Operation>>(noting_the_end(std::move(events), is_over_))) {}
    void start() override {
        shared_->name = name;
        auto slot = shared_->signal.slot();
        auto coroutine =
            await_with_asio<Operation, asio::any_io_executor>(std::move(operation_), shared_, as_tuple_);
        asio::co_spawn(executor_, std::move(coroutine), asio::bind_cancellation_slot(slot, asio::detached));
    }
    void cancel(detail::cancel_kind kind) override { shared_->signal.emit(type_of(kind)); }

private:
    Operation operation_;
    Executor executor_;
    bool as_tuple_;
    std::shared_ptr<shared_call<Operation>> shared_;
};

template <class Operation, class Executor>
class callback_call final : public running_call {
public:
    callback_call(Operation operation, call_events<Operation> events, Executor executor)
        : operation_(std::move(operation)),
          executor_(std::move(executor)),
          shared_(std::make_shared<shared_call<Operation>>(noting_the_end(std::move(events), is_over_))) {}
    void start() override {
        shared_->name = name;
        shared_->events.begins();
        auto slot = shared_->signal.slot();
        if constexpr (std::is_void_v<typename Operation::value_type>) {
            auto handler = [shared = shared_](error_code why) { shared->end(why, {}, true); };
            std::move(operation_)(
                asio::bind_executor(executor_, asio::bind_cancellation_slot(slot, std::move(handler))));
        } else {
            auto handler = [shared = shared_](error_code why, typename Operation::value_type value) {
                shared->end(why, std::move(value), true);
            };
            std::move(operation_)(
                asio::bind_executor(executor_, asio::bind_cancellation_slot(slot, std::move(handler))));
        }
    }
    void cancel(detail::cancel_kind kind) override { shared_->signal.emit(type_of(kind)); }

private:
    Operation operation_;
    Executor executor_;
    std::shared_ptr<shared_call<Operation>> shared_;
};

}  // namespace sluice::simulation
