#include "engine/remote_event.hpp"

#include "base/ensure.hpp"

namespace sluice {

remote_signal::remote_signal(remote_event& event, completion& done, remote_signal*& slot)
    : gated_task(&run_or_drop), event_(&event), done_(&done), slot_(&slot) {
    slot = this;
    if (event_loop* here = event_loop::current()) {
        gate_ = here->gate();
        gate_->add(*this);
    }
}

void remote_signal::run_or_drop(task& self, fate what) {
    auto* signal = static_cast<remote_signal*>(static_cast<gated_task*>(static_cast<remote_task*>(&self)));
    completion* done = std::exchange(signal->done_, nullptr);
    if (done != nullptr) *signal->slot_ = nullptr;
    // Dropped while it waits in the slot, it belongs to whoever takes it out.
    const bool is_last = signal->is_posted || signal->event_->take_waiting() == signal;
    if (is_last) delete signal;
    if (done == nullptr) return;
    what == fate::run ? done->run() : done->drop();
}

void remote_event::set(std::uint8_t level, event_loop* on) noexcept {
    const std::uintptr_t before = state_.exchange(level, std::memory_order_acq_rel);
    ensure(level > (before & level_mask));
    remote_signal* woken = waiting_in(before);
    if (woken == nullptr) return;
    const std::shared_ptr<loop_gate> gate = woken->gate_;
    if (gate == nullptr) {
        ensure(on != nullptr);
        woken->is_posted = true;
        on->post(*woken);
    } else if (!gate->post(*woken)) {
        delete woken;  // its loop has ended, and has dropped it
    }
}

void remote_event::start(std::uint8_t level, completion& done, remote_signal*& signal) {
    auto* made = new remote_signal(*this, done, signal);
    std::uintptr_t seen = state_.load(std::memory_order_acquire);
    while ((seen & level_mask) < level) {
        const std::uintptr_t waiting = reinterpret_cast<std::uintptr_t>(made) | (seen & level_mask);
        if (state_.compare_exchange_weak(seen, waiting, std::memory_order_acq_rel, std::memory_order_acquire))
            return;
    }
    // It happened just now.
    if (made->gate_ != nullptr) made->gate_->remove(*made);
    made->is_posted = true;
    if (event_loop* here = event_loop::current()) {
        here->post(*made);
    } else {
        made->run();
    }
}

bool remote_event::take_back(remote_signal*& signal) noexcept {
    if (signal == nullptr) return false;
    if (take_waiting() != signal) return false;
    if (signal->gate_ != nullptr) signal->gate_->remove(*signal);
    delete std::exchange(signal, nullptr);
    return true;
}

void remote_event::abandon(remote_signal*& signal) noexcept {
    if (signal == nullptr || take_back(signal)) return;
    // On its way here: it will find nobody.
    signal->done_ = nullptr;
    signal = nullptr;
}

}  // namespace sluice
