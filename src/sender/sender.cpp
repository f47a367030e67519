#include "sender/sender.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "wire/frame.hpp"

namespace sluice {
namespace {

constexpr std::int16_t produce_by_name_max = 12;  // from 13 on topics go by id
constexpr std::int16_t produce_of_zstd_min = 7;   // CMP-5

bool is_later(const time_point& a, const time_point& b) noexcept {
    return a > b;
}

std::int64_t milliseconds_of(duration span) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(span).count();
}

std::string name_of(const partition_queue& queue) {
    return fmt::format("{}-{}", queue.topic->name.view(), queue.partition);
}

// Of a batch that has failed. An earlier attempt that was lost may reach the broker after a later one was refused.
outcome outcome_of(const batch& failed, bool is_on_the_wire) noexcept {
    const bool may_be_stored = failed.may_be_stored || failed.was_lost || is_on_the_wire;
    return may_be_stored ? outcome::possibly_persisted : outcome::not_persisted;
}

}  // namespace

sender::sender(const sender_config& config, shard_accumulator& accumulator, std::uint64_t seed)
    : config_(config),
      accumulator_(accumulator),
      backoff_(config.retry_backoff, config.retry_backoff_max),
      randomness_(seed) {}

// ---- leaders

broker_queue& sender::broker(std::int32_t node_id) {
    std::unique_ptr<broker_queue>& found = brokers_[node_id];
    if (found == nullptr) found = std::make_unique<broker_queue>(node_id);
    return *found;
}

void sender::on_topic(topic_queues& topic, const topic_node* node, const snapshot& in) {
    if (node != nullptr) topic.id = node->id;
    for (partition_queue* queue : topic.queues) {
        if (queue == nullptr) continue;
        const auto index = static_cast<std::size_t>(queue->partition);
        std::int32_t leader = no_node;
        std::int32_t epoch = -1;
        if (node != nullptr && index < node->partitions.size()) {
            const partition_node& known = node->partitions[index];
            if (in.find_broker(known.leader) != nullptr) leader = known.leader;
            epoch = known.leader_epoch;
            if (epoch >= 0 && epoch < queue->leader_epoch) continue;  // a hint told us more (KIP-951)
        }
        set_leader(*queue, leader, epoch);
    }
}

void sender::set_leader(partition_queue& queue, std::int32_t leader, std::int32_t leader_epoch) {
    broker_queue* const next = leader == no_node ? nullptr : &broker(leader);
    const bool is_news = next != queue.leader || leader_epoch > queue.leader_epoch;
    queue.leader = next;
    queue.leader_epoch = leader_epoch;
    if (!is_news) return;
    // The first attempt on a new leader is immediate (ACC-12).
    if (queue.is_backing_off && !queue.waiting.empty() &&
        leader_epoch > queue.waiting.front().attempted_leader_epoch) {
        queue.is_backing_off = false;
    }
    if (queue.list_hook<sendable_tag>::is_linked()) queue.list_hook<sendable_tag>::unlink();
    if (queue.is_sendable()) accumulator_.mark_sendable(queue);
}

// ---- identity

void sender::set_identity(const producer_identity& identity) {
    identity_ = identity;
    wants_identity_ = false;
    raise_epoch();
}

void sender::note_epoch_wanted(partition_queue& queue) {
    if (!queue.ledger.wants_new_epoch() || queue.wants_new_epoch) return;
    queue.wants_new_epoch = true;
    epoch_wanted_by_.push_back(&queue);
}

// Once for all partitions that ask and are quiet: the epoch is raised locally (IDM-11).
void sender::raise_epoch() {
    if (epoch_wanted_by_.empty() || !identity_.is_valid()) return;
    const bool needs_raise =
        std::any_of(epoch_wanted_by_.begin(), epoch_wanted_by_.end(), [&](partition_queue* queue) {
            return queue->ledger.is_quiet() && queue->ledger.identity() == identity_;
        });
    if (needs_raise) {
        if (!identity_.has_next_epoch()) {
            identity_ = producer_identity{};
            wants_identity_ = true;
            return;
        }
        ++identity_.epoch;
    }
    std::erase_if(epoch_wanted_by_, [&](partition_queue* queue) {
        if (!queue->ledger.take_up(identity_)) return false;
        queue->wants_new_epoch = false;
        if (queue->is_sendable()) accumulator_.mark_sendable(*queue);
        return true;
    });
}

// ---- sending

void sender::collect() {
    raise_epoch();
    accumulator_.take_sendable([this](partition_queue& queue) { assign(queue); });
}

void sender::assign(partition_queue& queue) {
    if (!queue.is_sendable()) return;
    if (queue.leader == nullptr) {
        wants_.update = true;
        wants_.topics.push_back(queue.topic);
        return;  // set_leader puts it back
    }
    broker_queue& to = *queue.leader;
    to.ready.push_back(queue);
    if (std::exchange(to.is_active, true)) return;
    active_.push_back(&to);
}

bool sender::may_send(partition_queue& queue) const noexcept {
    if (queue.is_backing_off) return false;
    if (config_.in_flight_max == 1 && queue.in_flight_count > 0) return false;  // muted (ACC-22)
    if (!config_.is_idempotent) return true;
    return queue.ledger.may_send(queue.waiting.front(), identity_);
}

bool sender::fill(broker_queue& to, produce_attempt& attempt, time_point now) {
    attempt.broker = &to;
    attempt.batches.clear();
    if (!to.is_usable || to.ready.empty() || to.in_flight_count >= config_.in_flight_max) return false;
    if (config_.is_idempotent && !identity_.is_valid()) {
        wants_identity_ = true;
        return false;
    }
    std::size_t size = 0;
    list_of<partition_queue, sendable_tag> looked_at;
    while (!to.ready.empty()) {
        partition_queue& queue = to.ready.front();
        if (!queue.is_sendable() || !may_send(queue) || !accumulator_.can_take_head(queue)) {
            to.ready.pop_front();  // whatever changes that marks it sendable again
            continue;
        }
        const std::size_t batch_size = queue.waiting.front().records.estimated_size();
        if (!attempt.batches.empty() && size + batch_size > config_.request_size_max) break;
        to.ready.pop_front();
        batch& taken = accumulator_.take_head(queue, now);
        if (config_.is_idempotent) queue.ledger.on_send(taken, identity_);
        attempt.batches.push_back(&taken);
        size += batch_size;
        if (queue.is_sendable()) looked_at.push_back(queue);  // its next batch goes into another request
    }
    to.ready.splice(to.ready.end(), looked_at);
    if (attempt.batches.empty()) return false;
    ++to.in_flight_count;
    // Not std::stable_sort, which allocates.
    std::sort(attempt.batches.begin(), attempt.batches.end(), [](const batch* a, const batch* b) {
        const std::uint32_t a_topic = a->queue.topic->index, b_topic = b->queue.topic->index;
        return a_topic != b_topic ? a_topic < b_topic : a->ordinal < b->ordinal;
    });
    return true;
}

error_code sender::encode(produce_attempt& attempt, std::int16_t version, std::string_view client_id,
                          wire::writer& out) {
    const std::size_t count = attempt.batches.size();
    headers_.resize(count);
    pieces_.clear();
    std::vector<std::size_t> starts;
    starts.reserve(count + 1);
    for (std::size_t i = 0; i < count; ++i) {
        const batch& each = *attempt.batches[i];
        if (each.queue.topic->id.is_zero()) version = std::min(version, produce_by_name_max);
        batch_header header;
        header.attributes = static_cast<std::int16_t>(each.records.type());
        if (each.records.type() == compression::zstd && version < produce_of_zstd_min) {
            return error_code(static_cast<int>(broker_errc::unsupported_compression_type), broker_category());
        }
        header.last_offset_delta = each.record_count - 1;
        header.base_timestamp = each.records.base_timestamp();
        header.max_timestamp = each.records.max_timestamp();
        header.producer_id = each.identity.id;
        header.producer_epoch = each.identity.epoch;
        header.base_sequence = each.base_sequence;
        header.record_count = each.record_count;
        header.body_size = static_cast<std::int32_t>(each.records.body_size());
        sluice::encode(header, each.records.body_crc(), headers_[i]);
        starts.push_back(pieces_.size());
        pieces_.push_back(headers_[i]);
        each.records.append_pieces(pieces_);
    }
    starts.push_back(pieces_.size());

    request_.acks = config_.acks;
    request_.timeout_ms = config_.request_timeout_ms;
    request_.topic_data.clear();
    attempt.topic_ids.clear();
    const topic_queues* topic = nullptr;
    for (std::size_t i = 0; i < count; ++i) {
        const partition_queue& queue = attempt.batches[i]->queue;
        if (queue.topic != topic) {
            topic = queue.topic;
            wire::topic_produce_data& added = request_.topic_data.emplace_back();
            added.name = topic->name.view();
            added.topic_id = topic->id;
        }
        wire::partition_produce_data& partition = request_.topic_data.back().partition_data.emplace_back();
        partition.index = queue.partition;
        partition.records =
            wire::records(std::span<const bytes>(pieces_).subspan(starts[i], starts[i + 1] - starts[i]));
        attempt.topic_ids.push_back(topic->id);
    }
    attempt.version = version;
    return wire::write_request(out, request_, version, 0, client_id);
}

// ---- answers

batch* sender::find(produce_attempt& attempt, std::size_t& guess, const wire::topic_produce_response& topic,
                    std::int32_t partition) const {
    const auto matches = [&](std::size_t index) {
        const batch* each = attempt.batches[index];
        if (each == nullptr || each->queue.partition != partition) return false;
        return attempt.version > produce_by_name_max ? attempt.topic_ids[index] == topic.topic_id
                                                     : each->queue.topic->name.view() == topic.name;
    };
    // Brokers answer in the order of the request, nearly always.
    if (guess < attempt.batches.size() && matches(guess)) return attempt.batches[guess++];
    for (std::size_t index = 0; index < attempt.batches.size(); ++index) {
        if (!matches(index)) continue;
        guess = index + 1;
        return attempt.batches[index];
    }
    return nullptr;
}

error_code sender::on_answer(produce_attempt& attempt, bytes body, time_point now) {
    wire::reader in(body);
    if (const error_code error = wire::decode(response_, attempt.version, in)) return error;
    --attempt.broker->in_flight_count;
    std::size_t guess = 0;
    for (const auto& topic : response_.responses) {
        for (const auto& answer : topic.partition_responses) {
            batch* answered = find(attempt, guess, topic, answer.index);
            if (answered == nullptr) continue;  // what we did not ask (SDR-12)
            attempt.batches[guess - 1] = nullptr;
            apply_hint(*answered, answer, response_);
            conclude(*answered, answer, now);
        }
    }
    for (batch* left : attempt.batches) {
        if (left == nullptr) continue;
        // No word about this partition: as if the answer had been lost, for this batch only.
        verdict judged;
        judged.what = verdict::action::retry;
        judged.may_be_stored = true;
        judged.wants_metadata = true;
        retry_or_fail(*left, judged, errc::protocol_error,
                      "the broker's answer did not mention this partition", -1, now);
    }
    attempt.batches.clear();
    return {};
}

void sender::conclude(batch& attempted, const answered_partition& answer, time_point now) {
    const verdict judged = judge(answer.error_code, config_.is_idempotent, attempted.record_count);
    if (judged.what == verdict::action::acknowledge) return acknowledge(attempted, answer);
    const error_code error(answer.error_code, broker_category());
    const std::string_view text = answer.error_message.value_or(std::string_view());
    if (judged.what == verdict::action::split && !attempted.is_resolved && !attempted.may_be_stored) {
        if (config_.is_idempotent) attempted.queue.ledger.on_not_stored(attempted);
        return split(attempted);
    }
    if (judged.is_fatal) set_fatal(error, text.empty() ? error.message() : std::string(text));
    retry_or_fail(attempted, judged, error, text, answer.log_start_offset, now);
}

void sender::acknowledge(batch& stored, const answered_partition& answer) {
    if (config_.is_idempotent) stored.queue.ledger.on_stored(stored);
    if (!stored.is_resolved) {
        batch_result result;
        result.outcome = outcome::persisted;
        result.base_offset = answer.base_offset;
        result.log_append_time = answer.log_append_time_ms;
        accumulator_.finish(stored, std::move(result));
    }
    close_flight(stored);
}

// A batch that is resolved leaves the flight: its memory goes back, and its partition may go on.
void sender::close_flight(batch& resolved) {
    partition_queue& queue = resolved.queue;
    accumulator_.release(resolved);
    note_epoch_wanted(queue);
    if (queue.is_sendable()) accumulator_.mark_sendable(queue);
}

void sender::retry_or_fail(batch& attempted, const verdict& judged, error_code error, std::string_view text,
                           std::int64_t log_start_offset, time_point now) {
    partition_queue& queue = attempted.queue;
    if (judged.wants_metadata) wants_.update = true;
    if (config_.is_idempotent) {
        if (judged.is_out_of_order) {
            queue.ledger.on_out_of_order(attempted);
        } else if (judged.is_unknown_producer) {
            queue.ledger.on_unknown_producer(attempted, log_start_offset);
        } else if (judged.may_be_stored) {
            queue.ledger.on_no_answer(attempted);
        } else {
            queue.ledger.on_not_stored(attempted);
        }
    } else if (judged.may_be_stored) {
        attempted.may_be_stored = true;
    }
    ++attempted.attempts;
    attempted.last_error = error;
    const bool is_too_old = after(attempted.created, config_.delivery_timeout) <= now;
    const bool may_retry = judged.what == verdict::action::retry && !attempted.is_resolved && !is_too_old &&
                           attempted.attempts <= config_.retries && fatal_ == nullptr;
    if (may_retry) return retry(attempted, now);
    fail(attempted, error, text);
}

void sender::retry(batch& attempted, time_point now) {
    partition_queue& queue = attempted.queue;
    accumulator_.put_back(attempted, now);
    note_epoch_wanted(queue);
    // No wait if the leader has changed since the attempt (KIP-951, ACC-12).
    if (queue.leader_epoch > attempted.attempted_leader_epoch && attempted.attempted_leader_epoch >= 0)
        return;
    queue.is_backing_off = true;
    ++queue.backoff_number;
    const time_point due = after(now, backoff_.wait(attempted.attempts - 1, randomness_));
    backoffs_.push_back({due, &queue, queue.backoff_number});
    std::push_heap(backoffs_.begin(), backoffs_.end(),
                   [](const auto& a, const auto& b) { return is_later(a.due, b.due); });
}

// Of a batch in flight, whose attempt the ledger knows to be over.
void sender::fail(batch& attempted, error_code error, std::string_view text) {
    if (config_.is_idempotent) attempted.queue.ledger.on_failed(attempted);
    if (!attempted.is_resolved) {
        batch_result result;
        result.error = error;
        result.outcome = outcome_of(attempted, false);
        result.message = shared_text(text.empty() ? error.message() : std::string(text));
        accumulator_.finish(attempted, std::move(result));
    }
    close_flight(attempted);
}

void sender::split(batch& whole) {
    std::uint32_t target = config_.batch_size;
    if (whole.is_part) {
        target = std::max<std::uint32_t>(whole.record_size_max + batch_header_size,
                                         static_cast<std::uint32_t>(whole.records.estimated_size() / 2));
    }
    // The parts are smaller than the whole in any case, else it would go round for ever.
    target = std::min(target, static_cast<std::uint32_t>(whole.records.estimated_size() - 1));
    accumulator_.split(whole, target);
}

void sender::on_lost(produce_attempt& attempt, error_code why, bool was_sent, std::string_view text,
                     time_point now) {
    --attempt.broker->in_flight_count;
    verdict judged;
    judged.what = verdict::action::retry;
    judged.may_be_stored = was_sent;
    judged.wants_metadata = true;  // NET-14
    for (batch* lost : attempt.batches) {
        if (lost != nullptr) retry_or_fail(*lost, judged, why, text, -1, now);
    }
    attempt.batches.clear();
}

void sender::on_refused(produce_attempt& attempt, error_code why, std::string_view text, time_point now) {
    --attempt.broker->in_flight_count;
    for (batch* refused : attempt.batches) retry_or_fail(*refused, verdict{}, why, text, -1, now);
    attempt.batches.clear();
}

void sender::on_written(produce_attempt& attempt) {
    --attempt.broker->in_flight_count;
    answered_partition nothing;
    nothing.base_offset = -1;
    for (batch* written : attempt.batches) acknowledge(*written, nothing);
    attempt.batches.clear();
}

void sender::apply_hint(batch& attempted, const answered_partition& answer,
                        const wire::produce_response& response) {
    const auto code = static_cast<broker_errc>(answer.error_code);
    if (code != broker_errc::not_leader_or_follower && code != broker_errc::fenced_leader_epoch) return;
    const wire::leader_id_and_epoch& told = answer.current_leader;
    if (told.leader_id < 0 || told.leader_epoch < 0) return;
    partition_queue& queue = attempted.queue;
    if (told.leader_epoch <= queue.leader_epoch) return;
    leader_hint hint;
    hint.topic = queue.topic->name.view();
    hint.partition = queue.partition;
    hint.leader = told.leader_id;
    hint.leader_epoch = told.leader_epoch;
    for (const wire::node_endpoint& each : response.node_endpoints) {
        if (each.node_id != told.leader_id) continue;
        hint.node.emplace();
        hint.node->id = each.node_id;
        hint.node->address = {std::string(each.host), static_cast<std::uint16_t>(each.port)};
    }
    wants_.hints.push_back(hint);
}

// ---- time

void sender::on_time(time_point now) {
    const auto later_first = [](const auto& a, const auto& b) { return is_later(a.due, b.due); };
    while (!backoffs_.empty() && backoffs_.front().due <= now) {
        std::pop_heap(backoffs_.begin(), backoffs_.end(), later_first);
        const waiting_backoff over = backoffs_.back();
        backoffs_.pop_back();
        partition_queue& queue = *over.queue;
        if (!queue.is_backing_off || queue.backoff_number != over.number) continue;  // ended early, or moved
        queue.is_backing_off = false;
        if (queue.is_sendable()) accumulator_.mark_sendable(queue);
    }
    while (batch* old = accumulator_.find_expired(now)) expire(*old, now);
}

void sender::expire(batch& old, time_point now) {
    partition_queue& queue = old.queue;
    const std::uint32_t count = old.records.record_count();
    std::string text = fmt::format("Expiring {} record(s) for {}: {} ms has passed since batch creation",
                                   count, name_of(queue), milliseconds_of(now - old.created));
    if (old.last_error) {
        text += fmt::format("; last error: {}", old.last_error.message());
    } else if (old.is_in_flight) {
        text += "; the request was not answered";
    } else if (queue.leader == nullptr) {
        text += "; the partition has no known leader";
    } else if (!queue.leader->is_usable) {
        text += fmt::format("; no connection to its leader, broker {}", queue.leader->node_id);
    }
    if (!connection_trouble_.empty() && (queue.leader == nullptr || !queue.leader->is_usable)) {
        text += fmt::format("; last connection error: {}", connection_trouble_);
    }
    batch_result result;
    result.error = errc::delivery_timeout;
    result.outcome = outcome_of(old, old.is_in_flight);
    result.message = shared_text(text);
    // In flight it stays tracked: a late answer still tells what became of its sequences (ERR-6).
    if (!old.is_in_flight && config_.is_idempotent) queue.ledger.on_failed(old);
    accumulator_.finish(old, std::move(result));
    note_epoch_wanted(queue);
    if (queue.is_sendable()) accumulator_.mark_sendable(queue);
}

time_point sender::next_deadline() const noexcept {
    return backoffs_.empty() ? never : backoffs_.front().due;
}

void sender::set_fatal(error_code why, std::string_view text) {
    if (fatal_ != nullptr) return;
    fatal_ = std::make_unique<batch_result>();
    fatal_->error = why;
    fatal_->message = shared_text(text);
}

void sender::fail_all(error_code why, std::string_view text) {
    const shared_text message(text);
    while (batch* each = accumulator_.find_unresolved()) {
        batch_result result;
        result.error = why;
        result.outcome = outcome_of(*each, each->is_in_flight);
        result.message = message;
        partition_queue& queue = each->queue;
        if (!each->is_in_flight && config_.is_idempotent) queue.ledger.on_failed(*each);
        accumulator_.finish(*each, std::move(result));
        note_epoch_wanted(queue);
    }
}

}  // namespace sluice
