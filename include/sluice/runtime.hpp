// Loops on threads of their own, for programs that have no loop.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "sluice/loop.hpp"

namespace sluice {

struct runtime_options {
    std::size_t shards = 1;  // loops, each on a thread of its own
    bool pin = false;        // loop i to CPU i of those that this process may use
    loop_options loop = {};  // an initialiser, so that {.shards = 2} is no warning
};

// Starts the threads; they run until it is destroyed.
//
//   sluice::runtime runtime;
//   auto producer = co_await sluice::producer::create(runtime, config);
//
// Lifetime: outlives the producers on it. Errors: the constructor throws what sluice::loop throws, and
// errc::invalid_config for no shards.
class runtime {
public:
    explicit runtime(runtime_options options = {});
    ~runtime();
    runtime(const runtime&) = delete;
    runtime& operator=(const runtime&) = delete;

    std::span<loop* const> loops() const noexcept { return loops_; }

private:
    class runner;
    std::vector<std::unique_ptr<runner>> runners_;
    std::vector<loop*> loops_;
};

}  // namespace sluice
