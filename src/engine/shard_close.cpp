// Flush, close, abort, and the end of the loop.
#include "engine/exchanges.hpp"
#include "engine/producer_core.hpp"
#include "engine/shard.hpp"

#include <limits>

namespace sluice {

// ---- flush

void shard::flush(std::function<void()> done) {
    run_ingress(loop_.now(), std::numeric_limits<std::size_t>::max());
    flushes_.push_back({arrived_, 0, false, std::move(done)});
}

void shard::drain_ingress(std::function<void()> done) {
    run_ingress(loop_.now(), std::numeric_limits<std::size_t>::max());
    ingress_flushes_.push_back({arrived_, 0, false, std::move(done)});
}

// Is every record that was accepted up to then in a batch, or with another shard?
bool shard::is_appended_up_to(std::uint64_t arrival) const noexcept {
    return unappended_.empty() || unappended_.front().arrival > arrival;
}

void shard::check_flushes() {
    while (!ingress_flushes_.empty() && is_appended_up_to(ingress_flushes_.front().arrived)) {
        const auto done = std::move(ingress_flushes_.front().done);
        ingress_flushes_.pop_front();
        done();
    }
    while (!flushes_.empty()) {
        pending_flush& oldest = flushes_.front();
        if (!oldest.has_ordinal) {
            if (!is_appended_up_to(oldest.arrived)) return;
            oldest.has_ordinal = true;
            oldest.ordinal = accumulator_.last_ordinal();
        }
        if (!accumulator_.is_resolved_up_to(oldest.ordinal)) return;
        const auto done = std::move(oldest.done);
        flushes_.pop_front();
        done();
    }
}

// ---- close

void shard::close(time_point deadline, std::function<void()> done) {
    if (phase_ == phase::closed) return done();
    on_closed_.push_back(std::move(done));
    close_deadline_ = std::min(close_deadline_, deadline);
    if (phase_ == phase::running) {
        phase_ = phase::closing;
        fail_callers(errc::closed);
    }
    if (close_deadline_ <= loop_.now() && phase_ == phase::closing) abort();
}

void shard::abort() {
    if (phase_ == phase::aborting || phase_ == phase::closed) return;
    phase_ = phase::aborting;
    close_deadline_ = never;
    fail_callers(errc::closed);
    refuse_staged();
    sender_.fail_all(errc::closed, "the producer was closed forcefully");
    wake_finished();
    close_connections();
    finish_if_quiet();
}

// Those who are not accepted yet (CLS-10).
void shard::fail_callers(error_code why) {
    const shared_text text("the producer was closed while the record waited to be accepted");
    for_each_local_waiter([&](local_send& waiting) { waiting.fail(why, text); });
    const time_point now = loop_.now();
    for (const auto& topic : topics_) serve_topic_waiters(*topic, now);  // others, who see that it ends
}

void shard::for_each_local_waiter(const std::function<void(local_send&)>& act) {
    std::vector<local_send*> waiting;
    const auto add = [&](auto& list) {
        for (auto& each : list) {
            if (auto* local = dynamic_cast<local_send*>(&each)) waiting.push_back(local);
        }
    };
    for (const auto& topic : topics_) {
        add(topic->waiters);
        add(topic->partition_waiters);
    }
    add(yielded_);
    pool_.for_each_waiter([&](memory_waiter& each) {
        if (auto* local = dynamic_cast<local_send*>(&each)) waiting.push_back(local);
    });
    for (local_send* each : waiting) act(*each);
}

// Everything staged, accepted or not: phase `aborting` makes take() refuse it.
void shard::refuse_staged() {
    const time_point now = loop_.now();
    receive_staged(now);
    while (!ingress_.empty()) take(ingress_.front(), served_by::memory, now);
    std::vector<staged_record*> waiting;
    const auto add_one = [&](auto& each) {
        if (auto* staged = dynamic_cast<staged_record::aside_part*>(&each)) waiting.push_back(&staged->of);
    };
    const auto add = [&](auto& list) {
        for (topic_waiter& each : list) add_one(each);
    };
    for (const auto& topic : topics_) {
        add(topic->waiters);
        add(topic->partition_waiters);
    }
    add(yielded_);
    pool_.for_each_waiter(add_one);
    for (staged_record* each : waiting) take(*each, served_by::topic, now);
    if (ingress_waiter_.waits_for_memory()) ingress_waiter_.list_hook<memory_waiter>::unlink();
}

void shard::close_connections() {
    if (index_ == 0) core_.home().stop();
    for (auto& [id, each] : connections_) {
        static_cast<void>(id);
        each->close(errc::closed, "the producer is closed", loop_.now());
    }
}

// Graceful: when everything accepted has its result, the connections go, and then the shard.
void shard::advance_closing(time_point now) {
    if (phase_ == phase::closed) return;
    if (phase_ == phase::closing) {
        if (!accumulator_.is_empty() || !ingress_.empty() || !unappended_.empty() || !may_end_) return;
        // Nothing waits that could be sent; what other threads push now is refused.
        phase_ = phase::aborting;
        fail_callers(errc::closed);
        refuse_staged();
        wake_finished();
        close_connections();
    }
    static_cast<void>(now);
    finish_if_quiet();
}

bool shard::is_quiet() const noexcept {
    for (const auto& [id, each] : connections_) {
        static_cast<void>(id);
        if (!each->is_idle()) return false;
    }
    return idle_exchanges_.size() == exchanges_.size() && accumulator_.batch_count() == 0 &&
           !accumulator_.has_finished() && (identity_ == nullptr || !identity_->is_under_way) &&
           (index_ != 0 || core_.home().is_idle());
}

void shard::finish_if_quiet() {
    if (phase_ != phase::aborting || final_task_.is_queued()) return;
    wake_finished();
    if (is_quiet()) loop_.post(final_task_);
}

// The last that a shard does. Afterwards it may be destroyed, by whatever it calls.
void shard::end() {
    if (!is_quiet()) return;  // something came in between: it will be tried again
    phase_ = phase::closed;
    seal();
    check_flushes();
    connections_.clear();
    if (index_ == 0) core_.end_bootstrap();
    names_.reset();  // answers to this loop, which may end before the other shards do
    if (credit_chunks_ != 0) pool_.unreserve(std::exchange(credit_chunks_, 0));
    loop_.leave(*this);
    const std::vector<std::function<void()>> closed = std::move(on_closed_);
    const std::shared_ptr<producer_core> keep = core_.shared_from_this();
    for (const auto& each : closed) each();
    keep->on_shard_closed();
}

void shard::end_unjoined() {
    phase_ = phase::closed;
    seal();
    names_.reset();
    core_.on_shard_closed();
}

// No message gets in any more; what just did is answered.
void shard::seal() {
    for (staged_record* next = pushed_.seal(); next != nullptr;) {
        staged_record& staged = *next;
        next = mpsc_queue<staged_record>::next(staged);
        staged.at = this;
        staged.loop = &loop_;
        refuse(staged, errc::closed, shared_text("the producer is closed"));
    }
    tell_refused();
    for (control_message* next = control_.seal(); next != nullptr;) {
        const std::unique_ptr<control_message> message(next);
        next = mpsc_queue<control_message>::next(*message);
        message->run(*this);
    }
}

// ---- the loop ends under us

void shard::abandon() noexcept {
    if (phase_ == phase::closed) return;
    core_.on_abandoned();
    for_each_local_waiter([](local_send& waiting) { waiting.drop(); });
    if (phase_ != phase::aborting) abort();
    finish_if_quiet();
}

void local_send::drop() {
    leave_queues();
    shard_.loop_.cancel_timer(deadline_);
    done_.drop();
}

}  // namespace sluice
