// A million records to a real Kafka, read back with Kafka's own consumer: what was acknowledged is stored once, complete
// and in order; also while a broker crashes and comes back.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>

#include "integration/kafka/kafka_of.hpp"
#include "integration/kafka/log_check.hpp"
#include "integration/kafka/sending.hpp"
#include "integration/kafka/workload.hpp"
#include "integration/resident_memory.hpp"
#include "integration/shard_count.hpp"
#include "sluice/wait.hpp"

namespace sluice::testing {
namespace {

using clock = std::chrono::steady_clock;

constexpr std::size_t record_count = 1'000'000;
constexpr std::uint32_t key_count = 5000;
constexpr int partition_count = 12;
constexpr std::int64_t buffer_memory = 32 << 20;
// The buffer, requests on their way, 64 Ki deliveries and their coroutines, and what malloc keeps.
constexpr std::int64_t memory_max = buffer_memory + (96 << 20);

const workload& million_records() {
    static const workload made(record_count, key_count, 1);
    return made;
}

// Runs `send` with a producer, expects all to be acknowledged, in bounded memory, and reads it back.
template <class Send>
void expect_stored_once_and_in_order(real_kafka& kafka, const std::string& topic, Send send) {
    const workload& all = million_records();
    forget_peak_memory();
    const std::int64_t memory_before = memory_bytes("VmHWM:");
    runtime loops({.shards = usual_shard_count()});
    producer_config config;
    config.bootstrap_servers = kafka.bootstrap();
    config.buffer_memory = buffer_memory;
    producer to = wait(producer::create(loops, config));
    sending run(loops, to, all, topic);

    const auto begin = clock::now();
    send(run);
    run.join();
    const std::chrono::duration<double> taken = clock::now() - begin;
    const std::int64_t memory_used = memory_bytes("VmHWM:") - memory_before;
    wait(to.close());

    fmt::print(
        "[ FIGURES  ] {} on {} with {} shards: {} records, {:.0f} MB in {:.1f} s ({:.0f} MB/s), at most {} "
        "MiB more in "
        "memory\n",
        topic, to_string(loops.loops()[0]->reactor()), usual_shard_count(), all.record_count(),
        static_cast<double>(all.size_bytes()) / 1e6, taken.count(),
        static_cast<double>(all.size_bytes()) / 1e6 / taken.count(), memory_used >> 20);
    EXPECT_EQ(run.failed_count(), 0u) << run.first_failure();
    EXPECT_GT(memory_used, 0);
    EXPECT_LT(memory_used, memory_max);
    const auto reading = clock::now();
    log_check check(all, run.receipts());
    kafka.read_back(topic, [&check](const stored_record& each) { check.read(each); });
    EXPECT_EQ(check.finish(), no_differences);
    fmt::print("[ FIGURES  ] read back in {:.1f} s\n",
               std::chrono::duration<double>(clock::now() - reading).count());
}

TEST_F(OneBroker, StoresAMillionRecordsOnceAndInOrder) {
    kafka->create_topic("million-1", partition_count, 1);

    expect_stored_once_and_in_order(*kafka, "million-1", [](sending& run) { run.begin(0, record_count); });
}

TEST_F(ThreeBrokers, StoreAMillionRecordsOnceAndInOrder) {
    kafka->create_topic("million-3", partition_count, 3, "min.insync.replicas=2");

    expect_stored_once_and_in_order(*kafka, "million-3", [](sending& run) { run.begin(0, record_count); });

    kafka->delete_topic("million-3");
}

TEST_F(ThreeBrokers, StoreWhatIsAcknowledgedOnceAndInOrderWhileOneOfThemCrashesAndComesBack) {
    kafka->create_topic("crash", partition_count, 3, "min.insync.replicas=2");

    expect_stored_once_and_in_order(*kafka, "crash", [](sending& run) {
        constexpr std::size_t before_it_is_back = record_count * 8 / 10;
        run.begin(0, before_it_is_back);
        run.wait_until_known(record_count * 2 / 10);
        kafka->kill(2);
        EXPECT_LT(run.known_count(), before_it_is_back) << "the broker was to be killed in the middle";
        run.wait_until_known(record_count * 5 / 10);  // others lead now
        kafka->start(2);
        run.join();
        run.begin(before_it_is_back, record_count);
    });
}

}  // namespace
}  // namespace sluice::testing
