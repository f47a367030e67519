// A topic as one shard sees it: whether it is known, how it is partitioned, who waits for it, and the sticky choice.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "accumulator/topic_queues.hpp"
#include "base/arrival_order.hpp"
#include "base/random.hpp"
#include "cluster/snapshot.hpp"
#include "engine/topic_registry.hpp"
#include "partitioner/sticky_choice.hpp"
#include "sluice/error.hpp"

namespace sluice {

// Who waits until a topic, or a partition of it, is known. Unlinks itself when it is destroyed.
class topic_waiter : public list_hook<topic_waiter> {
public:
    // The topic was looked at again, or it is a yielded caller's turn: goes on, ends, or waits again at the end of the
    // list that fits. Off the list it was on in any case.
    virtual void serve_topic(time_point now) = 0;
    virtual std::uint64_t arrival_number() const noexcept { return no_arrival_number; }
    bool waits_for_topic() const noexcept { return list_hook<topic_waiter>::is_linked(); }

protected:
    ~topic_waiter() = default;
};

// By arrival, wherever each has waited before.
using topic_waiters = list_of<topic_waiter, topic_waiter>;
inline void wait_by_arrival(topic_waiters& waiters, topic_waiter& added) {
    insert_by_arrival(waiters, added);
}

// Owner: one shard. Kept as long as the shard.
class shard_topic {
public:
    shard_topic(std::shared_ptr<topic_entry> entry_, topic_queues& queues_)
        : entry(std::move(entry_)), queues(queues_) {}

    std::shared_ptr<topic_entry> entry;
    topic_queues& queues;
    std::shared_ptr<const topic_node> node;  // of the shard's view; nullptr: not known
    topic_waiters waiters;                   // for the topic: who comes later waits behind them
    topic_waiters partition_waiters;         // for a partition beyond the count: nobody waits for them
    sticky_choice sticky;
    partition_queue* sticky_queue = nullptr;  // of the current choice
    // Partitions that a record without a key may go to, from this shard: its own, as long as every shard owns about as
    // many (`is_sticky_local`), else all of them, by the common choice of all shards (`sticky` counts for it where it is
    // owned). Uniform over those with a leader; if none has one, over all (PRT-14).
    bool is_sticky_local = true;
    std::vector<std::int32_t> candidates;
    time_point last_wanted{};     // when the home was told last that this topic is used
    bool is_wanted = false;       // told so, and not answered yet
    std::int16_t last_error = 0;  // Kafka's code, of the last metadata answer

    // Errors that end the wait for a topic (MDW-9).
    error_code hopeless_error() const noexcept {
        const auto code = static_cast<broker_errc>(last_error);
        if (code == broker_errc::invalid_topic_exception || code == broker_errc::topic_authorization_failed)
            return code;
        return {};
    }
    bool is_known() const noexcept { return node != nullptr; }
    std::int32_t partition_count() const noexcept { return node == nullptr ? 0 : node->partition_count(); }
    std::string_view name() const noexcept { return entry->name.view(); }
};

}  // namespace sluice
