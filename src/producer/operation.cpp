#include "sluice/detail/operation.hpp"

#include "base/log.hpp"
#include "engine/remote_event.hpp"
#include "sluice/detail/call.hpp"

namespace sluice::detail {

void throw_error(error_code code, const shared_text& message) {
    std::string text(message.view());
    if (text.empty()) text = code.message();
    throw error(code, std::move(text));
}

event_loop* current_loop() noexcept {
    return event_loop::current();
}
void post_to(event_loop& on, completion& done) noexcept {
    on.post(done);
}

// ---- handlers in other contexts

asio::execution_context::id operation_registry::id;

operation_registry::operation_registry(asio::execution_context& context)
    : asio::execution_context::service(context), list_(std::make_shared<shared_list>()) {}

operation_registry::~operation_registry() = default;

void operation_registry::shutdown() {
    const std::shared_ptr<shared_list> list = list_;
    const std::lock_guard lock(list->mutex);
    list->is_shut_down = true;
    while (!list->waiting.empty()) {
        registered_handler& left = list->waiting.front();
        list->waiting.pop_front();
        left.abandon();
    }
}

// ---- calls

call_state::call_state() : event_(std::make_unique<remote_event>()) {}
call_state::~call_state() = default;

void call_state::finish(error_code why, shared_text message_) {
    error = why;
    message = std::move(message_);
    event_->set(1, event_loop::current());
}

bool call_state::is_finished() const noexcept {
    return event_->level() != 0;
}
void call_state::start(completion& done, remote_signal*& signal) {
    event_->start(1, done, signal);
}
bool call_state::take_back(remote_signal*& signal) noexcept {
    return event_->take_back(signal);
}
void call_state::abandon(remote_signal*& signal) noexcept {
    event_->abandon(signal);
}
void call_state::log_lost_text() const {
    if (!message.view().empty()) logger(lost_text_log).warning("{}: {}", error.message(), message.view());
}

}  // namespace sluice::detail
