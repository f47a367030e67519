// Several producers on the same loops, with configurations of their own.
#include <fmt/format.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>

#include "integration/client/client_fixture.hpp"
#include "sluice/testing/fake_cluster_server.hpp"

namespace sluice::testing {
namespace {

namespace asio = boost::asio;

constexpr int producer_count = 4;
constexpr int record_count = 2000;

// In order, with a delivery for each.
asio::awaitable<void> send_numbers(producer& to, std::string topic) {
    std::vector<delivery> deliveries;
    for (int i = 0; i < record_count; ++i) {
        const std::string value = std::to_string(i);
        deliveries.push_back(co_await to.send(record(topic, value)));
    }
    for (delivery& each : deliveries) co_await std::move(each);
}

std::string topic_of(int index) {
    return fmt::format("topic-{}", index);
}

TEST(ProducersOfOneLoop, SendEachItsOwnInOrderAndEndOneByOne) {
    fake_cluster_server kafka;
    kept_log log;
    runtime loops({.shards = usual_shard_count(), .loop = {.log = log.sink()}});
    std::vector<producer> producers;
    for (int i = 0; i < producer_count; ++i) {
        producer_config config;
        config.bootstrap_servers = kafka.bootstrap();
        config.log = log.sink();
        config.linger = i % 2 == 0 ? 0ms : 2ms;
        config.acks = i == 3 ? acks::leader : acks::all;
        config.buffer_memory = for_usual_shards(1 << 20);
        producers.push_back(wait(producer::create(loops, config)));
    }
    std::vector<std::future<void>> sending;
    for (int i = 0; i < producer_count; ++i) {
        const std::size_t at = static_cast<std::size_t>(i);
        loop& its_loop = *loops.loops()[at % loops.loops().size()];
        sending.push_back(
            asio::co_spawn(its_loop, send_numbers(producers[at], topic_of(i)), asio::use_future));
    }

    for (std::size_t i = 0; i < producer_count; ++i) {
        EXPECT_NO_THROW(sending[i].get());
        wait(producers[i].close());
        EXPECT_EQ(producers[i].try_send({"topic-0", "late"}).error(), errc::closed);
    }

    for (int i = 0; i < producer_count; ++i) {
        const auto stored =
            kafka.with_cluster([&](fake_cluster& cluster) { return cluster.records(topic_of(i), 0); });
        ASSERT_EQ(stored.size(), static_cast<std::size_t>(record_count));
        for (int n = 0; n < record_count; ++n)
            EXPECT_EQ(stored[static_cast<std::size_t>(n)].value, std::to_string(n));
    }
}

TEST(ProducersOfOneLoop, FailAloneWhenOneClusterIsGone) {
    fake_cluster_server kafka, gone;
    kept_log log;
    runtime loops({.shards = usual_shard_count(), .loop = {.log = log.sink()}});
    producer_config config;
    config.log = log.sink();
    config.bootstrap_servers = gone.bootstrap();
    config.max_block = 100ms;
    producer without = wait(producer::create(loops, config));
    gone.kill(1);
    config.bootstrap_servers = kafka.bootstrap();
    config.max_block = 60s;
    producer with = wait(producer::create(loops, config));

    EXPECT_EQ(end_of(without.deliver({"orders", "value"})).error, errc::metadata_timeout);
    EXPECT_EQ(end_of(with.deliver({"orders", "value"})).error, error_code());
    without = producer();
    EXPECT_EQ(end_of(with.deliver({"orders", "value"})).error, error_code());
}

}  // namespace
}  // namespace sluice::testing
