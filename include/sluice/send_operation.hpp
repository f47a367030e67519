// The first phase of a send: acceptance.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>

#include "sluice/awaitable.hpp"
#include "sluice/delivery.hpp"
#include "sluice/record.hpp"

namespace sluice {

class local_send;
class producer_core;
class shard;
enum class send_status : std::uint8_t;
enum class served_by : std::uint8_t;

// What producer::send() gives. Completes when the record is accepted, with its delivery.
//
//   completion     void(error_code, delivery). At once where the topic is known and memory is free; else it waits, first in,
//                  first out, at most max.block.ms (or until the call's deadline).
//   cancellation   before acceptance, of any kind: operation_aborted, and the record is never sent. Destroying the
//                  operation, or the coroutine that awaits it, is the same.
//   errors         errc::metadata_timeout, memory_timeout, call_timeout, record_too_large, invalid_record, closed;
//                  broker_errc::invalid_topic_exception, topic_authorization_failed
//
// Thread rules: one thread at a time. On a loop of the producer the record goes to the shard of that loop without an
// atomic; from elsewhere it is copied and pushed to the shard that owns its partition.
// Lifetime: the producer outlives it. What the record views must live until acceptance; started with a callback or a
// future, the record is copied if it has to wait.
class send_operation : public detail::basic_operation<send_operation, delivery> {
public:
    using time_point = std::chrono::steady_clock::time_point;
    using awaited_in_place = void;

    send_operation(producer_core* core, const record& sent, time_point deadline) noexcept
        : core_(core), record_(detail::copy_apart(sent)), deadline_(deadline) {}
    send_operation(send_operation&& other) noexcept
        : core_(other.core_),
          record_(detail::copy_apart(other.record_)),
          deadline_(other.deadline_),
          is_detached_(other.is_detached_) {
        if (other.state_ != state::idle || other.owned_ != nullptr) [[unlikely]]
            take_over(other);
    }
    send_operation& operator=(send_operation&& other) noexcept;
    ~send_operation() {
        if (staged_ != nullptr || has_local_) [[unlikely]]
            withdraw();
    }

    bool poll() { return state_ == state::done || poll_further(); }
    error_code error() const noexcept { return error_; }
    shared_text message() const noexcept { return message_; }
    delivery take() noexcept { return std::move(accepted_); }
    // Of the record, for errors that name it.
    std::string_view topic_name() const noexcept { return record_.topic.name(); }
    std::int32_t partition() const noexcept { return record_.partition; }

    // ---- for whoever awaits (detail/operation.hpp)
    void start(completion& done);
    bool cancel(detail::cancel_kind kind, completion& done) noexcept;
    void stop_waiting() noexcept;
    void detach_from_loop() noexcept { is_detached_ = true; }
    void own_arguments();

private:
    friend class shard;
    friend class local_send;
    friend class producer_core;
    enum class state : std::uint8_t { idle, done, waiting_here, waiting_there };
    static constexpr std::size_t local_size = 192;

    void fail(error_code why, shared_text message = {}) noexcept {
        state_ = state::done;
        error_ = why;
        message_ = std::move(message);
    }
    void accept(delivery accepted) noexcept {
        state_ = state::done;
        accepted_ = std::move(accepted);
    }
    bool poll_further();
    void withdraw() noexcept;
    void take_over(send_operation& other) noexcept;
    send_status try_accept(shard& at, served_by turn, std::uint64_t behind = 0);
    bool finish_staged();
    // Another shard owns the partition; called by the local_send, which ends here.
    void move_elsewhere(completion& done, time_point started);
    local_send& local() noexcept;
    void end_local() noexcept;

    producer_core* core_;
    record record_;
    time_point deadline_;  // of this call; max(): max.block.ms alone
    state state_ = state::idle;
    send_status wait_status_{};  // between poll() and start()
    bool has_local_ = false;
    bool is_detached_ = false;
    bool is_placed_ = false;  // the partition is chosen; another shard owns it
    error_code error_;
    shared_text message_;
    delivery accepted_;
    std::unique_ptr<owning_record> owned_;
    staged_record* staged_ = nullptr;  // while it waits at another thread's shard
    remote_signal* signal_ = nullptr;
    alignas(std::max_align_t)
        std::byte local_[local_size];  // a local_send, while it waits at this thread's shard
};

}  // namespace sluice
