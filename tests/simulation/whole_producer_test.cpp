// Schedules by seed: most run as `simulation_tests --seeds` (main.cpp); here is what is said about all of them.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <memory>
#include <set>

#include "simulation/schedule.hpp"

namespace sluice::simulation {
namespace {

std::string list(const std::vector<std::string>& violations) {
    std::string all;
    for (const std::string& each : violations) all += "\n  " + each;
    return all;
}

TEST(WholeProducer, TheSameSeedGivesTheSameTraceAndAnotherOneAnother) {
    std::set<std::uint64_t> hashes;
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
        const schedule_plan plan = schedule_plan::draw(seed);
        const std::uint64_t first = run_schedule(plan).trace_hash;
        // Other addresses, for whatever might depend on them.
        std::vector<std::unique_ptr<char[]>> in_between;
        for (std::size_t i = 1; i < 100; ++i) in_between.push_back(std::make_unique<char[]>(i * 31));
        EXPECT_EQ(run_schedule(plan).trace_hash, first) << "seed " << seed;
        hashes.insert(first);
    }
    EXPECT_EQ(hashes.size(), 60u);
}

TEST(WholeProducer, MeetsWhatItIsMeantToMeet) {
    record_journal::counts records;
    std::map<std::string, std::uint64_t> calls;
    std::map<std::size_t, int> shard_counts;
    for (std::uint64_t seed = 0; seed < 150; ++seed) {
        const schedule_plan plan = schedule_plan::draw(seed);
        ++shard_counts[plan.loop_count];
        const schedule_result run = run_schedule(plan);
        EXPECT_TRUE(run.violations.empty())
            << "simulation_tests --seed " << seed << " --trace" << list(run.violations);
        for (const auto& [name, count] : run.calls) calls[name] += count;
        records.acknowledged += run.records.acknowledged;
        records.failed += run.records.failed;
        records.refused += run.records.refused;
        records.withdrawn += run.records.withdrawn;
        records.dropped += run.records.dropped;
        records.duplicates += run.records.duplicates;
        for (std::size_t codec = 0; codec < records.stored_by_codec.size(); ++codec)
            records.stored_by_codec[codec] += run.records.stored_by_codec[codec];
    }
    EXPECT_GT(records.acknowledged, 500u);
    EXPECT_GT(records.failed, 50u);
    EXPECT_GT(records.refused, 500u);
    EXPECT_GT(records.withdrawn, 100u);
    EXPECT_GT(records.dropped, 300u);
    EXPECT_GT(records.duplicates, 0u) << "without idempotence";
    for (const std::uint64_t stored : records.stored_by_codec) EXPECT_GT(stored, 10u) << "of each codec";
    for (const char* each :
         {"send", "deliver", "delivery", "try_send", "flush", "close", "partitions_for", "cancel", "destroy",
          "send: no buffer memory became free in time", "send: the topic is not present in metadata",
          "send: the deadline of the call passed", "delivery: the record was not acknowledged in time"}) {
        EXPECT_GT(calls[each], 0u) << each;
    }
    for (const std::size_t count : {1u, 2u, 3u}) EXPECT_GT(shard_counts[count], 20) << count << " shards";
    for (const std::size_t count : {4u, 5u, 6u}) EXPECT_GT(shard_counts[count], 2) << count << " shards";
}

// ---- the checks bite

struct planted {
    planted_bug bug;
    const char* part;  // of a violation that tells of it
};

class PlantedBug : public ::testing::TestWithParam<planted> {};

TEST_P(PlantedBug, IsReportedWithinThreeHundredSeeds) {
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
        const schedule_result run = run_schedule(schedule_plan::draw(seed, GetParam().bug));
        for (const std::string& each : run.violations) {
            if (each.find(GetParam().part) != std::string::npos) {
                RecordProperty("seed", std::to_string(seed));
                return;
            }
        }
    }
    FAIL() << "nothing says '" << GetParam().part << "'";
}

INSTANTIATE_TEST_SUITE_P(
    WholeProducer, PlantedBug,
    ::testing::Values(planted{planted_bug::forgets_idempotence, "is stored 2 times"},
                      planted{planted_bug::forgets_idempotence, "and is behind it in"},
                      planted{planted_bug::lying_leader, "was acknowledged and is not stored"},
                      planted{planted_bug::lost_doorbell, "hang"},
                      planted{planted_bug::silent_drop, "on_delivery_error heard of"}),
    [](const auto& tested) { return fmt::format("{}_{}", to_string(tested.param.bug), tested.index); });

}  // namespace
}  // namespace sluice::simulation
