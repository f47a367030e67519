// Where records without a key go when the partitions of a topic cannot be shared out evenly among the shards.
#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>

#include "integration/client/client_fixture.hpp"
#include "sluice/testing/fake_cluster_server.hpp"

namespace sluice::testing {
namespace {

namespace asio = boost::asio;

constexpr std::size_t record_count = 20'000;
constexpr std::int32_t partition_count = 3;

class UnevenPartitions : public ::testing::Test {
protected:
    UnevenPartitions() {
        kafka.with_cluster([](fake_cluster& cluster) {
            topic_config uneven;
            uneven.partition_count = partition_count;
            EXPECT_FALSE(cluster.create_topic("orders", uneven));
        });
    }

    static producer_config small_batches() {
        producer_config made;
        made.batch_size = 1024;
        return made;
    }

    void expect_all_in_use() {
        std::size_t all = 0;
        kafka.with_cluster([&](fake_cluster& cluster) {
            for (std::int32_t partition = 0; partition < partition_count; ++partition) {
                const std::size_t held = cluster.records("orders", partition).size();
                EXPECT_GT(held, 0u) << "partition "
                                    << partition;  // how many: the choice moves on when its owner says so
                all += held;
            }
        });
        EXPECT_EQ(all, record_count);
    }

    fake_cluster_server kafka;
};

TEST_F(UnevenPartitions, AreAllUsedByAThreadOnNoLoop) {
    client sending(kafka.bootstrap(), small_batches(), several_shards());
    for (std::size_t i = 0; i < record_count; ++i)
        wait(sending.to.send(record("orders", fmt::format("{:<100}", i))));
    wait(sending.to.flush());
    expect_all_in_use();
}

TEST_F(UnevenPartitions, AreAllUsedByACoroutineOnALoop) {
    client sending(kafka.bootstrap(), small_batches(), several_shards());
    const auto send_all = [&]() -> asio::awaitable<void> {
        for (std::size_t i = 0; i < record_count; ++i) {
            const std::string value = fmt::format("{:<100}", i);
            co_await sending.to.send(record("orders", value));
        }
    };
    asio::co_spawn(sending.loops.loops()[1]->get_executor(), send_all(), asio::use_future).get();
    wait(sending.to.flush());
    expect_all_in_use();
}

}  // namespace
}  // namespace sluice::testing
