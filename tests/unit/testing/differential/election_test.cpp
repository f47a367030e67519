// Does a fake cluster do what a real one does when a broker dies and comes back?
#include <gtest/gtest.h>

#include "unit/testing/differential/script.hpp"

namespace sluice::testing {
namespace {

void look(script& run, const std::string& when) {
    const std::string names[] = {run.full_name("one"), run.full_name("two"), run.full_name("three")};
    wire::metadata_request request;
    request.topics.emplace();
    for (const std::string& name : names) request.topics->push_back({.topic_id = {}, .name = name});
    for (const std::int16_t version : {std::int16_t{0}, std::int16_t{1}, std::int16_t{7}, std::int16_t{12}}) {
        const auto answer = run.cluster().ask<wire::metadata_response>(1, request, version);
        run.write(when + ": " + (answer ? run.describe(answer->body, version) : "the connection ended"));
    }
    const std::vector<std::byte> good = made_batch::of(1).bytes();
    for (const std::int32_t partition : {0, 1, 2}) {
        run.produce(
            when,
            made_produce{{{"one", partition, good}, {"two", partition, good}, {"three", partition, good}}});
        run.produce(
            when,
            made_produce{{{"one", partition, good}, {"two", partition, good}, {"three", partition, good}}},
            3);
    }
}

TEST(DifferentialElection, ABrokerDiesAndComesBack) {
    compare(
        [](script& run) {
            run.topic("one", {.partition_count = 3, .replication_factor = 1});
            run.topic("two", {.partition_count = 3, .replication_factor = 2, .min_insync_replicas = 2});
            run.topic("three", {.partition_count = 3, .replication_factor = 3, .min_insync_replicas = 2});
            look(run, "all alive");
            run.cluster().kill(2);
            look(run, "node 2 is dead");
            run.cluster().start(2);
            look(run, "node 2 is back");
        },
        {10});
}

}  // namespace
}  // namespace sluice::testing
