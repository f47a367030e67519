// A sender with an accumulator of its own and two usable brokers, 1 and 2: what goes in and out of it without a network.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sender/sender.hpp"
#include "unit/accumulator/accumulator_fixture.hpp"
#include "wire/frame.hpp"

namespace sluice {

inline sender_config steady_config() {
    sender_config config;
    config.retry_backoff = std::chrono::milliseconds(100);  // constant, hence without jitter
    config.retry_backoff_max = config.retry_backoff;
    config.delivery_timeout = std::chrono::seconds(10);
    return config;
}

inline sender_config plain_config() {
    sender_config config = steady_config();
    config.is_idempotent = false;
    return config;
}

// What a broker says of one partition.
inline wire::partition_produce_response stored(std::int32_t partition, std::int64_t base_offset) {
    wire::partition_produce_response answer;
    answer.index = partition;
    answer.base_offset = base_offset;
    return answer;
}

inline wire::partition_produce_response refused(std::int32_t partition, broker_errc why,
                                                std::optional<std::string_view> message = std::nullopt) {
    wire::partition_produce_response answer;
    answer.index = partition;
    answer.error_code = static_cast<std::int16_t>(why);
    answer.base_offset = -1;
    answer.error_message = message;
    return answer;
}

struct sender_fixture : accumulator_fixture {
    using answers = std::vector<wire::partition_produce_response>;

    explicit sender_fixture(const sender_config& wanted = steady_config(), std::size_t memory_bytes = 1 << 20,
                            compression type = compression::none, int level = 0)
        : accumulator_fixture(limits_from(wanted, type, level), memory_bytes),
          config(wanted),
          tested(config, accumulator, 1) {
        tested.on_broker_usable(1);
        tested.on_broker_usable(2);
        if (config.is_idempotent) tested.set_identity(identity);
    }
    static accumulator_limits limits_from(const sender_config& config, compression type, int level) {
        accumulator_limits limits;
        limits.compression = type;
        limits.compression_level = level;
        limits.batch_size = config.batch_size;
        limits.linger = duration::zero();
        limits.delivery_timeout = config.delivery_timeout;
        return limits;
    }

    // The queue of a partition, led by broker 1 unless it has a leader already.
    partition_queue& led(std::int32_t partition = 0) {
        partition_queue& found = queue(partition);
        if (found.leader == nullptr) tested.set_leader(found, 1, 5);
        // The first batch of all would go alone.
        if (config.is_idempotent && found.ledger.is_idle() &&
            found.ledger.identity() == producer_identity{}) {
            found.ledger.introduce(identity);
        }
        return found;
    }
    held_record send(std::int32_t partition, bytes_view value, time_point now = at({})) {
        return append(led(partition), value, now);
    }
    // A batch for each value, whatever its size.
    std::vector<held_record> send_batches(std::int32_t partition, int count, time_point now = at({})) {
        std::vector<held_record> sent;
        for (int i = 0; i < count; ++i) {
            sent.push_back(send(partition, std::string(config.batch_size, static_cast<char>('a' + i)), now));
        }
        return sent;
    }

    // The next request for a broker, with no batches if there is none.
    produce_attempt next(std::int32_t node_id = 1, time_point now = at({})) {
        tested.collect();
        produce_attempt attempt;
        tested.fill(tested.broker(node_id), attempt, now);
        attempt.version = 12;  // by name, with leader hints
        return attempt;
    }
    // Fills a request, which has one batch.
    batch& next_batch(produce_attempt& attempt, std::int32_t node_id = 1, time_point now = at({})) {
        attempt = next(node_id, now);
        ensure(attempt.batches.size() == 1);
        return *attempt.batches.front();
    }

    error_code answer(produce_attempt& attempt, answers partitions, time_point now = at({}),
                      std::vector<wire::node_endpoint> nodes = {}) {
        wire::produce_response response;
        wire::topic_produce_response& answered = response.responses.emplace_back();
        answered.name = topic.name.view();
        answered.topic_id = topic.id;
        answered.partition_responses = std::move(partitions);
        response.node_endpoints = std::move(nodes);
        wire::writer out;
        const error_code error = wire::encode(response, attempt.version, out);
        ensure(!error);
        const std::vector<std::byte> body = out.gathered();
        return tested.on_answer(attempt, body, now);
    }

    // What the accumulator and the test still hold in flight is let go of: a test may end anywhere.
    void lose(produce_attempt& attempt, time_point now = at({})) {
        tested.on_lost(attempt, errc::disconnected, true, "the connection was lost", now);
    }

    sender_config config;
    sender tested;
};

inline partitions partitions_of(const produce_attempt& attempt) {
    partitions of;
    for (const batch* each : attempt.batches) of.push_back(each->queue.partition);
    return of;
}

}  // namespace sluice
