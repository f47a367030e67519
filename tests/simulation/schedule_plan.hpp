// Everything about a schedule that is drawn before it begins: cluster, topics, configuration, faults, how much is done.
//
// Owner: a value.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sluice/producer_config.hpp"
#include "sluice/testing/fake_cluster.hpp"
#include "testing/sim_fault_plan.hpp"

namespace sluice::simulation {

// A bug that somebody else put in, to see whether it is noticed.
enum class planted_bug : std::uint8_t {
    none,
    forgets_idempotence,  // the producer sends without producer id, and is believed to send with one
    lying_leader,   // a broker acknowledges what it has not stored: so would a producer that mixes up answers
    lost_doorbell,  // a loop that is rung now and then does not notice
    silent_drop     // one in so many failures of dropped records is kept from on_delivery_error
};
const char* to_string(planted_bug bug) noexcept;

struct topic_plan {
    std::string name;
    testing::topic_config config;
    bool exists = true;
};

// How the callers go away.
enum class ending : std::uint8_t {
    close,        // when all is done, without a time-out
    close_early,  // at any moment, with or without a time-out, while callers go on
    destroy,      // the handle is destroyed at any moment
    end_loops     // the handle, and then the loops, with everything that waits on them
};
const char* to_string(ending how) noexcept;

struct schedule_plan {
    std::uint64_t seed = 0;
    testing::fault_plan faults;
    testing::cluster_config cluster;
    std::vector<topic_plan> topics;
    producer_config producer;
    planted_bug planted = planted_bug::none;
    ending how_it_ends = ending::close;

    std::size_t loop_count = 2;  // and shards, one on each
    int caller_count = 1;
    int step_count = 10;      // of all callers together
    duration step_gap_max{};  // between two steps of a caller
    std::size_t value_size_max = 100;
    bool has_random_values = false;  // which do not compress well
    int trouble_count = 0;           // what happens to brokers as a whole: killed, leaders moved, ...
    double produce_trouble = 0;      // of a Produce request: a fate of its own
    double other_trouble = 0;        // of other requests
    bool has_fatal_errors = false;   // among these fates

    static schedule_plan draw(std::uint64_t seed, planted_bug planted = planted_bug::none);
    // What the producer promises under this configuration.
    bool is_idempotent() const;
    bool stores_what_it_acknowledges() const { return producer.acks != acks::none; }
    std::string text() const;
};

}  // namespace sluice::simulation
