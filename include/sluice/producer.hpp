// The producer: what everything else is for.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "sluice/deliver_operation.hpp"
#include "sluice/delivery.hpp"
#include "sluice/detail/call.hpp"
#include "sluice/loop.hpp"
#include "sluice/producer_config.hpp"
#include "sluice/record.hpp"
#include "sluice/runtime.hpp"
#include "sluice/send_operation.hpp"
#include "sluice/topic.hpp"

namespace sluice {

class producer_core;
struct producer_access;

// A partition as the cluster's metadata shows it (Kafka's PartitionInfo). Nodes are broker ids; -1: no leader.
struct partition_info {
    std::int32_t partition = 0;
    std::int32_t leader = -1;
    std::vector<std::int32_t> replicas;
    std::vector<std::int32_t> in_sync_replicas;
    std::vector<std::int32_t> offline_replicas;
};

// Sends records to Kafka (org.apache.kafka.clients.producer.Producer).
//
//   sluice::producer producer = co_await sluice::producer::create(loop, config);
//   sluice::delivery delivery = co_await producer.send(sluice::record{"orders", key, value});   // accepted
//   sluice::record_metadata placed = co_await std::move(delivery);                              // acknowledged
//
// Every awaitable call is (a) a Boost.Asio asynchronous operation, for any completion token, (b) an awaiter for any other
// coroutine type, and (c) an object with poll() and value(). See detail/operation.hpp for where it completes.
//
// Thread rules: the calls may be made from any thread, and from many at once. Those made on a loop of the producer are
// served by that loop's shard without an atomic.
// Lifetime: move-only; outlives the operations started on it. Destroying it without close() never waits: what is not sent
// fails with errc::closed. Its loops outlive it.
class producer {
public:
    using time_point = std::chrono::steady_clock::time_point;
    using nanoseconds = std::chrono::nanoseconds;
    static constexpr nanoseconds for_ever = nanoseconds::max();

    producer() noexcept = default;  // none: only assignment and destruction are allowed
    producer(producer&& other) noexcept = default;
    producer& operator=(producer&& other) noexcept;
    ~producer();

    // Checks the configuration and resolves the bootstrap servers; connects to nothing yet (MDW-1). One shard per loop.
    // Errors: errc::invalid_config, bootstrap_failed; the exception's text names key and value. A callback, or another token
    // that gets the code alone: the text is logged.
    static call_operation<producer> create(loop& on, producer_config config);
    static call_operation<producer> create(std::span<loop* const> on, producer_config config);
    static call_operation<producer> create(runtime& on, producer_config config);

    // Accepts the record, or waits until it can; gives its delivery. `deadline`: this call's own, beside max.block.ms.
    send_operation send(const record& sent, time_point deadline = time_point::max()) {
        return send_operation(core_.get(), sent, deadline);
    }
    // Never waits: errc::would_block if send() would.
    result<delivery> try_send(const record& sent);
    // send() and its delivery in one await.
    deliver_operation deliver(const record& sent, time_point deadline = time_point::max()) {
        return deliver_operation(send(sent, deadline));
    }

    // A handle, so that a record that names its topic with it costs no look-up.
    sluice::topic topic(std::string_view name);

    // Completes when everything accepted before has its result; makes it leave at once, without lingering (CLS-1).
    call_operation<void> flush();
    // The topic's partitions, asked for if they are not known; at most max.block.ms (MDW-15).
    // Errors: errc::metadata_timeout, closed; broker_errc::invalid_topic_exception, topic_authorization_failed
    call_operation<std::vector<partition_info>> partitions_for(std::string_view topic);
    // Takes no more records, sends what is accepted, and completes when nothing of the producer runs any more. What is
    // left after `timeout` fails with errc::closed; 0 aborts at once (CLS-4, CLS-5).
    call_operation<void> close(nanoseconds timeout = for_ever);

private:
    friend struct producer_access;
    explicit producer(std::shared_ptr<producer_core> core) noexcept : core_(std::move(core)) {}
    std::shared_ptr<producer_core> core_;
};

}  // namespace sluice
