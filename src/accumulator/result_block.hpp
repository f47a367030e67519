// What became of the records of one batch; shared by the batch and the deliveries of its records. Not the batch's
// memory: that is given back as soon as the broker has answered, while a delivery may be kept for ever.
//
//   pending --finish()--> done                       one result for all records; the offset of each is base + index
//           --split()---> split                      (first index -> another block): deliveries walk on by themselves
//
// Owner:    one shard; references are counted plainly. What other threads hold goes through staged records.
// Lifetime: until the batch and the last delivery let go; survives its shard (memory/slab.hpp).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/ensure.hpp"
#include "memory/slab.hpp"
#include "sluice/detail/task.hpp"
#include "sluice/error.hpp"
#include "sluice/record_metadata.hpp"

namespace sluice {

struct batch_result {
    error_code error;
    sluice::outcome outcome = sluice::outcome::not_persisted;
    std::int64_t base_offset = -1;
    std::int64_t log_append_time = -1;  // ms; -1: the topic has CreateTime
    shared_text message;
};

class result_block : public list_hook<result_block> {
public:
    // `loop_token` stands for the loop that alone may touch the block; never followed, since the loop may end before.
    result_block(slab<result_block>& home, shared_text topic, std::int32_t partition,
                 const void* loop_token = nullptr) noexcept
        : home_(&home), topic_(std::move(topic)), partition_(partition), loop_token_(loop_token) {}
    ~result_block();

    void add_reference() noexcept { ++references_; }
    void drop_reference() noexcept {
        ensure(references_ > 0);
        if (--references_ == 0) home_->free(*this);
    }

    bool is_done() const noexcept { return state_ == state::done; }
    bool is_split() const noexcept { return state_ == state::split; }
    const batch_result& result() const noexcept { return result_; }
    const shared_text& topic() const noexcept { return topic_; }
    std::int32_t partition() const noexcept { return partition_; }
    const void* loop_token() const noexcept { return loop_token_; }

    // Puts a waiter at the place of its record (`index`): waiters wake in the order of the records. Pending blocks only.
    void wait(completion& waiter) noexcept;
    // A delivery that nobody awaits any more: if the batch fails, on_delivery_error hears of it.
    void note_dropped() noexcept { ++dropped_count_; }
    std::uint32_t dropped_count() const noexcept { return dropped_count_; }

    // Sets the result once. The waiters stay until the owner takes them to the loop.
    void finish(batch_result result) noexcept;
    task_list& waiters() noexcept { return waiters_; }

    // Hands the records on to other blocks: parts[i] has those from first_index on. Waiters move along.
    struct part {
        std::uint32_t first_index;
        result_block* block;
    };
    void split(std::span<const part> parts);
    // Of a split block: who has this record now, and as which.
    part find(std::uint32_t index) const noexcept;

    // The metadata of one record of a block that is done; timestamp and sizes are the delivery's.
    record_metadata metadata(std::uint32_t index, std::int64_t timestamp, std::int32_t key_size,
                             std::int32_t value_size) const;

private:
    enum class state : std::uint8_t { pending, done, split };

    slab<result_block>* home_;
    shared_text topic_;
    std::int32_t partition_;
    const void* loop_token_;
    std::uint32_t references_ = 1;  // its maker's
    std::uint32_t dropped_count_ = 0;
    state state_ = state::pending;
    batch_result result_;
    task_list waiters_;  // of completions, by index
    std::vector<part> parts_;
};

}  // namespace sluice
