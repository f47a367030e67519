// All batches of one core: where records are appended, and which queues have something to send (Kafka's
// RecordAccumulator). It knows no broker and does no I/O; it reports queues that became sendable, and results.
//
//   append --> open batch --(full | lingered | forced)--> `sendable` --> the sender takes batches
//                 `--> (compression: closed, and compressed first)       and gives them back: retry, split, finish
//   finished results gather in `finished_blocks` until the owner takes them to the loop, all at one point of the turn
//
// Nothing here walks over all partitions: lingering and age are lists by creation time, and only their heads are
// looked at (both waits are the same for all batches).
//
// Owner: one shard; not synchronised.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <vector>

#include "accumulator/batch_compression.hpp"
#include "accumulator/partition_queue.hpp"
#include "accumulator/topic_queues.hpp"
#include "memory/buffer_pool.hpp"
#include "memory/slab.hpp"

namespace sluice {

struct accumulator_limits {
    std::uint32_t batch_size = 16384;                               // bytes (batch.size)
    duration linger = std::chrono::milliseconds(5);                 // linger.ms
    duration delivery_timeout = std::chrono::milliseconds(120000);  // delivery.timeout.ms
    sluice::compression compression = sluice::compression::none;    // compression.type
    std::function<time_point()> read_clock;  // for compression to look how long it takes; may be empty
    int compression_level = 0;               // of that type
    const void* loop_token = nullptr;        // whose results they are: see result_block
};

class shard_accumulator {
public:
    shard_accumulator(const accumulator_limits& limits, buffer_pool& pool);
    // Every batch must be finished and released.
    ~shard_accumulator();
    shard_accumulator(const shard_accumulator&) = delete;
    shard_accumulator& operator=(const shard_accumulator&) = delete;

    topic_queues& add_topic(std::string_view name);
    // The queue of a partition that this shard owns; made at its first use.
    partition_queue& queue(topic_queues& topic, std::int32_t partition) {
        partition_queue* found = topic.find(partition);
        return found != nullptr ? *found : make_queue(topic, partition);
    }

    // ---- records in
    struct appended {
        result_block* result = nullptr;      // nullptr: nothing was appended, for lack of room or memory
        std::uint32_t index = 0;             // of the record in its batch
        std::uint32_t grown_bytes : 31 = 0;  // by how much the batch's estimated size grew (PRT-9)
        bool is_batch_full : 1 =
            false;  // its batch takes no more: the moment for another sticky partition (PRT-11)
    };
    static_assert(sizeof(appended) <= 16);  // comes back in registers
    // Appends to the open batch, if there is one and it has room. One without room is closed: it takes no more, also where
    // this record then goes to another partition (ACC-2). Its checksum is taken while its bytes are in the caches.
    appended append_to_open(partition_queue& queue, const record_parts& parts);
    // The same for anything with a key, a value and headers, whose record_content_size is at most `content_bound`; but
    // nothing is done, and no batch closed, where that takes more than a few instructions.
    template <class Parts>
    [[gnu::always_inline]] appended append_quickly(partition_queue& queue, const Parts& parts,
                                                   std::int64_t timestamp, std::size_t content_bound) {
        if (queue.waiting.empty()) return {};
        batch& last = queue.waiting.back();
        const std::uint32_t before = last.records.body_size();
        if (!last.records.try_append_quickly(parts, timestamp, content_bound)) [[unlikely]]
            return {};
        return note_appended(last, last.records.body_size() - before);
    }
    // Appends to a new batch, if memory is free. `now` becomes the batch's creation time.
    appended append_to_new(partition_queue& queue, const record_parts& parts, time_point now);
    // One or the other.
    appended append(partition_queue& queue, const record_parts& parts, time_point now) {
        const appended done = append_to_open(queue, parts);
        return done.result != nullptr ? done : append_to_new(queue, parts, now);
    }
    // Chunks that a new batch for this record needs: what a caller waits for.
    std::uint32_t chunks_needed(std::size_t content_size) const noexcept {
        return pool_->chunks_for(record_overhead_max + content_size);
    }

    // ---- what to send
    // Batches no longer linger while this is on: flush, close, or callers that wait for memory (ACC-9, BUF-19).
    void set_forced(bool is_forced);
    bool is_forced() const noexcept { return is_forced_; }
    // Ends the lingering of batches that are old enough.
    void end_lingering(time_point now);
    // Queues that became sendable since the last call go to `take`, oldest first. They are on no list then.
    template <class Take>
    void take_sendable(Take&& take) {
        while (!sendable_.empty()) {
            partition_queue& queue = sendable_.front();
            sendable_.pop_front();
            take(queue);
        }
    }
    void mark_sendable(partition_queue& queue) noexcept {
        if (!queue.list_hook<sendable_tag>::is_linked()) sendable_.push_back(queue);
    }
    // Takes the head of a queue out, closed; it is in flight then. Only if can_take_head().
    batch& take_head(partition_queue& queue, time_point now) noexcept;

    // Of a sendable queue that is about to be sent: can its head be taken? False: it has to be compressed first, which begins
    // now, and the queue is reported as sendable again.
    bool can_take_head(partition_queue& queue) { return !compression_.is_on() || prepare_head(queue); }

    // ---- compression
    // A new turn: compresses batches that are closed, as far as the turn's share of work goes.
    void compress_in_turn() {
        if (!compression_.is_on()) return;
        compression_.begin_turn();
        run_compression();
    }
    // Batches are left for the next turn.
    bool has_to_compress() const noexcept { return compression_.has_work(); }
    // Records had better be accepted later: what waits here costs memory and cache misses.
    bool is_compression_behind() const noexcept { return compression_.is_behind(); }

    // ---- batches back
    // Puts a batch that is in flight back to its place in the queue (ACC-26).
    void put_back(batch& returned, time_point now) noexcept;
    // Sets the result and takes the batch off every list; the memory stays until release() if it is in flight.
    void finish(batch& done, batch_result result);
    // Gives a resolved batch's memory back; nothing refers to its bytes any more.
    void release(batch& done) noexcept;
    // Cuts a batch in flight into parts of at most `target_size` bytes (header included), a record at least each.
    // They replace it at the head of the queue, keep its creation time and its sequences; it is released.
    // Their count; 0 (and nothing done) if the records cannot be read back.
    std::size_t split(batch& whole, std::uint32_t target_size);

    // The oldest batch without a result that is older than delivery.timeout.ms, or nullptr (ACC-23, ACC-24).
    batch* find_expired(time_point now) noexcept;
    // Any batch without a result; nullptr if there is none. For failing all.
    batch* find_unresolved() noexcept { return by_age_.empty() ? nullptr : &by_age_.front(); }

    // Results that were set since the last call, in order; `take` owns one reference of each.
    template <class Take>
    void take_finished(Take&& take) {
        while (!finished_.empty()) {
            result_block& block = finished_.front();
            finished_.pop_front();
            take(block);
        }
    }
    bool has_finished() const noexcept { return !finished_.empty(); }

    // ---- for flush and timers
    std::uint64_t last_ordinal() const noexcept { return last_ordinal_; }
    // Every batch made up to this ordinal has a result.
    bool is_resolved_up_to(std::uint64_t ordinal) const noexcept {
        return by_age_.empty() || by_age_.front().ordinal > ordinal;
    }
    time_point next_deadline() const noexcept;
    bool is_empty() const noexcept { return by_age_.empty(); }
    std::size_t batch_count() const noexcept { return batches_->live_count(); }
    std::size_t queue_count() const noexcept { return queues_->live_count(); }

private:
    partition_queue& make_queue(topic_queues& topic, std::int32_t partition);
    appended note_appended(batch& open, std::uint32_t grown) {
        appended done;
        done.result = &open.result;
        done.result->add_reference();
        done.index = open.records.record_count() - 1;
        done.grown_bytes = grown & 0x7fff'ffff;
        if (grown > open.record_size_max) open.record_size_max = grown;
        if (compression_.is_on()) [[unlikely]]
            done.grown_bytes = open.records.expected_size(grown) & 0x7fff'ffff;
        if (open.records.is_full()) [[unlikely]] {
            close(open);
            done.is_batch_full = true;
        }
        return done;
    }
    void close(batch& open) noexcept;
    bool prepare_head(partition_queue& queue);
    void run_compression();
    void stop_lingering(batch& ready) noexcept;
    batch& make_batch(partition_queue& queue, chunk_chain lent, std::uint32_t write_limit, time_point now);

    accumulator_limits limits_;
    buffer_pool* pool_;
    batch_compression compression_;
    slab_ptr<batch> batches_ = slab<batch>::create();
    slab_ptr<result_block> blocks_ = slab<result_block>::create();
    slab_ptr<partition_queue> queues_ = slab<partition_queue>::create();
    std::vector<std::unique_ptr<topic_queues>> topics_;
    list_of<partition_queue, sendable_tag> sendable_;
    list_of<batch, linger_tag> lingering_;
    list_of<batch, age_tag> by_age_;
    list_of<result_block, result_block> finished_;
    std::uint64_t last_ordinal_ = 0;
    bool is_forced_ = false;
};

}  // namespace sluice
