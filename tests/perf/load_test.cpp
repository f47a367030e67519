// What sluice-perf and the peers send for the same flags, record by record, as a fake cluster stored it.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "client/payload.hpp"
#include "integration/cli/child_program.hpp"
#include "sluice/testing/fake_cluster_server.hpp"

namespace sluice::testing {
namespace {

using words = std::vector<std::string>;

constexpr std::int32_t partition_count = 3;

std::string first_line(const std::string& command) {
    std::string line;
    if (std::FILE* told = ::popen(command.c_str(), "r")) {
        std::array<char, 4096> some;
        if (std::fgets(some.data(), some.size(), told) != nullptr) line = some.data();
        ::pclose(told);
    }
    return line;
}

// By the name of its program: sluice, or a peer of perf/peers/run.
struct Load : ::testing::TestWithParam<const char*> {
    const std::string peers = std::string(SLUICE_SOURCE_FOLDER) + "/perf/peers/run";
    fake_cluster_server kafka;
    std::filesystem::path payload_file;

    Load() {
        kafka.with_cluster([](fake_cluster& cluster) {
            EXPECT_FALSE(cluster.create_topic("perf", {.partition_count = partition_count}));
        });
    }
    ~Load() override {
        if (!payload_file.empty()) std::filesystem::remove(payload_file);
    }
    void SetUp() override {
        if (is_ours()) return;
        const std::string problem = first_line(fmt::format("{} --is-built {} 2>&1", peers, GetParam()));
        if (!problem.empty()) GTEST_SKIP() << problem;
    }
    bool is_ours() const { return GetParam() == std::string_view("sluice"); }

    // Three values of four bytes, and a rest.
    std::string file_of_three_values() {
        payload_file =
            std::filesystem::temp_directory_path() / fmt::format("sluice-load-{}-{}", GetParam(), ::getpid());
        std::ofstream(payload_file) << "one.two.six.re";
        return payload_file;
    }

    void send(const words& flags) {
        words all{"--bootstrap", kafka.bootstrap(), "--topic", "perf"};
        if (!is_ours()) all.insert(all.begin(), GetParam());
        all.insert(all.end(), flags.begin(), flags.end());
        child_program sending(is_ours() ? SLUICE_PROGRAM : peers, all);
        EXPECT_EQ(sending.wait(), program_end{.status = 0}) << sending.error_text();
    }
    std::vector<log_record> stored(std::int32_t partition) {
        return kafka.with_cluster(
            [partition](fake_cluster& cluster) { return cluster.records("perf", partition); });
    }
    std::string values(std::int32_t partition) {
        std::string made;
        for (const log_record& each : stored(partition)) made += each.value.value_or("null");
        return made;
    }
};

TEST_P(Load, CutsAFileIntoValuesThatAreUsedInTurn) {
    send({"--payload", file_of_three_values(), "--size", "4", "--warmup", "2", "--records", "5",
          "--partitions", "1"});

    EXPECT_EQ(values(0), "one.two.six.one.two.six.one.");
}

// Warm-up and load are one sequence: a partition that comes next in the warm-up is the first one of the load.
TEST_P(Load, NamesPartitionsInChunksFromTheWarmUpOn) {
    send({"--payload", file_of_three_values(), "--size", "4", "--warmup", "3", "--records", "7",
          "--partitions", "3", "--chunk", "2"});

    EXPECT_EQ(values(0), "one.two.one.two.");
    EXPECT_EQ(values(1), "six.one.six.one.");
    EXPECT_EQ(values(2), "two.six.");
}

TEST_P(Load, SendsTheKeysInTurnAndNoneIfNoneIsAskedFor) {
    const perf::keys keys;
    send({"--key", "16", "--warmup", "1", "--records", "2", "--partitions", "1"});
    send({"--warmup", "0", "--records", "1", "--partitions", "1"});

    const std::vector<log_record> found = stored(0);
    ASSERT_EQ(found.size(), 4u);
    for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(found[i].key, std::string(keys.key(i)));
    EXPECT_EQ(found[3].key, std::nullopt);
}

TEST_P(Load, LeavesThePartitionToTheProducer) {
    send({"--warmup", "0", "--records", "1000", "--partitions", "0", "--sample", "0"});

    std::size_t count = 0;
    for (std::int32_t i = 0; i < partition_count; ++i) count += stored(i).size();
    EXPECT_EQ(count, 1000u);
}

// What is stored of one key lies in one partition only where the producer's own partitioner put it there.
TEST_P(Load, LeavesThePartitionOfAKeyToTheProducersPartitioner) {
    send({"--key", "16", "--warmup", "1024", "--records", "1024", "--partitions", "0"});

    std::map<std::string, std::set<std::int32_t>> places;
    for (std::int32_t i = 0; i < partition_count; ++i) {
        for (const log_record& each : stored(i)) places[each.key.value_or("")].insert(i);
    }
    EXPECT_EQ(places.size(), 1024u);
    for (const auto& [key, partitions] : places) EXPECT_EQ(partitions.size(), 1u) << key;
}

TEST_P(Load, IsIdempotentWhereAcksAllowIt) {
    send({"--warmup", "0", "--records", "1", "--partitions", "1"});
    send({"--warmup", "0", "--records", "1", "--partitions", "1", "--idempotence", "off"});
    send({"--warmup", "0", "--records", "1", "--partitions", "1", "--acks", "1"});

    const std::vector<log_record> found = stored(0);
    ASSERT_EQ(found.size(), 3u);
    EXPECT_GE(found[0].producer_id, 0);
    EXPECT_EQ(found[1].producer_id, -1);
    EXPECT_EQ(found[2].producer_id, -1);
}

INSTANTIATE_TEST_SUITE_P(Programs, Load,
                         ::testing::Values("sluice", "librdkafka", "librdkafka-debian", "franz-go", "java"),
                         [](const auto& of) {
                             std::string name = of.param;
                             std::erase(name, '-');
                             return name;
                         });

}  // namespace
}  // namespace sluice::testing
