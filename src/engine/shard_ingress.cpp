// Records from other threads and loops, in the order in which they were pushed.
#include <fmt/format.h>

#include <algorithm>

#include "engine/producer_core.hpp"
#include "engine/shard.hpp"
#include "partitioner/murmur2.hpp"

namespace sluice {
namespace {

constexpr std::size_t credit_bytes_max = 2 * 1024 * 1024;  // of staged records that no batch has yet

}  // namespace

// ---- any thread

bool shard::try_pay(staged_record& staged) noexcept {
    const auto wanted = static_cast<std::int64_t>(staged.size_bytes());
    std::int64_t left = credit_.load(std::memory_order_relaxed);
    do {
        if (left < wanted) return false;
    } while (!credit_.compare_exchange_weak(left, left - wanted, std::memory_order_relaxed));
    staged.paid_credit = static_cast<std::uint32_t>(wanted);
    staged.mark_accepted();
    return true;
}

bool shard::push(staged_record& staged) noexcept {
    if (!pushed_.push(staged)) return false;
    loop_.ring();
    return true;
}

// ---- on the loop

void shard::receive_staged(time_point now) {
    for (staged_record* next = pushed_.take_all(); next != nullptr;) {
        staged_record& staged = *next;
        next = mpsc_queue<staged_record>::next(staged);
        adopt(staged, now);
        ingress_.push_back(staged);
        if (staged.current_state() == staged_record::state::accepted) {
            unappended_.push_back(staged);
        } else {
            lend_credit();
        }
    }
}

// It is the shard's now, until it is in a batch, forwarded or refused.
void shard::adopt(staged_record& staged, time_point now) {
    staged.at = this;
    staged.loop = &loop_;
    staged.arrival = ++arrived_;
    staged.is_local = false;
    if (staged.started == time_point{}) staged.started = now;
    if (staged.current_state() == staged_record::state::accepted) return;
    const time_point by_config = after(staged.started, core_.config().max_block);
    staged_record::aside_part& waiting = staged.aside();
    waiting.has_call_deadline = waiting.give_up_at < by_config;
    waiting.give_up_at = std::min(waiting.give_up_at, by_config);
    loop_.set_timer(waiting, waiting.give_up_at);
}

void shard::wait_here(staged_record& staged, send_status why) {
    using enum send_status;
    adopt(staged, loop_.now());
    staged.is_local = true;
    switch (why) {
        case wait_topic: topic(*staged.topic).waiters.push_back(staged.aside()); return;
        case wait_partition: topic(*staged.topic).partition_waiters.push_back(staged.aside()); return;
        case wait_turn: yielded_.push_back(staged.aside()); return;
        case wait_memory: pool_.wait(staged.aside()); return;
        case accepted:
        case refused:
        case elsewhere: break;
    }
    ensure(false);
}

// A caller on this loop comes after everything that was accepted before it called. Where that is too much for this turn, or
// may depend on a message that is not heard yet, callers go on in the next one.
void shard::catch_up() {
    if (!control_.empty()) turn_sends_ = turn_sends_max;
    receive_staged(loop_.now());
    if (!is_turn_spent()) turn_bytes_ += run_ingress(loop_.now(), turn_bytes_max - turn_bytes_);
}

// False if one of them still waits.
bool shard::take_ingress_up_to(std::uint64_t arrival, time_point now) {
    while (has_ingress_up_to(arrival)) {
        if (take(ingress_.front(), served_by::memory, now) == take_status::wait_memory) return false;
    }
    return true;
}

std::size_t shard::run_ingress(time_point now, std::size_t budget_bytes) {
    std::size_t taken_bytes = 0;
    if (ingress_waiter_.waits_for_memory()) return taken_bytes;
    while (!ingress_.empty() && taken_bytes < budget_bytes) {
        staged_record& head = ingress_.front();
        taken_bytes += head.size_bytes();
        if (take(head, served_by::nobody, now) != take_status::wait_memory) continue;
        pool_.wait(ingress_waiter_);
        break;
    }
    return taken_bytes;
}

// The head waits for memory on behalf of all that is behind it, last of all waiters: each of them serves what is staged and
// arrived before it, before it serves itself.
bool shard::ingress_waiter::serve_memory(time_point now) {
    if (!of.ingress_.empty() &&
        of.take(of.ingress_.front(), served_by::memory, now) == take_status::wait_memory)
        return false;
    list_hook<memory_waiter>::unlink();
    return true;  // what is behind it gets its turn with the next messages, behind whoever waits then
}

// Off wherever it waits for its turn, its topic or memory.
void shard::leave_waiting(staged_record& staged) noexcept {
    if (staged.list_hook<ingress_tag>::is_linked()) staged.list_hook<ingress_tag>::unlink();
    staged_record::aside_part* const waiting = staged.aside_if_any();
    if (waiting == nullptr) return;
    if (waiting->waits_for_topic()) waiting->list_hook<topic_waiter>::unlink();
    if (waiting->waits_for_memory()) waiting->list_hook<memory_waiter>::unlink();
}

// Off every queue of the shard; the references stay.
void shard::leave_queues(staged_record& staged) noexcept {
    leave_waiting(staged);
    if (staged.list_hook<unappended_tag>::is_linked()) staged.list_hook<unappended_tag>::unlink();
    if (staged_record::aside_part* const waiting = staged.aside_if_any()) loop_.cancel_timer(*waiting);
}

// Takes a staged record as far as it gets: into a batch, to another shard, or onto the queue of its topic. `gone`: it was
// withdrawn, refused or forwarded. After all but wait_memory it is off the ingress.
shard::take_status shard::take(staged_record& staged, served_by turn, time_point now) {
    using state = staged_record::state;
    if (staged.current_state() == state::withdrawn) {
        leave_queues(staged);
        settle_route(staged);
        staged.drop_reference();
        return take_status::gone;
    }
    const bool is_accepted = staged.current_state() == state::accepted;
    if (phase_ == phase::aborting || (phase_ == phase::closing && !is_accepted)) {
        refuse(staged, errc::closed, shared_text("the producer is closed"));
        return take_status::gone;
    }
    shard_topic& to = topic(*staged.topic);
    const auto wait_in = [&](auto& waiters) {
        leave_waiting(staged);
        wait_by_arrival(waiters, staged.aside());
        return take_status::wait_topic;
    };
    if (!to.is_known() || (turn == served_by::nobody && !to.waiters.empty())) {
        if (const error_code hopeless = to.hopeless_error()) {
            refuse(staged, hopeless, hopeless_text(to));
            return take_status::gone;
        }
        want(to, now);
        return wait_in(to.waiters);
    }
    const record_parts parts = staged.parts();
    if (staged.is_routed && staged.partition == any_partition && parts.key.is_null() && to.is_sticky_local &&
        staged.home != index_) {
        forward(staged, core_.at(staged.home));  // the thread's own home shard chooses
        return take_status::gone;
    }
    if (staged.is_open && staged.partition >= to.partition_count())
        staged.partition = any_partition;  // chosen before the topic shrank
    // Accepted here while each shard chose among its own partitions: it stays, for elsewhere it would come too late.
    if (is_accepted && staged.partition == any_partition && parts.key.is_null() && !to.is_sticky_local)
        staged.partition = any_of_own(to);
    const placement placed = place(to, staged.partition, parts.key);
    if (placed.status == send_status::wait_topic) {
        core_.want_update(*this);
        return wait_in(to.partition_waiters);
    }
    if (placed.status == send_status::elsewhere) {
        staged.partition = placed.partition;
        forward(staged, core_.at(to.entry->owner_of(placed.partition, core_.shard_count())));
        return take_status::gone;
    }
    if (const error_code too_large = check_size(staged.content_size())) {
        refuse(staged, too_large, size_text(to.name(), staged.content_size()));
        return take_status::gone;
    }
    if (turn != served_by::memory && pool_.has_waiters()) return take_status::wait_memory;
    if (turn == served_by::topic && has_ingress_up_to(staged.arrival)) return take_status::wait_turn;
    // Whether it is withdrawn is decided once, and then it goes in: so the memory must be there before.
    if (!is_accepted && pool_.free_chunks() < accumulator_.chunks_needed(staged.content_size())) {
        return take_status::wait_memory;
    }
    if (!is_accepted && !staged.try_decide(state::accepted))
        return take(staged, turn, now);  // withdrawn just now

    staged.timestamp =
        parts.timestamp == time_of_send ? static_cast<std::int64_t>(loop_.wall_now()) : parts.timestamp;
    std::int32_t partition = placed.partition;
    const shard_accumulator::appended done =
        append(to, partition, parts, staged.timestamp, staged.content_size());
    if (done.result == nullptr) return take_status::wait_memory;
    leave_queues(staged);
    settle_route(staged);
    staged.free_bytes();
    give_back_credit(staged);
    if (!is_accepted) staged.event.set(staged_record::decided, &loop_);
    note_appended(staged, done);
    return take_status::appended;
}

// The delivery, if somebody still holds it, waits in the batch's result block.
void shard::note_appended(staged_record& staged, const shard_accumulator::appended& done) {
    if (staged.is_caller_gone()) {
        done.result->note_dropped();
        done.result->drop_reference();
        staged.drop_reference();
        return;
    }
    staged.block = done.result;
    staged.index = done.index;
    staged.completion::index = done.index;
    done.result->wait(staged);
}

void shard::refuse(staged_record& staged, error_code why, shared_text text) {
    leave_queues(staged);
    settle_route(staged);
    give_back_credit(staged);
    staged.free_bytes();
    if (staged.try_decide(staged_record::state::refused)) {
        staged.fail(why, std::move(text));
        staged.event.set(staged_record::decided, &loop_);
    } else if (staged.current_state() == staged_record::state::accepted) {
        staged.fail(why, std::move(text));
        staged.share_name(staged.topic->name);
        if (staged.is_caller_gone())
            refused_.push_back({staged.topic->name, staged.partition, staged.failure()});
        staged.event.set(staged_record::finished, &loop_);
    }
    staged.drop_reference();
}

// It has waited for its topic, or for this turn; overtakes nobody who arrived before it, and is not overtaken.
void shard::serve_topic(staged_record& staged, time_point now) {
    const take_status status = take(staged, served_by::topic, now);
    if (status != take_status::wait_memory && status != take_status::wait_turn) return;
    staged.aside().list_hook<topic_waiter>::unlink();
    if (staged.is_local) {  // among the callers on this loop
        if (status == take_status::wait_memory) return pool_.wait(staged.aside());
        wait_by_arrival(yielded_, staged.aside());
        return;
    }
    // Back to its place: who arrived later goes behind it again.
    const auto later = std::find_if(ingress_.begin(), ingress_.end(),
                                    [&](const staged_record& each) { return each.arrival > staged.arrival; });
    ingress_.insert(later, staged);
    if (status == take_status::wait_memory && !ingress_waiter_.waits_for_memory())
        pool_.wait(ingress_waiter_);
}

bool shard::serve_memory(staged_record& staged, time_point now) {
    return take_ingress_up_to(staged.arrival, now) &&
           take(staged, served_by::memory, now) != take_status::wait_memory;
}

// To the shard that owns the partition, with its credit: what is accepted stays accepted.
void shard::forward(staged_record& staged, shard& owner) {
    leave_queues(staged);
    give_back_credit(staged);
    if (staged.current_state() == staged_record::state::accepted) {
        owner.credit_.fetch_sub(static_cast<std::int64_t>(staged.size_bytes()), std::memory_order_relaxed);
        staged.paid_credit = static_cast<std::uint32_t>(staged.size_bytes());
    }
    topic_entry* const routed_by = staged.is_routed ? staged.topic : nullptr;
    staged.is_routed = false;
    if (!owner.push(staged)) {
        refuse(staged, errc::closed, shared_text("the producer is closed"));
    }
    if (routed_by != nullptr) routed_by->routed_count.fetch_sub(1, std::memory_order_release);
}

// A record that came through the home shard is on its way to a batch, or has ended: what its thread sends next may go
// directly, and does not overtake it.
void shard::settle_route(staged_record& staged) noexcept {
    if (!std::exchange(staged.is_routed, false)) return;
    staged.topic->routed_count.fetch_sub(1, std::memory_order_release);
}

// ---- credit: memory of the pool, lent to those who push, a little more each time somebody came without

void shard::lend_credit() noexcept {
    // A quarter of the memory, and no more than stays in the caches: with 8 MB under way between two cores each record is read
    // from memory twice (4.4 against 5.7 M records/s where it was measured).
    const auto cached = static_cast<std::uint32_t>(credit_bytes_max / pool_.chunk_size_bytes());
    const std::uint32_t most = std::min(pool_.capacity_chunks() / 4, cached);
    if (credit_chunks_ >= most || pool_.has_waiters()) return;
    const std::uint32_t step = std::min(std::max<std::uint32_t>(most / 8, 1), most - credit_chunks_);
    if (!pool_.try_reserve(step)) return;
    credit_chunks_ += step;
    credit_.fetch_add(std::int64_t{step} * pool_.chunk_size_bytes(), std::memory_order_relaxed);
}

// What is spent at this moment is beyond the budget until it is in a batch, and is not lent again then.
void shard::withdraw_credit() noexcept {
    credit_.fetch_sub(std::int64_t{credit_chunks_} * pool_.chunk_size_bytes(), std::memory_order_relaxed);
    pool_.unreserve(std::exchange(credit_chunks_, 0));
}

void shard::give_back_credit(staged_record& staged) noexcept {
    returned_credit_ += static_cast<std::int64_t>(std::exchange(staged.paid_credit, 0));
}

// Once a turn, since those who push write to the same cache line.
void shard::publish_credit() noexcept {
    if (returned_credit_ != 0)
        credit_.fetch_add(std::exchange(returned_credit_, 0), std::memory_order_relaxed);
}

// What was accepted and has been waiting for memory, or for its partition, ever since: delivery.timeout.ms holds for it, too.
void shard::expire_unappended(time_point now) {
    while (!unappended_.empty()) {
        staged_record& oldest = unappended_.front();
        const duration waited = now - oldest.started;
        if (waited < core_.sending().delivery_timeout) return;
        refuse(oldest, errc::delivery_timeout,
               shared_text(fmt::format(
                   "Expiring 1 record for {}: {} ms has passed since it was accepted, and it is in no batch",
                   oldest.topic->name.view(),
                   std::chrono::duration_cast<std::chrono::milliseconds>(waited).count())));
    }
}

time_point shard::unappended_deadline() const noexcept {
    return unappended_.empty() ? never : after(unappended_.front().started, core_.sending().delivery_timeout);
}

void shard::on_staged_deadline(staged_record& staged) {
    const duration waited = loop_.now() - staged.started;
    shard_topic& to = topic(*staged.topic);
    const bool waits_for_topic = staged.aside().waits_for_topic();
    const error_code why = staged.aside().has_call_deadline ? errc::call_timeout
                           : waits_for_topic                ? errc::metadata_timeout
                                                            : errc::memory_timeout;
    refuse(staged, why,
           waits_for_topic ? metadata_text(to, staged.partition, waited)
                           : memory_text(staged.content_size(), waited));
}

}  // namespace sluice
