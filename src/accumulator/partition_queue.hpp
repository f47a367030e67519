// The batches of one partition that wait to be sent, oldest first, and its sequence numbers. Made at the partition's
// first record and kept: a partition that is idle costs these bytes and nothing else.
//
// Owner: one shard, the partition's.
#pragma once

#include <cstdint>

#include "accumulator/batch.hpp"

namespace sluice {

class topic_queues;
class broker_queue;  // of the sender: the leader's

struct sendable_tag;

class partition_queue : public list_hook<sendable_tag> {
public:
    partition_queue(topic_queues& topic_, std::int32_t partition_) noexcept
        : topic(&topic_), partition(partition_) {}

    topic_queues* topic;
    broker_queue* leader = nullptr;  // the sender's; nullptr while no leader is known
    std::int32_t partition;
    std::int32_t leader_epoch = -1;
    sequence_ledger ledger;
    list_of<batch, queue_tag> waiting;  // not in flight; the open batch is the last
    std::uint16_t in_flight_count = 0;
    std::uint16_t backoff_number =
        0;                         // counts them, and wraps: the sender's list may have earlier ones still
    bool is_backing_off = false;   // its head is retried when the newest backoff is due (ACC-11)
    bool wants_new_epoch = false;  // it is on the sender's list of those

    // The batch that takes records, or nullptr.
    batch* open_batch() noexcept {
        if (waiting.empty()) return nullptr;
        batch& last = waiting.back();
        return last.records.is_closed() ? nullptr : &last;
    }
    // Something to send, by size, time, or because somebody waits (ACC-9). Backoff and order are the sender's matter.
    // One whose head is being compressed is not, and is reported when that is done.
    bool is_sendable() const noexcept {
        if (waiting.empty()) return false;
        const batch& head = waiting.front();
        return !head.is_lingering() && !head.awaits_compression();
    }
};

static_assert(sizeof(partition_queue) <= 96, "what an idle partition costs");

}  // namespace sluice
