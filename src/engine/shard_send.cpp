// Callers on the shard's own loop: from a record to its place in a batch, or to its place in a queue of those who wait.
#include <fmt/format.h>

#include "engine/producer_core.hpp"
#include "engine/shard.hpp"
#include "partitioner/murmur2.hpp"

namespace sluice {
namespace {

constexpr std::size_t turn_bytes_max = 256 * 1024;  // appended without a pause for the loop
constexpr std::uint32_t turn_sends_max = 2048;      // about 100 µs
constexpr duration want_again_after = std::chrono::seconds(10);

std::int64_t milliseconds_of(duration span) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(span).count();
}

}  // namespace

// ---- topics

shard_topic& shard::topic(const topic_ref& named) {
    std::shared_ptr<topic_entry> entry;
    if (topic_entry* handle = named.entry()) {
        if (shard_topic* known = handle->at_shard[index_]) return *known;
        entry = handle->shared_from_this();
    } else {
        const auto found = topics_by_name_.find(named.name());
        if (found != topics_by_name_.end()) return *found->second;
        entry = core_.registry().find_or_add(named.name());
    }
    return add_topic(std::move(entry));
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
    if (wanted >= count || count == 0) {
        made.status = send_status::wait_topic;
        return made;
    }
    made.partition = wanted;
    if (wanted == any_partition && !key.is_null()) made.partition = partition_of_key(key.span(), count);
    if (made.partition == any_partition) {
        if (topic.is_sticky_local) return made;
        made.partition = topic.sticky.current(topic.candidates(), randomness_);
    }
    const std::uint32_t owner = topic.entry->owner_of(made.partition, core_.shard_count());
    if (owner != index_) made.status = send_status::elsewhere;
    return made;
}

error_code shard::check_size(std::size_t content_size) const noexcept {
    if (content_size > content_size_max_) return errc::record_too_large;
    return {};
}

// `partition` comes back chosen where it was open. No result: memory is missing.
shard_accumulator::appended shard::append(shard_topic& topic, std::int32_t& partition, const record_parts& parts,
                                          std::size_t content_size) {
    const time_point now = loop_.now();
    if (partition != any_partition) {
        partition_queue& to = queue(topic, partition);
        const shard_accumulator::appended done = accumulator_.append_to_open(to, parts, content_size);
        if (done.result != nullptr) [[likely]] return done;
        want(topic, now);
        return accumulator_.append_to_new(to, parts, content_size, now);
    }
    const auto batch_size = static_cast<std::uint32_t>(core_.config().batch_size);
    for (;;) {
        const std::int32_t chosen = topic.sticky.current(topic.candidates(), randomness_);
        partition_queue& to = queue(topic, chosen);
        shard_accumulator::appended done = accumulator_.append_to_open(to, parts, content_size);
        if (done.result == nullptr) {
            // The end of a batch is the moment to move on (PRT-12).
            if (topic.sticky.on_appended(0, true, batch_size)) continue;
            want(topic, now);
            done = accumulator_.append_to_new(to, parts, content_size, now);
            if (done.result == nullptr) return done;
        }
        topic.sticky.on_appended(done.grown_bytes, done.is_batch_full, batch_size);
        partition = chosen;
        return done;
    }
}

// Callers that never wait would keep the loop from sending: after some work it is the loop's turn.
bool shard::is_turn_spent() noexcept { return turn_bytes_ >= turn_bytes_max || turn_sends_ >= turn_sends_max; }

shard::send_status shard::try_send(send_operation& sent, served_by turn) {
    const record& wanted = sent.record_;
    if (phase_ != phase::running || !core_.is_open()) [[unlikely]] {
        sent.fail(errc::closed, shared_text("the producer is closed"));
        return send_status::done;
    }
    if (const error_code invalid = core_.validate(wanted)) [[unlikely]] {
        sent.fail(invalid, shared_text(core_.why_invalid(wanted)));
        return send_status::done;
    }
    shard_topic& to = topic(wanted.topic);
    if (!to.is_known() || (turn == served_by::nobody && !to.waiters.empty())) [[unlikely]] {
        if (const error_code hopeless = to.hopeless_error()) {
            sent.fail(hopeless, hopeless_text(to));
            return send_status::done;
        }
        want(to, loop_.now());
        return send_status::wait_topic;
    }
    const placement placed = place(to, wanted.partition, wanted.key);
    if (placed.status == send_status::wait_topic) {
        core_.want_update(*this);
        return send_status::wait_topic;
    }
    if (placed.status == send_status::elsewhere) {
        sent.record_.partition = placed.partition;
        return send_status::elsewhere;
    }
    record_parts parts;
    parts.key = wanted.key;
    parts.value = wanted.value;
    parts.headers = wanted.headers;
    const std::size_t content_size = record_content_size(parts);
    if (const error_code too_large = check_size(content_size)) [[unlikely]] {
        sent.fail(too_large, size_text(to.name(), content_size));
        return send_status::done;
    }
    if (turn != served_by::memory && pool_.has_waiters()) [[unlikely]] return send_status::wait_memory;
    if (turn == served_by::nobody && is_turn_spent()) [[unlikely]] return send_status::wait_turn;

    parts.timestamp = wanted.timestamp == time_of_send ? static_cast<std::int64_t>(loop_.wall_now()) : wanted.timestamp;
    std::int32_t partition = placed.partition;
    const shard_accumulator::appended done = append(to, partition, parts, content_size);
    if (done.result == nullptr) [[unlikely]] return send_status::wait_memory;
    turn_bytes_ += content_size;
    ++turn_sends_;
    sent.accept(delivery(*done.result, done.index, parts.timestamp,
                         static_cast<std::int32_t>(wanted.key.size_or_minus_one()),
                         static_cast<std::int32_t>(wanted.value.size_or_minus_one())));
    return send_status::done;
}

// ---- texts (MDW-6, MDW-7, BUF-9, SND-11)

shared_text shard::metadata_text(const shard_topic& topic, std::int32_t partition, duration waited) const {
    std::string text;
    if (topic.is_known() && partition >= topic.partition_count()) {
        text = fmt::format("Partition {} of topic {} with partition count {} is not present in metadata after {} ms",
                           partition, topic.name(), topic.partition_count(), milliseconds_of(waited));
    } else {
        text = fmt::format("Topic {} not present in metadata after {} ms", topic.name(), milliseconds_of(waited));
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
    return shared_text(fmt::format(
        "no memory for a record of {} bytes after {} ms: {} of {} bytes of this shard's buffer.memory are free", size_bytes,
        milliseconds_of(waited), std::max<std::int64_t>(pool_.free_chunks(), 0) * static_cast<std::int64_t>(chunk),
        pool_.capacity_chunks() * chunk));
}

shared_text shard::size_text(std::string_view topic, std::size_t content_size) const {
    return shared_text(fmt::format(
        "a record for topic {} is {} bytes in a batch of its own, which is more than max.request.size ({}) or this "
        "shard's part of buffer.memory ({})",
        topic, batch_size_upper_bound(content_size), core_.config().max_request_size, memory_bytes()));
}

// ---- waiting on this loop

local_send::local_send(shard& at, send_operation& sent, completion& done, shard::send_status why)
    : shard_(at), sent_(sent), done_(done), started_(at.loop_.now()) {
    const time_point give_up_at = after(started_, shard_.core_.config().max_block);
    shard_.loop_.set_timer(deadline_, std::min(give_up_at, sent.deadline_));
    wait_for(why);
}

void local_send::wait_for(shard::send_status why) {
    is_yielded_ = why == shard::send_status::wait_turn;
    switch (why) {
        case shard::send_status::wait_topic: shard_.topic(sent_.record_.topic).waiters.push_back(*this); return;
        case shard::send_status::wait_memory: shard_.pool_.wait(*this); return;
        case shard::send_status::wait_turn: shard_.yielded_.push_back(*this); return;
        case shard::send_status::done:
        case shard::send_status::elsewhere: break;
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

bool local_send::serve(shard::served_by turn) {
    const shard::send_status status = shard_.try_send(sent_, turn);
    const shard::send_status waiting_for = turn == shard::served_by::memory ? shard::send_status::wait_memory
                                                                             : shard::send_status::wait_topic;
    if (status == waiting_for && turn != shard::served_by::turn) return false;
    if (status == shard::send_status::done) {
        finish();
        return true;
    }
    leave_queues();
    if (status == shard::send_status::elsewhere) {
        sent_.move_elsewhere(done_);  // ends this object
        return true;
    }
    wait_for(status);
    return true;
}

bool local_send::serve_topic(time_point) {
    return serve(is_yielded_ ? shard::served_by::turn : shard::served_by::topic);
}
bool local_send::serve_memory(time_point) { return serve(shard::served_by::memory); }

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
        record_parts parts;
        parts.key = sent.key;
        parts.value = sent.value;
        parts.headers = sent.headers;
        text = at.memory_text(record_content_size(parts), waited);
    } else {
        why = errc::metadata_timeout;
        text = at.metadata_text(at.topic(sent.topic), sent.partition, waited);
    }
    late.fail(is_own_deadline ? errc::call_timeout : why, std::move(text));
}

}  // namespace sluice
