#include "loop/loop_gate.hpp"

#include "loop/event_loop.hpp"

namespace sluice {

void loop_gate::add(gated_task& waiting) {
    const std::lock_guard lock(mutex_);
    ensure(loop_ != nullptr);
    waiting_.push_back(waiting);
}

void loop_gate::remove(gated_task& waiting) noexcept {
    const std::lock_guard lock(mutex_);
    if (waiting.list_hook<gated_task>::is_linked()) waiting.list_hook<gated_task>::unlink();
}

bool loop_gate::post(gated_task& ready) noexcept {
    const std::lock_guard lock(mutex_);
    if (loop_ == nullptr) return false;
    ready.list_hook<gated_task>::unlink();
    ready.is_posted = true;
    loop_->post_remote(ready);
    return true;
}

void loop_gate::close() noexcept {
    list_of<gated_task, gated_task> left;
    {
        const std::lock_guard lock(mutex_);
        loop_ = nullptr;
        left.splice(left.end(), waiting_);
    }
    while (!left.empty()) {
        gated_task& dropped = left.front();
        left.pop_front();
        dropped.drop();
    }
}

}  // namespace sluice
