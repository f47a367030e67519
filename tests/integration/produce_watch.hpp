// Decides about Produce requests to a fake cluster, and lets a test wait for them.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>

#include "sluice/testing/fake_cluster_server.hpp"

namespace sluice::testing {

inline constexpr std::int16_t produce_key = 0;
inline constexpr std::int16_t metadata_key = 3;
inline constexpr std::int16_t api_versions_key = 18;

// The server outlives it. Thread rules: any thread.
class produce_watch {
public:
    // What becomes of a Produce request; the others are answered.
    using decision = std::function<fate(const request_info&)>;

    explicit produce_watch(fake_cluster_server& server) : server_(server) {
        server.with_cluster([this](fake_cluster& cluster) {
            cluster.on_request([this](const request_info& request) { return see(request); });
        });
    }
    ~produce_watch() {
        server_.with_cluster([](fake_cluster& cluster) { cluster.on_request({}); });
    }
    produce_watch(const produce_watch&) = delete;
    produce_watch& operator=(const produce_watch&) = delete;

    void decide(decision each) {
        const std::lock_guard lock(mutex_);
        decide_ = std::move(each);
    }
    // Until the broker has got so many requests, from the beginning.
    void wait_for(std::size_t count) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return count_ >= count; });
    }

    // Until requests with so many records came; those that were sent again count again.
    void wait_for_records(std::int64_t count) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return record_count_ >= count; });
    }

private:
    fate see(const request_info& request) {
        const std::lock_guard lock(mutex_);
        if (request.api_key != produce_key) return fate::answer();
        ++count_;
        for (const produced_partition& each : request.partitions) record_count_ += each.record_count;
        changed_.notify_all();
        return decide_ ? decide_(request) : fate::answer();
    }

    fake_cluster_server& server_;
    std::mutex mutex_;
    std::condition_variable changed_;
    decision decide_;
    std::size_t count_ = 0;
    std::int64_t record_count_ = 0;
};

}  // namespace sluice::testing
