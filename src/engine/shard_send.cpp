// Callers on the shard's own loop: from a record to its place in a batch, or to its place in a queue of those who wait.
#include <fmt/format.h>

#include <algorithm>

#include "engine/producer_core.hpp"
#include "engine/shard.hpp"
#include "partitioner/murmur2.hpp"

namespace sluice {
namespace {

constexpr duration want_again_after = std::chrono::seconds(10);

std::int64_t milliseconds_of(duration span) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(span).count();
}

}  // namespace

// ---- topics

shard_topic& shard::topic(const topic_ref& named) {
    if (topic_entry* handle = named.entry()) return topic(*handle);
    const auto found = topics_by_name_.find(named.name());
    if (found != topics_by_name_.end()) return *found->second;
    return add_topic(core_.registry().find_or_add(named.name()));
}

shard_topic& shard::topic(topic_entry& entry) {
    shard_topic* const known = entry.at_shard[index_];
    return known != nullptr ? *known : add_topic(entry.shared_from_this());
}

shard_topic& shard::add_topic(std::shared_ptr<topic_entry> entry) {
    if (shard_topic* known = entry->at_shard[index_]) return *known;
    topic_entry& added = *entry;
    topics_.push_back(std::make_unique<shard_topic>(std::move(entry), accumulator_.add_topic(added.name)));
    shard_topic& made = *topics_.back();
    added.at_shard[index_] = &made;
    topics_by_name_.emplace(std::string(made.name()), &made);
    if (view_ != nullptr) look_up(made);
    return made;
}

void shard::want(shard_topic& topic, time_point now) {
    const bool is_recent = topic.last_wanted != time_point{} && now - topic.last_wanted < want_again_after;
    if (is_recent && topic.is_known()) return;
    if (is_recent && topic.is_wanted) return;
    topic.last_wanted = now;
    topic.is_wanted = true;
    core_.want_topic(*this, topic.entry, now);
}

partition_queue& shard::queue(shard_topic& topic, std::int32_t partition) {
    if (partition_queue* found = topic.queues.find(partition)) return *found;
    partition_queue& made = accumulator_.queue(topic.queues, partition);
    const partition_node& node = topic.node->partitions[static_cast<std::size_t>(partition)];
    const bool is_reachable = view_->find_broker(node.leader) != nullptr;
    sender_.set_leader(made, is_reachable ? node.leader : no_node, node.leader_epoch);
    return made;
}

// ---- placing and appending

// Whose partition is it? An explicit one, a key's, or (any_partition) one that this shard chooses when it appends.
shard::placement shard::place(shard_topic& topic, std::int32_t wanted, const bytes_view& key) {
    placement made;
    const std::int32_t count = topic.partition_count();
    if (is_left_open(topic, wanted, key) && count != 0) return made;
    if (wanted >= count || count == 0) {
        made.status = send_status::wait_topic;
        return made;
    }
    if (wanted != any_partition) {
        made.partition = wanted;
    } else if (!key.is_null()) {
        made.partition = partition_of_key(key.span(), count);
    } else {
        made.partition = common_choice(topic);
        if (made.partition >= count) {  // another shard knows of more partitions already
            made.status = send_status::wait_topic;
            return made;
        }
    }
    const std::uint32_t owner = topic.entry->owner_of(made.partition, core_.shard_count());
    if (owner != index_) made.status = send_status::elsewhere;
    return made;
}

// Of a known topic.
std::int32_t shard::draw(const shard_topic& topic) noexcept {
    const auto& candidates = topic.candidates;
    return candidates[randomness_.below(candidates.size())];
}

// any_partition: it has none.
std::int32_t shard::any_of_own(const shard_topic& topic) const noexcept {
    const auto& candidates = topic.candidates;
    const auto own = std::find_if(candidates.begin(), candidates.end(), [&](std::int32_t each) {
        return topic.entry->owner_of(each, core_.shard_count()) == index_;
    });
    return own == candidates.end() ? any_partition : *own;
}

// Drawn by whoever comes first; the home of metadata replaces one that lost its leader.
std::int32_t shard::common_choice(shard_topic& topic) {
    std::atomic<std::int32_t>& common = topic.entry->common_choice;
    std::int32_t chosen = common.load(std::memory_order_relaxed);
    if (chosen != any_partition) return chosen;
    const std::int32_t drawn = draw(topic);
    return common.compare_exchange_strong(chosen, drawn, std::memory_order_relaxed) ? drawn : chosen;
}

// The owner of the common choice counts what is appended to it, and moves it on at the end of a batch.
void shard::note_common_choice(shard_topic& topic, std::int32_t partition,
                               const shard_accumulator::appended& done) {
    std::int32_t chosen = partition;
    if (topic.entry->common_choice.load(std::memory_order_relaxed) != chosen) return;
    if (!topic.sticky.on_appended(done.grown_bytes, done.is_batch_full, batch_size_)) return;
    topic.entry->common_choice.compare_exchange_strong(chosen, draw(topic), std::memory_order_relaxed);
}

shard_accumulator::appended shard::append_chosen(shard_topic& topic, std::int32_t partition,
                                                 const record_parts& parts) {
    partition_queue& to = queue(topic, partition);
    shard_accumulator::appended done = accumulator_.append_to_open(to, parts);
    if (done.result == nullptr) [[unlikely]]
        done = append_to_new(topic, to, parts);
    if (!topic.is_sticky_local && done.result != nullptr) [[unlikely]]
        note_common_choice(topic, partition, done);
    return done;
}

shard_accumulator::appended shard::append_to_new(shard_topic& topic, partition_queue& to,
                                                 const record_parts& parts) {
    want(topic, loop_.now());  // it is in use
    return accumulator_.append_to_new(to, parts, loop_.now());
}

shard_accumulator::appended shard::append_sticky(shard_topic& topic, std::int32_t& partition,
                                                 const record_parts& parts) {
    for (;;) {
        if (topic.sticky_queue == nullptr) [[unlikely]] {
            topic.sticky_queue = &queue(topic, topic.sticky.current(topic.candidates, randomness_));
        }
        partition_queue& to = *topic.sticky_queue;
        shard_accumulator::appended done = accumulator_.append_to_open(to, parts);
        if (done.result == nullptr) [[unlikely]] {
            // The end of a batch is the moment to move on (PRT-12).
            if (topic.sticky.on_appended(0, true, batch_size_)) {
                topic.sticky_queue = nullptr;
                continue;
            }
            done = append_to_new(topic, to, parts);
            if (done.result == nullptr) return done;
        }
        note_sticky_choice(topic, done);
        partition = to.partition;
        return done;
    }
}

// Callers that never wait would keep the loop from sending: after some work it is the loop's turn.
bool shard::is_turn_spent() const noexcept {
    return turn_bytes_ >= turn_bytes_max || turn_sends_ >= turn_sends_max ||
           accumulator_.is_compression_behind();
}

send_status shard::refuse_send(refusal& why, error_code error, shared_text text) {
    why.error = error;
    why.message = std::move(text);
    return send_status::refused;
}

// Are there staged records that come first and can go on, so that whoever must wait had better wait behind them?
bool shard::is_ingress_first(served_by turn, std::uint64_t behind) const noexcept {
    if (pool_.has_waiters()) return false;  // they cannot, and this one will find them when it is served
    if (turn == served_by::nobody) return !ingress_.empty();
    return turn == served_by::turn && has_ingress_up_to(behind);
}

send_status shard::try_accept(const record& wanted, served_by turn, delivery& accepted, refusal& why,
                              std::uint64_t behind) {
    if (phase_ != phase::running || !core_.is_open()) [[unlikely]] {
        return refuse_send(why, errc::closed, shared_text("the producer is closed"));
    }
    if (!core_.is_valid(wanted)) [[unlikely]] {
        return refuse_send(why, errc::invalid_record, shared_text(core_.why_invalid(wanted)));
    }
    if (turn == served_by::nobody) {
        loop_.note_call();
        if (has_arrivals()) [[unlikely]]
            catch_up();
        if (!yielded_.empty()) [[unlikely]]
            return send_status::wait_turn;  // they called before
    }
    topic_entry* const handle = wanted.topic.entry();
    shard_topic* const known = handle != nullptr ? handle->at_shard[index_] : nullptr;
    shard_topic& to = known != nullptr ? *known : topic(wanted.topic);
    if (!to.is_known() || (turn == served_by::nobody && !to.waiters.empty())) [[unlikely]] {
        if (const error_code hopeless = to.hopeless_error())
            return refuse_send(why, hopeless, hopeless_text(to));
        want(to, loop_.now());
        return is_ingress_first(turn, behind) ? send_status::wait_turn : send_status::wait_topic;
    }
    placement placed;
    if (!is_left_open(to, wanted.partition, wanted.key) || to.partition_count() == 0) {
        placed = place(to, wanted.partition, wanted.key);
    }
    if (placed.status != send_status::accepted) [[unlikely]] {
        why.partition = placed.partition;
        if (placed.status == send_status::elsewhere) return placed.status;
        core_.want_update(*this);
        return is_ingress_first(turn, behind) ? send_status::wait_turn : send_status::wait_partition;
    }
    const std::size_t content_bound = record_content_bound(wanted);
    if (content_bound > content_size_max_) [[unlikely]] {
        const std::size_t content_size = record_content_size(wanted);
        if (const error_code too_large = check_size(content_size))
            return refuse_send(why, too_large, size_text(to.name(), content_size));
    }
    if (turn == served_by::memory) [[unlikely]] {
        if (!take_ingress_up_to(behind, loop_.now())) return send_status::wait_memory;
    } else {
        if (turn == served_by::nobody && is_turn_spent()) [[unlikely]]
            return send_status::wait_turn;
        if (pool_.has_waiters()) [[unlikely]]
            return send_status::wait_memory;
        if (turn != served_by::nobody && has_ingress_up_to(behind)) [[unlikely]]
            return send_status::wait_turn;
    }

    const std::int64_t timestamp =
        wanted.timestamp == time_of_send ? static_cast<std::int64_t>(loop_.wall_now()) : wanted.timestamp;
    std::int32_t partition = placed.partition;
    const shard_accumulator::appended done = append(to, partition, wanted, timestamp, content_bound);
    if (done.result == nullptr) [[unlikely]]
        return send_status::wait_memory;
    turn_bytes_ += content_bound;
    ++turn_sends_;
    new (&accepted) delivery(*done.result, done.index, timestamp,
                             static_cast<std::int32_t>(wanted.key.size_or_minus_one()),
                             static_cast<std::int32_t>(wanted.value.size_or_minus_one()));
    return send_status::accepted;
}

// ---- texts (MDW-6, MDW-7, BUF-9, SND-11)

shared_text shard::metadata_text(const shard_topic& topic, std::int32_t partition, duration waited) const {
    std::string text;
    if (topic.is_known() && partition >= topic.partition_count()) {
        text = fmt::format(
            "Partition {} of topic {} with partition count {} is not present in metadata after {} ms",
            partition, topic.name(), topic.partition_count(), milliseconds_of(waited));
    } else {
        text = fmt::format("Topic {} not present in metadata after {} ms", topic.name(),
                           milliseconds_of(waited));
    }
    if (topic.last_error != 0) {
        text += fmt::format("; last answer: {}", error_code(topic.last_error, broker_category()).message());
    }
    if (const std::string trouble = core_.connection_trouble(); !trouble.empty()) {
        text += fmt::format("; last connection error: {}", trouble);
    }
    return shared_text(text);
}

shared_text shard::hopeless_text(const shard_topic& topic) const {
    return shared_text(fmt::format("topic {}: {}", topic.name(), topic.hopeless_error().message()));
}

shared_text shard::memory_text(std::size_t size_bytes, duration waited) const {
    const std::size_t chunk = pool_.chunk_size_bytes();
    return shared_text(
        fmt::format("no memory for a record of {} bytes after {} ms: {} of {} bytes of this shard's "
                    "buffer.memory are free",
                    size_bytes, milliseconds_of(waited),
                    std::max<std::int64_t>(pool_.free_chunks(), 0) * static_cast<std::int64_t>(chunk),
                    pool_.capacity_chunks() * chunk));
}

shared_text shard::size_text(std::string_view topic, std::size_t content_size) const {
    return shared_text(fmt::format(
        "a record for topic {} is {} bytes in a batch of its own, which is more than max.request.size ({}) "
        "or this "
        "shard's part of buffer.memory ({})",
        topic, batch_size_upper_bound(content_size), core_.config().max_request_size, memory_bytes()));
}

// ---- waiting on this loop

local_send::local_send(shard& at, send_operation& sent, completion& done, send_status why)
    : shard_(at), sent_(sent), done_(done), started_(at.loop_.now()), arrival_(++at.arrived_) {
    const time_point give_up_at = after(started_, shard_.core_.config().max_block);
    shard_.loop_.set_timer(deadline_, std::min(give_up_at, sent.deadline_));
    wait_for(why);
}

void local_send::wait_for(send_status why) {
    using enum send_status;
    is_yielded_ = why == wait_turn;
    switch (why) {
        case wait_topic: return wait_by_arrival(shard_.topic(sent_.record_.topic).waiters, *this);
        case wait_partition:
            return wait_by_arrival(shard_.topic(sent_.record_.topic).partition_waiters, *this);
        case wait_memory: shard_.pool_.wait(*this); return;
        case wait_turn: return wait_by_arrival(shard_.yielded_, *this);
        case accepted:
        case refused:
        case elsewhere: break;
    }
    ensure(false);
}

void local_send::leave_queues() noexcept {
    if (waits_for_topic()) list_hook<topic_waiter>::unlink();
    if (waits_for_memory()) list_hook<memory_waiter>::unlink();
}

// The operation has its result; whoever waits for it is resumed in the resume phase.
void local_send::finish() noexcept {
    leave_queues();
    shard_.loop_.cancel_timer(deadline_);
    shard_.loop_.post(done_);
}

bool local_send::serve(served_by turn) {
    using enum send_status;
    const send_status status = sent_.try_accept(shard_, turn, arrival_);
    if (status == accepted || status == refused) {
        finish();
        return true;
    }
    if (status == wait_memory && turn == served_by::memory) return false;
    leave_queues();
    if (status == elsewhere) {
        sent_.move_elsewhere(done_, started_);  // ends this object
        return true;
    }
    wait_for(status);
    return true;
}

void local_send::serve_topic(time_point) {
    serve(is_yielded_ ? served_by::turn : served_by::topic);
}
bool local_send::serve_memory(time_point) {
    return serve(served_by::memory);
}

void local_send::fail(error_code why, shared_text text) {
    sent_.fail(why, std::move(text));
    finish();
}

void local_send::deadline_timer::expire(timer& due) noexcept {
    local_send& late = static_cast<deadline_timer&>(due).self;
    shard& at = late.shard_;
    const duration waited = at.loop_.now() - late.started_;
    const bool is_own_deadline = waited < at.core_.config().max_block;
    const record& sent = late.sent_.record_;
    shared_text text;
    error_code why;
    if (late.waits_for_memory()) {
        why = errc::memory_timeout;
        text = at.memory_text(record_content_size(sent), waited);
    } else {
        why = errc::metadata_timeout;
        text = at.metadata_text(at.topic(sent.topic), sent.partition, waited);
    }
    late.fail(is_own_deadline ? errc::call_timeout : why, std::move(text));
}

}  // namespace sluice
