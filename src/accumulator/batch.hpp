// A batch: records of one partition that travel, fail and are acknowledged together.
//
//   open --full, lingered, flushed--> waiting --drain--> in flight --answer--> done
//    |                                   ^                  | retry, parts of a split
//    `--- appended to                    `------------------'
//
// Owner: one shard. Made and freed by its shard_accumulator, which keeps it on these lists:
//   queue    its partition's deque, while it is not in flight (head = oldest)
//   age      all batches without a result, by creation: delivery.timeout.ms, flush
//   linger   open batches that may wait for more records, by creation: linger.ms
//   compress closed batches that are not compressed yet; they cannot be sent
//   ledger   batches with a sequence number (exactly_once)
#pragma once

#include <cstdint>

#include "accumulator/result_block.hpp"
#include "base/time.hpp"
#include "exactly_once/sequence_ledger.hpp"
#include "record/batch_builder.hpp"

namespace sluice {

class partition_queue;

struct queue_tag;
struct age_tag;
struct linger_tag;
struct compress_tag;

class batch : public sequenced,
              public list_hook<queue_tag>,
              public list_hook<age_tag>,
              public list_hook<linger_tag>,
              public list_hook<compress_tag> {
public:
    batch(partition_queue& queue_, result_block& result_, buffer_pool& pool, chunk_chain lent,
          std::uint32_t write_limit, float expected_share, time_point now, std::uint64_t ordinal_) noexcept
        : queue(queue_),
          result(result_),
          records(pool, lent, write_limit, expected_share),
          created(now),
          last_attempt(now),
          ordinal(ordinal_) {}

    partition_queue& queue;
    result_block& result;  // holds one reference
    batch_builder records;
    time_point created;          // kept over retries and splits (ACC-28)
    time_point last_attempt;     // or creation
    std::uint64_t ordinal;       // counts batches as they are made; parts of a split one keep its ordinal
    std::uint32_t attempts = 0;  // that ended without success
    std::int32_t attempted_leader_epoch = -1;
    bool is_in_flight = false;
    bool is_part = false;               // of a split batch (SPL-2)
    bool is_resolved = false;           // its result is set; in flight still if it expired there (ACC-24)
    std::uint32_t record_size_max = 0;  // of the largest record: what a part must hold at least
    error_code last_error;              // of the last attempt, for the text of a time-out

    bool is_lingering() const noexcept { return list_hook<linger_tag>::is_linked(); }
    bool awaits_compression() const noexcept { return list_hook<compress_tag>::is_linked(); }
    bool is_queued() const noexcept { return list_hook<queue_tag>::is_linked(); }
};

}  // namespace sluice
