#include "sluice/deliver_operation.hpp"

namespace sluice {

bool deliver_operation::poll() {
    if (!is_accepted_) {
        if (!sending_.poll()) return false;
        if (sending_.error()) return true;
        delivery_ = sending_.take();
        is_accepted_ = true;
    }
    return delivery_.poll();
}

error_code deliver_operation::error() noexcept {
    return is_accepted_ ? delivery_.error() : sending_.error();
}

shared_text deliver_operation::message() {
    return is_accepted_ ? delivery_.message() : sending_.message();
}

record_metadata deliver_operation::take() {
    if (is_accepted_) return delivery_.take();
    record_metadata refused;
    refused.topic = shared_text(sending_.topic_name());
    refused.partition = sending_.partition();
    refused.message = sending_.message();
    return refused;
}

void deliver_operation::start(completion& done) {
    if (is_accepted_) return delivery_.start(done);
    first_phase_.done = &done;
    sending_.start(first_phase_);
}

void deliver_operation::first_phase::run_or_drop(task& self, fate what) {
    auto& phase = static_cast<first_phase&>(self);
    completion& next = *std::exchange(phase.done, nullptr);
    if (what == fate::drop) return next.drop();
    if (phase.of.poll()) return next.run();
    phase.of.delivery_.start(next);
}

bool deliver_operation::cancel(detail::cancel_kind kind, completion& done) noexcept {
    if (first_phase_.done != nullptr) return sending_.cancel(kind, first_phase_);
    return is_accepted_ && delivery_.cancel(kind, done);
}

}  // namespace sluice
