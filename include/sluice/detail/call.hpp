// Calls that ask other threads for something and wait for the answer: flush, close, partitions_for, create.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "sluice/awaitable.hpp"
#include "sluice/log.hpp"

namespace sluice {

class event_loop;
class remote_event;
class remote_signal;

namespace detail {

// What caller and shards share of a call; whoever lets go last frees it.
class call_state {
public:
    call_state();
    virtual ~call_state();
    call_state(const call_state&) = delete;
    call_state& operator=(const call_state&) = delete;

    // On whatever thread the answer is found; once.
    void finish(error_code why = {}, shared_text message_ = {});

    bool is_finished() const noexcept;
    void start(completion& done, remote_signal*& signal);
    bool take_back(remote_signal*& signal) noexcept;
    void abandon(remote_signal*& signal) noexcept;
    void log_lost_text() const;

    // Valid once finished.
    error_code error;
    shared_text message;
    // Where the message goes when whoever waits is told the code alone; nowhere by default.
    log_sink lost_text_log;

private:
    std::unique_ptr<remote_event> event_;
};

template <class Value>
struct call_result : call_state {
    Value value{};
};
template <>
struct call_result<void> : call_state {};

}  // namespace detail

// An operation that begins when it is first polled, and may be awaited anywhere.
//
//   cancellation   total: ignored; terminal or partial: stops waiting (operation_aborted); what was begun goes on
template <class Value>
class call_operation : public detail::basic_operation<call_operation<Value>, Value> {
public:
    using result_type = detail::call_result<Value>;
    using begin_function = std::function<void(const std::shared_ptr<result_type>&)>;

    explicit call_operation(begin_function begin)
        : begin_(std::move(begin)), result_(std::make_shared<result_type>()) {}
    call_operation(call_operation&& other) noexcept
        : begin_(std::move(other.begin_)),
          result_(std::move(other.result_)),
          is_cancelled_(other.is_cancelled_) {}
    call_operation& operator=(call_operation&& other) noexcept {
        std::swap(begin_, other.begin_);
        std::swap(result_, other.result_);
        std::swap(is_cancelled_, other.is_cancelled_);
        return *this;
    }
    ~call_operation() {
        if (result_ != nullptr) result_->abandon(signal_);
    }

    bool poll() {
        if (begin_) std::exchange(begin_, nullptr)(result_);
        return is_cancelled_ || result_->is_finished();
    }
    error_code error() const {
        if (is_cancelled_) return {ECANCELED, boost::system::system_category()};
        return result_->error;
    }
    shared_text message() const { return is_cancelled_ ? shared_text() : result_->message; }
    Value take() {
        if constexpr (!std::is_void_v<Value>) return is_cancelled_ ? Value{} : std::move(result_->value);
    }

    // ---- for whoever awaits (detail/operation.hpp)
    void start(completion& done) { result_->start(done, signal_); }
    bool cancel(detail::cancel_kind kind, completion&) noexcept {
        if (kind == detail::cancel_kind::total || !result_->take_back(signal_)) return false;
        is_cancelled_ = true;
        return true;
    }
    void stop_waiting() noexcept { is_cancelled_ = true; }
    void detach_from_loop() noexcept {}
    void log_lost_text() const { result_->log_lost_text(); }

private:
    begin_function begin_;  // until it has begun
    std::shared_ptr<result_type> result_;
    remote_signal* signal_ = nullptr;
    bool is_cancelled_ = false;
};

}  // namespace sluice
