#include "sluice/send_operation.hpp"

#include <cerrno>
#include <new>

#include "engine/producer_core.hpp"

namespace sluice {

// Of one that was polled. Once started it stays in place; a result may move.
void send_operation::take_over(send_operation& other) noexcept {
    ensure(other.state_ != state::waiting_here);
    ensure(other.signal_ == nullptr);
    state_ = other.state_;
    wait_status_ = other.wait_status_;
    is_placed_ = other.is_placed_;
    error_ = other.error_;
    message_ = std::move(other.message_);
    accepted_ = std::move(other.accepted_);
    owned_ = std::move(other.owned_);
    staged_ = std::exchange(other.staged_, nullptr);
}

send_operation& send_operation::operator=(send_operation&& other) noexcept {
    if (this == &other) return *this;
    this->~send_operation();
    return *new (this) send_operation(std::move(other));
}

local_send& send_operation::local() noexcept {
    return *std::launder(reinterpret_cast<local_send*>(local_));
}

void send_operation::end_local() noexcept {
    if (std::exchange(has_local_, false)) local().~local_send();
}

void send_operation::withdraw() noexcept {
    end_local();
    if (staged_ == nullptr) return;
    staged_->try_withdraw();
    staged_->event.abandon(signal_);
    std::exchange(staged_, nullptr)->drop_reference();
}

bool send_operation::poll_further() {
    switch (state_) {
        case state::done: return true;
        case state::waiting_here: return false;
        case state::waiting_there: return finish_staged();
        case state::idle: break;
    }
    if (!is_placed_) {
        if (shard* at = core_->here()) {
            const send_status status = try_accept(*at, served_by::nobody);
            if (state_ == state::done) [[likely]] {
                if (is_detached_) accepted_.detach_from_loop();
                return true;
            }
            if (status != send_status::elsewhere) {
                if (is_detached_) core_->stage_here(*this, *at, status);
                wait_status_ = status;
                return false;
            }
            is_placed_ = true;
        }
    }
    core_->stage(*this);
    return state_ == state::done;
}

send_status send_operation::try_accept(shard& at, served_by turn, std::uint64_t behind) {
    shard::refusal why;
    const send_status status = at.try_accept(record_, turn, accepted_, why, behind);
    if (status == send_status::accepted) {
        state_ = state::done;
    } else if (status == send_status::refused) {
        fail(why.error, std::move(why.message));
    } else if (status == send_status::elsewhere) {
        record_.partition = why.partition;
    }
    return status;
}

bool send_operation::finish_staged() {
    if (signal_ != nullptr)
        return false;  // whoever waits is about to be told, and the signal must find us until then
    if (staged_->event.level() < staged_record::decided) return false;
    staged_record& decided = *std::exchange(staged_, nullptr);
    if (decided.current_state() == staged_record::state::accepted) {
        accept(delivery(decided));  // with our reference
        return true;
    }
    fail(decided.error(), decided.message());
    decided.drop_reference();
    return true;
}

void send_operation::start(completion& done) {
    if (state_ == state::waiting_there) return staged_->event.start(staged_record::decided, done, signal_);
    ensure(state_ == state::idle);
    static_assert(sizeof(local_send) <= local_size);
    state_ = state::waiting_here;
    has_local_ = true;
    new (local_) local_send(*core_->here(), *this, done, wait_status_);
}

void send_operation::move_elsewhere(completion& done, time_point started) {
    end_local();
    state_ = state::idle;
    is_placed_ = true;
    core_->stage(*this, started);
    if (state_ == state::done) return event_loop::current()->post(done);
    staged_->event.start(staged_record::decided, done, signal_);
}

bool send_operation::cancel(detail::cancel_kind, completion&) noexcept {
    if (state_ == state::waiting_here) {
        end_local();
    } else if (state_ != state::waiting_there || !staged_->try_withdraw() ||
               !staged_->event.take_back(signal_)) {
        return false;  // decided already
    }
    if (staged_ != nullptr) std::exchange(staged_, nullptr)->drop_reference();
    fail({ECANCELED, boost::system::system_category()});
    return true;
}

void send_operation::stop_waiting() noexcept {
    withdraw();
    fail({ECANCELED, boost::system::system_category()});
}

void send_operation::own_arguments() {
    if (state_ != state::idle || owned_ != nullptr) return;  // staged records are copies anyway
    owned_ = std::make_unique<owning_record>(record_);
    record_ = owned_->view();
}

}  // namespace sluice
