// Decides when metadata is asked for, for which topics, and what an answer changes (Kafka's ProducerMetadata). One per
// producer, on its home shard; it does no I/O:
//
//   want(topic), request_update() --> next_due() --> start() --> [a broker is asked] --> on_response() | on_failure()
//
//   new topics    asked for by a partial request, at once (MDW-11)
//   full          every metadata.max.age.ms since the last full success, or when somebody needs fresher metadata; in
//                 any case after a backoff that grows while requests fail (MD-5) or bring nothing new (MD-6)
//   idle topics   not wanted for metadata.max.idle.ms: not asked for any more (MD-4)
//
// No topic wanted: nothing is asked (MDW-1). One request at a time.
//
// Owner: one shard; not synchronised.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/backoff.hpp"
#include "base/time.hpp"
#include "cluster/merge.hpp"

namespace sluice {

struct metadata_limits {
    duration max_age = std::chrono::minutes(5);   // metadata.max.age.ms
    duration max_idle = std::chrono::minutes(5);  // metadata.max.idle.ms
    std::chrono::milliseconds retry_backoff{100};
    std::chrono::milliseconds retry_backoff_max{1000};
};

class metadata_keeper {
public:
    metadata_keeper(const metadata_limits& limits, std::uint64_t seed);

    const std::shared_ptr<const snapshot>& current() const noexcept { return current_; }

    // Somebody sends to this topic, or will: keeps it, and asks for it if it is new.
    void want(std::string_view topic, time_point now);
    // Leaders are stale, or a topic is waited for: a full update, after the backoff (a new topic is asked for by itself).
    void request_update() noexcept { needs_full_ = true; }

    // When start() has something to ask; `never` while a request is under way or no topic is wanted.
    time_point next_due() const noexcept;
    bool is_under_way() const noexcept { return is_under_way_; }

    // Begins a request. The names are views into the keeper, valid until it is changed.
    struct question {
        std::vector<std::string_view> topics;
        bool is_partial = false;
    };
    question start(time_point now);

    // What came of it. A response without brokers is a failure: a broker that is starting (MD-7). True if `current`
    // is a new snapshot.
    bool on_response(const wire::metadata_response& response, std::int16_t version, time_point now);
    void on_failure(time_point now) noexcept;
    // A leader hint; true if `current` is a new snapshot. A full update is requested all the same.
    bool on_hint(const leader_hint& hint);

    std::size_t wanted_count() const noexcept { return topics_.size(); }

private:
    struct wanted_topic {
        time_point last_wanted{};
        bool is_new = true;  // never in an answer
    };
    bool has_new_topic() const noexcept { return new_count_ != 0; }

    metadata_limits limits_;
    backoff backoff_;
    random randomness_;
    std::shared_ptr<const snapshot> current_ = std::make_shared<snapshot>();
    by_name<wanted_topic> topics_;
    std::vector<std::string> asked_;  // of the request under way
    std::size_t new_count_ = 0;
    bool needs_full_ = false;
    bool is_under_way_ = false;
    bool is_partial_ = false;
    std::uint32_t futile_count_ = 0;  // failures, or answers without progress, in a row
    bool has_failed_ = false;         // the last attempt did
    duration wait_{};                 // after the last attempt, before the next requested one
    time_point last_attempt_{};
    time_point last_full_success_{};
    bool had_full_success_ = false;
};

}  // namespace sluice
