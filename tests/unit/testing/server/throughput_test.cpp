// How fast the server takes Produce requests in. Not a test, so disabled:
//
//   testing_tests --gtest_also_run_disabled_tests --gtest_filter='*Throughput*'
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <chrono>
#include <thread>

#include "sluice/testing/fake_cluster_server.hpp"
#include "unit/testing/differential/blocking_client.hpp"
#include "unit/testing/fake_client.hpp"

namespace sluice::testing {
namespace {

struct load {
    const char* name;
    std::size_t record_size;
    std::size_t batch_size;
    std::size_t partitions_per_request;
    bool keeps;
};

// From one connection, as fast as it goes, for `total` bytes.
void run(const load& what, std::size_t total) {
    fake_cluster_server server({.cluster = {.keep_batches = what.keeps}});
    server.with_cluster([](fake_cluster& cluster) {
        cluster.create_topic("t", {.partition_count = 16, .max_message_bytes = 16 << 20});
    });
    made_batch batch;
    batch.records.assign(what.batch_size / what.record_size, {});
    for (made_record& record : batch.records) record.value = std::string(what.record_size - 10, 'x');
    made_produce request;
    for (std::size_t index = 0; index < what.partitions_per_request; ++index) {
        request.parts.push_back({"t", static_cast<std::int32_t>(index), batch.bytes()});
    }
    const std::vector<std::byte> frame = request.frame(9);
    const std::size_t count = total / frame.size();
    blocking_client client("127.0.0.1:" + std::to_string(server.port(1)));
    const auto begin = std::chrono::steady_clock::now();

    std::thread writer([&] {
        for (std::size_t index = 0; index < count; ++index) ASSERT_TRUE(client.send(frame));
    });
    for (std::size_t index = 0; index < count; ++index) ASSERT_TRUE(client.receive());
    writer.join();

    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
    const double megabytes = static_cast<double>(count * frame.size()) / 1e6;
    const auto totals = server.with_cluster([](fake_cluster& cluster) { return cluster.totals("t", 0); });
    fmt::print("{:<44} {:7.0f} MB/s {:9.0f} requests/s  ({} batches in partition 0)\n", what.name,
               megabytes / time.count(), static_cast<double>(count) / time.count(), totals.batch_count);
}

TEST(DISABLED_Throughput, OfProduce) {
    constexpr std::size_t gigabyte = 1'000'000'000;
    run({"1 KiB records, 1 MB requests, counted", 1024, 250'000, 4, false}, 6 * gigabyte);
    run({"100 B records, 1 MB requests, counted", 100, 250'000, 4, false}, 6 * gigabyte);
    run({"1 KiB records, 1 MB requests, kept", 1024, 250'000, 4, true}, 3 * gigabyte);
    run({"100 B records, 16 KB requests, counted", 100, 16'000, 1, false}, 3 * gigabyte);
    run({"100 B records, 1 KB requests, counted", 100, 1'000, 1, false}, gigabyte / 3);
}

}  // namespace
}  // namespace sluice::testing
