// A record on its way from a thread, or a loop, to the shard that owns its partition.
//
//   state   waiting ---> accepted ---> done          `accepted` from the start where the ingress credit paid for it
//              |  `----> refused                     the caller gets an error, nothing was sent
//              `-------> withdrawn                   by the caller: cancelled, or gone before it was accepted
//
// Two references: the caller's (a send that waits, then the delivery) and the shard's. The bytes are a copy, small ones
// within this object's own block, large ones freed as soon as the record is in a batch. No shard ever reads a foreign
// coroutine's frame: whoever waits is woken through `event`.
//
// Owner: shared, atomic (state by compare-and-swap, event); everything else is written by the caller before the push, then
// by the shard.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "accumulator/result_block.hpp"
#include "engine/remote_event.hpp"
#include "engine/shard_topic.hpp"
#include "loop/timer_heap.hpp"
#include "memory/buffer_pool.hpp"
#include "memory/travelling_blocks.hpp"
#include "record/record_format.hpp"
#include "sluice/detail/copy_apart.hpp"
#include "sluice/record.hpp"

namespace sluice {

class shard;
class topic_entry;
class partition_queue;

struct ingress_tag;
struct unappended_tag;

class staged_record final : public mpsc_node,
                            public topic_waiter,
                            public memory_waiter,
                            public list_hook<ingress_tag>,
                            public list_hook<unappended_tag>,
                            public completion {
public:
    enum class state : std::uint8_t { waiting, withdrawn, accepted, refused };
    // Of `event`.
    static constexpr std::uint8_t decided = 1;   // accepted or refused
    static constexpr std::uint8_t finished = 2;  // the delivery has its result

    // Copies the record. One block; for large records one more, for the bytes.
    static staged_record* make(const record& copied, topic_entry& topic);
    // For a record that is in a batch already, so that its delivery may travel; on the loop of the block. Takes over one
    // reference of it.
    static staged_record* share(result_block& block, std::uint32_t index, std::int64_t timestamp,
                                std::int32_t key_size, std::int32_t value_size);

    // Of a waiter in a result block; nullptr if that is something else.
    static staged_record* of(task& waiter) noexcept;

    // Lets go of one reference.
    void drop_reference() noexcept;
    bool is_caller_gone() const noexcept { return references_.load(std::memory_order_acquire) == 1; }

    // ---- the caller
    state current_state() const noexcept { return state_.load(std::memory_order_acquire); }
    // False if the shard was quicker.
    bool try_withdraw() noexcept {
        state expected = state::waiting;
        return state_.compare_exchange_strong(expected, state::withdrawn, std::memory_order_acq_rel);
    }

    // ---- before the push: paid for
    void mark_accepted() noexcept { state_.store(state::accepted, std::memory_order_relaxed); }

    // ---- the shard
    // Moves on from `waiting`; false if the caller has withdrawn. An accepted record stays accepted.
    bool try_decide(state next) noexcept {
        state expected = state::waiting;
        return state_.compare_exchange_strong(expected, next, std::memory_order_acq_rel);
    }
    // Views into the copy; valid until free_bytes().
    record_parts parts() const noexcept;
    void free_bytes() noexcept { large_bytes_.reset(); }
    // Before it is finished, unless nobody will ask.
    void share_name(const shared_text& name) noexcept;

    std::size_t size_bytes() const noexcept { return size_bytes_; }
    std::size_t content_size() const noexcept { return content_size_; }

    void serve_topic(time_point now) override;
    bool serve_memory(time_point now) override;

    // Of the topic, for the caller: at any time.
    shared_text topic_name() const;

    // ---- written before the push, and never again
    std::int32_t partition_asked = any_partition;

    // ---- written before the push, then by the shard
    topic_entry* topic = nullptr;            // valid as long as a shard has the record
    std::int32_t partition = any_partition;  // as asked for, or as chosen
    std::int64_t timestamp = 0;
    std::int32_t key_size = -1;
    std::int32_t value_size = -1;
    std::uint32_t home = 0;          // the shard that chooses a partition where neither record nor key does
    time_point started{};            // when the call began to wait here, or it was accepted
    time_point give_up_at = never;   // not accepted by then: refused
    bool has_call_deadline = false;  // it is the call's own, not max.block.ms
    bool is_local = false;           // waits among the callers on the shard's loop (shard::wait_here)
    bool is_open = false;            // neither record nor key names a partition
    bool is_routed = false;  // through the home shard of the producer, since its topic was not published yet
    std::size_t paid_credit = 0;  // bytes of the owning shard's ingress credit
    std::uint64_t arrival = 0;    // counts the shard's staged records
    shard* at = nullptr;          // the shard that has it now; of one made by share(): from its failure on
    event_loop* loop = nullptr;   // and its loop

    remote_event event;
    batch_result result;      // of a finished record; of a refused one error and message
    std::uint32_t index = 0;  // in its batch

    // While it waits at the shard: for memory, or for its topic.
    struct deadline_timer : timer {
        explicit deadline_timer(staged_record& of) noexcept : timer(&expire), self(of) {}
        static void expire(timer& due) noexcept;
        staged_record& self;
    };
    deadline_timer deadline{*this};
    result_block* block = nullptr;  // of its batch, where this completion waits; holds a reference

    record_metadata metadata() const;

private:
    static constexpr std::size_t block_size = 640;
    using blocks = travelling_blocks<block_size>;

    staged_record() noexcept : completion(&on_result) {}
    ~staged_record() = default;
    static void on_result(task& self, fate what);
    void take_result(bool is_valid);
    void copy(const record& copied, std::byte* to) noexcept;
    void copy_name(const topic_entry& topic, char* from, const char* end) noexcept;

    std::atomic<std::uint32_t> references_{2};
    std::atomic<state> state_{state::waiting};
    std::size_t size_bytes_ = 0;
    std::size_t content_size_ = 0;
    record_parts parts_;  // views into the copy
    std::unique_ptr<std::byte[]> large_bytes_;
    // The topic's name is copied like the record: a reference to the shared text would be counted up here and down at the shard, for
    // every record, in one cache line of all. It is shared where the record has its result, or if it is too long to copy.
    std::string_view copied_name_;
    shared_text topic_name_;
};

}  // namespace sluice
