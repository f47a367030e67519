// A producer with a loop of its own, its log, and how tests wait for what it says and does.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "integration/shard_count.hpp"
#include "sluice/producer.hpp"
#include "sluice/wait.hpp"

namespace sluice::testing {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

inline bool has(std::string_view text, std::string_view part) {
    return text.find(part) != text.npos;
}

// Keeps the lines of a log. Thread rules: any thread. Outlives what logs to it.
class kept_log {
public:
    log_sink sink() {
        return [this](log_level level, std::string_view line) {
            static constexpr const char* names[] = {"debug: ", "info: ", "warning: ", "error: "};
            const std::lock_guard lock(mutex_);
            text_.append(names[static_cast<int>(level)]).append(line).append("\n");
            changed_.notify_all();
        };
    }
    // Until a line has this in it; false if there is none by then.
    bool wait_for(std::string_view part, clock::time_point at_latest) {
        std::unique_lock lock(mutex_);
        return changed_.wait_until(lock, at_latest, [&] { return has(text_, part); });
    }
    std::string text() {
        const std::lock_guard lock(mutex_);
        return text_;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::string text_;
};

inline runtime_options usual_runtime() {
    return {.shards = usual_shard_count()};
}
inline producer_config for_usual_shards(producer_config config) {
    config.buffer_memory = for_usual_shards(config.buffer_memory);
    return config;
}

// Owner: caller, on a thread that is on no loop.
class client {
public:
    explicit client(const std::string& bootstrap, producer_config config = {})
        : client(bootstrap, for_usual_shards(std::move(config)), usual_shard_count()) {}
    client(const std::string& bootstrap, producer_config config, std::size_t shard_count)
        : loops({.shards = shard_count, .loop = {.log = log.sink()}}) {
        config.bootstrap_servers = bootstrap;
        config.log = log.sink();
        to = wait(producer::create(loops, std::move(config)));
    }

    kept_log log;
    runtime loops;
    producer to;
};

// What an operation came to, for who waits on a thread of its own.
struct ended {
    error_code error;
    std::string text;
};
template <class Operation>
ended end_of(Operation operation) {
    blocking<Operation> waiting(std::move(operation));
    waiting.wait();
    return {waiting.error(), std::string(waiting.message().view())};
}

}  // namespace sluice::testing
