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
// Every cache line that is touched here moves from one core to another and back, for every record: what most records do
// not need is kept apart (`aside`).
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
                            public list_hook<ingress_tag>,
                            public list_hook<unappended_tag>,
                            public completion {
public:
    static constexpr std::size_t block_size = 384;
    enum class state : std::uint8_t { waiting, withdrawn, accepted, refused };
    // Of `event`.
    static constexpr std::uint8_t decided = 1;   // accepted or refused
    static constexpr std::uint8_t finished = 2;  // the delivery has its result

    // What a record needs that has to wait at a shard, or fails. Made with the first need of it, kept as long as the record.
    class aside_part final : public topic_waiter, public memory_waiter, public timer {
    public:
        explicit aside_part(staged_record& of_) noexcept : timer(&expire), of(of_) {}
        void serve_topic(time_point now) override;
        bool serve_memory(time_point now) override;
        std::uint64_t arrival_number() const noexcept override { return of.arrival; }

        staged_record& of;
        time_point give_up_at = never;   // not accepted by then: refused
        bool has_call_deadline = false;  // it is the call's own, not max.block.ms
        error_code error;                // why it was refused, or failed
        shared_text message;

    private:
        static void expire(timer& due) noexcept;
    };

    // Copies the record, of which record_content_size is known. One block; for large records one more, for the bytes.
    static staged_record* make(const record& copied, std::size_t content_size, topic_entry& topic);
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
    aside_part& aside() {
        if (aside_ == nullptr) aside_ = std::make_unique<aside_part>(*this);
        return *aside_;
    }
    // nullptr: it never had to wait.
    aside_part* aside_if_any() const noexcept { return aside_.get(); }
    void fail(error_code why, shared_text message, sluice::outcome what = outcome::not_persisted);
    // Before it is finished, unless nobody will ask.
    void share_name(const shared_text& name) noexcept;

    // What it costs of the ingress credit.
    std::size_t size_bytes() const noexcept { return size_bytes_; }
    std::size_t content_size() const noexcept { return content_size_; }

    // ---- of a finished or refused record
    error_code error() const { return aside_ == nullptr ? error_code() : aside_->error; }
    shared_text message() const { return aside_ == nullptr ? shared_text() : aside_->message; }
    batch_result failure() const;
    record_metadata metadata() const;

    // Of the topic, for the caller: at any time.
    shared_text topic_name() const;

    remote_event event;

    // ---- written before the push, and never again
    std::int32_t partition_asked = any_partition;

    // ---- written before the push, then by the shard
    std::int32_t partition = any_partition;  // as asked for, or as chosen
    topic_entry* topic = nullptr;            // valid as long as a shard has the record
    std::int64_t timestamp = 0;
    std::int32_t key_size = -1;
    std::int32_t value_size = -1;
    std::uint32_t home = 0;         // the shard that chooses a partition where neither record nor key does
    std::uint32_t paid_credit = 0;  // bytes of the owning shard's ingress credit
    time_point started{};           // when the call began to wait here, or it was accepted
    bool is_local = false;          // waits among the callers on the shard's loop (shard::wait_here)
    bool is_open = false;           // neither record nor key names a partition
    bool is_routed = false;   // through the home shard of the producer, since its topic was not published yet
    std::uint32_t index = 0;  // in its batch
    std::uint64_t arrival = 0;      // counts what has come to the shard, and waiting callers of its loop
    shard* at = nullptr;            // the shard that has it now; of one made by share(): from its failure on
    event_loop* loop = nullptr;     // and its loop
    result_block* block = nullptr;  // of its batch, where this completion waits; holds a reference

private:
    using blocks = travelling_blocks<block_size>;

    staged_record() noexcept : completion(&on_result) {}
    ~staged_record() = default;
    static void on_result(task& self, fate what);
    void take_result(bool is_valid);
    void set_result(const batch_result& result);
    std::byte* bytes_behind() const noexcept;
    void copy_name(const topic_entry& topic, std::size_t record_size) noexcept;
    void copy_bytes(const record& copied) noexcept;
    std::string_view copied_name() const noexcept;

    std::atomic<std::uint32_t> references_{2};
    std::atomic<state> state_{state::waiting};
    sluice::outcome outcome_ = outcome::not_persisted;
    // The topic's name is copied like the record: a reference to the shared text would be counted up here and down at the shard, for
    // every record, in one cache line of all. It is shared where the record has its result, or if it would not leave the record
    // room in the block.
    std::uint16_t name_size_ = 0;
    std::uint32_t size_bytes_ = 0;
    std::uint32_t content_size_ = 0;
    std::uint32_t header_count_ = 0;
    std::int64_t offset_ = -1;  // of a finished record
    std::unique_ptr<std::byte[]> large_bytes_;
    shared_text topic_name_;
    std::unique_ptr<aside_part> aside_;
    // Behind it in the block: the copied name; at the next multiple of a header's alignment, unless large_bytes_ has them, the
    // headers, key, value, and the headers' texts.
};

}  // namespace sluice
