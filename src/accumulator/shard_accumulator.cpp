#include "accumulator/shard_accumulator.hpp"

#include <algorithm>

#include "record/batch_reader.hpp"

namespace sluice {

shard_accumulator::shard_accumulator(const accumulator_limits& limits, buffer_pool& pool)
    : limits_(limits),
      pool_(&pool),
      compression_(limits.compression, limits.compression_level, limits.read_clock) {
    limits_.batch_size = std::max<std::uint32_t>(limits_.batch_size, 1);  // 0 is used as 1
}

shard_accumulator::~shard_accumulator() {
    ensure(batches_->live_count() == 0);
    ensure(finished_.empty());
    ensure(!compression_.has_work());
    for (const auto& topic : topics_) {
        for (partition_queue* queue : topic->queues) {
            if (queue != nullptr) queues_->free(*queue);
        }
    }
}

topic_queues& shard_accumulator::add_topic(std::string_view name) {
    topics_.push_back(std::make_unique<topic_queues>(name, static_cast<std::uint32_t>(topics_.size())));
    return *topics_.back();
}

partition_queue& shard_accumulator::make_queue(topic_queues& topic, std::int32_t partition) {
    ensure(partition >= 0);
    const auto index = static_cast<std::size_t>(partition);
    if (index >= topic.queues.size()) {
        topic.queues.resize(
            std::max<std::size_t>(index + 1, static_cast<std::size_t>(topic.partition_count)));
    }
    topic.queues[index] = queues_->make(topic, partition);
    return *topic.queues[index];
}

batch& shard_accumulator::make_batch(partition_queue& queue, chunk_chain lent, std::uint32_t write_limit,
                                     time_point now) {
    result_block* result = blocks_->make(*blocks_, queue.topic->name, queue.partition, limits_.loop_token);
    const float share = compression_.is_on() ? queue.topic->ratio.estimate() * compression_margin : 1.0f;
    return *batches_->make(queue, *result, *pool_, lent, write_limit, share, now, ++last_ordinal_);
}

shard_accumulator::appended shard_accumulator::append_to_open(partition_queue& queue,
                                                              const record_parts& parts) {
    batch* const open = queue.open_batch();
    if (open == nullptr) return {};
    const std::uint32_t before = open->records.body_size();
    if (!open->records.try_append(parts)) {
        close(*open);
        return {};
    }
    return note_appended(*open, open->records.body_size() - before);
}

shard_accumulator::appended shard_accumulator::append_to_new(partition_queue& queue,
                                                             const record_parts& parts, time_point now) {
    const std::size_t content_size = record_content_size(parts);
    chunk_chain lent;
    if (!pool_->try_lend(lent, chunks_needed(content_size))) return {};
    ensure(queue.open_batch() == nullptr);

    const std::size_t upper_bound = batch_size_upper_bound(content_size);
    const auto write_limit =
        static_cast<std::uint32_t>(std::max<std::size_t>(limits_.batch_size, upper_bound));
    batch& made = make_batch(queue, lent, write_limit, now);
    queue.waiting.push_back(made);
    by_age_.push_back(made);
    if (is_forced_ || limits_.linger <= duration::zero()) {
        mark_sendable(queue);
    } else {
        lingering_.push_back(made);
    }
    const bool did_append = made.records.try_append(parts);
    ensure(did_append);
    return note_appended(made, std::uint32_t{batch_header_size} + made.records.body_size());
}

void shard_accumulator::close(batch& open) noexcept {
    if (compression_.is_on()) {
        open.records.end_appending();
        compression_.add(open);
    } else {
        open.records.close();
    }
    open.record_count = static_cast<std::int32_t>(open.records.record_count());
    stop_lingering(open);
}

bool shard_accumulator::prepare_head(partition_queue& queue) {
    batch& head = queue.waiting.front();
    if (!head.records.is_closed()) close(head);
    if (head.awaits_compression()) run_compression();
    return !head.awaits_compression();
}

void shard_accumulator::run_compression() {
    compression_.run([this](batch& compressed) { mark_sendable(compressed.queue); });
}

void shard_accumulator::stop_lingering(batch& ready) noexcept {
    if (ready.is_lingering()) ready.list_hook<linger_tag>::unlink();
    mark_sendable(ready.queue);
}

void shard_accumulator::set_forced(bool is_forced) {
    is_forced_ = is_forced;
    if (!is_forced) return;
    while (!lingering_.empty()) stop_lingering(lingering_.front());
}

void shard_accumulator::end_lingering(time_point now) {
    while (!lingering_.empty() && after(lingering_.front().created, limits_.linger) <= now) {
        stop_lingering(lingering_.front());
    }
}

batch& shard_accumulator::take_head(partition_queue& queue, time_point now) noexcept {
    batch& head = queue.waiting.front();
    if (!head.records.is_closed()) close(head);
    ensure(!head.awaits_compression());
    queue.waiting.pop_front();
    head.is_in_flight = true;
    head.last_attempt = now;
    head.attempted_leader_epoch = queue.leader_epoch;
    ++queue.in_flight_count;
    return head;
}

void shard_accumulator::put_back(batch& returned, time_point now) noexcept {
    partition_queue& queue = returned.queue;
    ensure(returned.is_in_flight);
    ensure(!returned.is_resolved);
    returned.is_in_flight = false;
    returned.last_attempt = std::max(returned.last_attempt, now);
    --queue.in_flight_count;
    // Without sequences at the head; with them, before the first that has none or a later one.
    auto place = queue.waiting.begin();
    if (returned.has_sequence()) {
        while (place != queue.waiting.end() && place->has_sequence() &&
               sequence_ledger::is_before(*place, returned)) {
            ++place;
        }
    }
    queue.waiting.insert(place, returned);
    mark_sendable(queue);
}

void shard_accumulator::finish(batch& done, batch_result result) {
    ensure(!done.is_resolved);
    done.is_resolved = true;
    if (done.is_queued()) done.list_hook<queue_tag>::unlink();
    if (done.is_lingering()) done.list_hook<linger_tag>::unlink();
    if (done.awaits_compression()) compression_.withdraw(done);
    done.list_hook<age_tag>::unlink();
    done.result.finish(std::move(result));
    done.result.add_reference();  // whoever takes it from finished_
    finished_.push_back(done.result);
    if (!done.is_in_flight) release(done);
}

void shard_accumulator::release(batch& done) noexcept {
    ensure(done.is_resolved);
    ensure(!done.is_tracked());
    if (done.is_in_flight) --done.queue.in_flight_count;
    done.result.drop_reference();
    batches_->free(done);
}

std::size_t shard_accumulator::split(batch& whole, std::uint32_t target_size) {
    ensure(whole.is_in_flight);
    ensure(!whole.is_resolved);
    batch_header header;
    header.record_count = whole.record_count;
    header.base_timestamp = whole.records.base_timestamp();
    output_buffer sent;
    for (batch_builder::reading rest(whole.records); !rest.is_at_end();) sent.append(rest.next());
    bytes body = sent.content();
    output_buffer raw;
    if (whole.records.type() != compression::none) {
        const error_code error = decompress(whole.records.type(), body, whole.records.raw_body_size(), raw);
        ensure(!error);  // it is what was compressed here
        body = raw.content();
    }

    partition_queue& queue = whole.queue;
    if (compression_.is_on()) {
        queue.topic->ratio.note_split(static_cast<float>(whole.records.body_size()) /
                                      static_cast<float>(whole.records.raw_body_size()));
    }
    std::vector<batch*> parts;
    std::vector<result_block::part> results;
    std::uint32_t index = 0;
    batch_reader reader(header, body);
    while (auto record = reader.next()) {
        const std::size_t content_size = record_content_size(record->parts);
        if (parts.empty() || !parts.back()->records.try_append(record->parts)) {
            // Enough for the whole part at once, since its growth must not fail.
            const std::size_t size = std::max<std::size_t>(record_overhead_max + content_size, target_size);
            chunk_chain lent;
            pool_->lend_beyond_budget(
                lent, pool_->chunks_for(std::min<std::size_t>(size, body.size() + record_overhead_max)));
            // The target is a limit to the byte: with the upper bound of the first record, as for a new batch (ACC-3),
            // a part might hold all records of the whole, be refused again, and so on for ever.
            batch& part = make_batch(queue, lent, target_size, whole.created);
            part.ordinal = whole.ordinal;
            part.is_part = true;
            part.attempts = 0;  // a split uses up no attempt (SPL-1)
            const bool did_append = part.records.try_append(record->parts);
            ensure(did_append);
            parts.push_back(&part);
            results.push_back({index, &part.result});
        }
        parts.back()->record_size_max = std::max(
            parts.back()->record_size_max, static_cast<std::uint32_t>(record_overhead_max + content_size));
        ++index;
    }
    ensure(!reader.error());
    ensure(index == static_cast<std::uint32_t>(whole.record_count));

    // In the places of the whole: in the queue (head), by age, in the ledger.
    std::vector<sequenced*> sequences(parts.begin(), parts.end());
    const auto age = by_age_.iterator_to(whole);
    auto place = queue.waiting.begin();
    while (place != queue.waiting.end() && whole.has_sequence() && place->has_sequence() &&
           sequence_ledger::is_before(*place, whole)) {
        ++place;
    }
    for (batch* part : parts) {
        part->last_attempt = whole.created;
        by_age_.insert(age, *part);
        queue.waiting.insert(place, *part);
        close(*part);
    }
    if (whole.is_tracked()) queue.ledger.replace(whole, sequences);
    whole.result.split(results);
    whole.is_resolved = true;
    whole.list_hook<age_tag>::unlink();
    release(whole);
    mark_sendable(queue);
    return parts.size();
}

batch* shard_accumulator::find_expired(time_point now) noexcept {
    if (by_age_.empty()) return nullptr;
    batch& oldest = by_age_.front();
    return after(oldest.created, limits_.delivery_timeout) <= now ? &oldest : nullptr;
}

time_point shard_accumulator::next_deadline() const noexcept {
    time_point soonest = never;
    if (!lingering_.empty()) soonest = after(lingering_.front().created, limits_.linger);
    if (!by_age_.empty())
        soonest = std::min(soonest, after(by_age_.front().created, limits_.delivery_timeout));
    return soonest;
}

}  // namespace sluice
