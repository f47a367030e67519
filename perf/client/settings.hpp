// What sluice-perf is asked to do: flags that every peer under perf/peers takes with the same meaning.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sluice/producer_config.hpp"
#include "sluice/reactor.hpp"

namespace sluice::perf {

struct settings {
    producer_config config;
    std::string topic = "perf";
    std::uint64_t records = 1'000'000;
    std::uint64_t warmup = 100'000;
    std::uint32_t value_size = 100;  // bytes
    std::string payload = "random";  // random, json, or a file
    std::uint32_t key_size = 0;      // bytes: 0 (no key) or 16
    std::int32_t partitions = 12;    // named in turn; 0: the producer chooses
    std::uint64_t chunk = 1;         // records in a row to one partition
    std::uint64_t rate = 0;          // records/s; 0: as fast as possible
    std::uint64_t sample = 100;      // latency of each so many-th record; 0: of none
    std::size_t shards = 1;
    std::size_t coroutines = 1;  // on each shard
    bool is_foreign = false;     // the caller is a thread on no loop
    bool uses_try_send = false;  // try_send first, await only where it would wait
    bool is_pinned = false;      // each shard to a core of its own
    reactor_kind reactor = reactor_kind::automatic;
    bool wants_help = false;
};

// Throws cli::usage_error.
settings parse(const std::vector<std::string>& arguments);
extern const char* const usage;

}  // namespace sluice::perf
