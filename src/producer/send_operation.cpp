#include "sluice/send_operation.hpp"

#include <cerrno>
#include <new>

#include "engine/producer_core.hpp"

namespace sluice {

send_operation::send_operation(send_operation&& other) noexcept
    : core_(other.core_), record_(other.record_), deadline_(other.deadline_), state_(other.state_),
      wait_status_(other.wait_status_), is_detached_(other.is_detached_), is_placed_(other.is_placed_),
      error_(other.error_), message_(std::move(other.message_)), accepted_(std::move(other.accepted_)),
      owned_(std::move(other.owned_)), staged_(std::exchange(other.staged_, nullptr)) {
    // Once started it stays in place; a result may move.
    ensure(other.state_ != state::waiting_here);
    ensure(other.signal_ == nullptr);
}

send_operation& send_operation::operator=(send_operation&& other) noexcept {
    if (this == &other) return *this;
    this->~send_operation();
    return *new (this) send_operation(std::move(other));
}

send_operation::~send_operation() {
    if (staged_ != nullptr || has_local_) withdraw();
}

local_send& send_operation::local() noexcept { return *std::launder(reinterpret_cast<local_send*>(local_)); }

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

bool send_operation::poll() {
    switch (state_) {
        case state::done: return true;
        case state::waiting_here: return false;
        case state::waiting_there: return finish_staged();
        case state::idle: break;
    }
    if (!is_detached_ && !is_placed_) {
        if (shard* at = core_->here()) {
            const shard::send_status status = at->try_send(*this, shard::served_by::nobody);
            if (status == shard::send_status::done) [[likely]] return true;
            wait_status_ = static_cast<std::uint8_t>(status);
            if (status != shard::send_status::elsewhere) return false;
            is_placed_ = true;
        }
    }
    core_->stage(*this);
    return state_ == state::done;
}

bool send_operation::finish_staged() {
    if (staged_->event.level() < staged_record::decided) return false;
    staged_record& decided = *std::exchange(staged_, nullptr);
    if (decided.current_state() == staged_record::state::accepted) {
        accept(delivery(decided));  // with our reference
        return true;
    }
    fail(decided.error, decided.message);
    decided.drop_reference();
    return true;
}

void send_operation::start(completion& done) {
    if (state_ == state::waiting_there) return staged_->event.start(staged_record::decided, done, signal_);
    ensure(state_ == state::idle);
    static_assert(sizeof(local_send) <= local_size);
    state_ = state::waiting_here;
    has_local_ = true;
    new (local_) local_send(*core_->here(), *this, done, static_cast<shard::send_status>(wait_status_));
}

void send_operation::move_elsewhere(completion& done) {
    end_local();
    state_ = state::idle;
    is_placed_ = true;
    core_->stage(*this);
    if (state_ == state::done) return event_loop::current()->post(done);
    staged_->event.start(staged_record::decided, done, signal_);
}

bool send_operation::cancel(detail::cancel_kind, completion&) noexcept {
    if (state_ == state::waiting_here) {
        end_local();
    } else if (state_ != state::waiting_there || !staged_->try_withdraw() || !staged_->event.take_back(signal_)) {
        return false;  // decided already
    }
    if (staged_ != nullptr) std::exchange(staged_, nullptr)->drop_reference();
    fail({ECANCELED, boost::system::system_category()});
    return true;
}

void send_operation::own_arguments() {
    if (state_ != state::idle || owned_ != nullptr) return;  // staged records are copies anyway
    owned_ = std::make_unique<owning_record>(record_);
    record_ = owned_->view();
}

}  // namespace sluice
