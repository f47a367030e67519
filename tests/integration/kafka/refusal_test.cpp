// What a real Kafka refuses, and that it costs nobody else anything.
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "integration/kafka/kafka_of.hpp"
#include "integration/shard_count.hpp"
#include "sluice/producer.hpp"
#include "sluice/wait.hpp"

namespace sluice::testing {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

class producing {
public:
    explicit producing(producer_config config) : to(wait(producer::create(loops, std::move(config)))) {}
    ~producing() { wait(to.close()); }

    runtime loops{{.shards = usual_shard_count()}};
    producer to;
};

producer_config config_for(const real_kafka& kafka) {
    producer_config made;
    made.bootstrap_servers = kafka.bootstrap();
    return made;
}

bool has(std::string_view text, std::string_view part) {
    return text.find(part) != text.npos;
}

TEST_F(OneBroker, AnUnknownTopicTimesOutAfterMaxBlockAndIsNamed) {
    producer_config config = config_for(*kafka);
    config.max_block = 700ms;
    producing with(config);
    const auto begin = clock::now();

    blocking sending(with.to.send(record("no-such-topic", "value")));
    sending.wait();

    EXPECT_GE(clock::now() - begin, 700ms);
    EXPECT_LT(clock::now() - begin, 5s);
    EXPECT_EQ(sending.error(), errc::metadata_timeout);
    EXPECT_TRUE(has(sending.message().view(), "no-such-topic")) << sending.message().view();
    EXPECT_TRUE(has(sending.message().view(), " ms")) << sending.message().view();
}

TEST_F(OneBroker, RefusesAnInvalidTopicNameAtOnce) {
    producing with(config_for(*kafka));
    const auto begin = clock::now();

    blocking sending(with.to.send(record("no/topic", "value")));
    sending.wait();

    EXPECT_LT(clock::now() - begin, 10s) << "not only after max.block.ms, which is a minute";
    EXPECT_EQ(sending.error(), broker_errc::invalid_topic_exception);
    EXPECT_TRUE(has(sending.message().view(), "no/topic")) << sending.message().view();
}

TEST_F(OneBroker, RefusesARecordAboveTheTopicsMaximumAndStoresItsNeighbours) {
    kafka->create_topic("small", 1, 1, "max.message.bytes=20000");
    producer_config config = config_for(*kafka);
    config.linger = 100ms;
    config.batch_size = 1 << 20;  // all in one batch
    producing with(config);
    const std::string large(50'000, 'x');

    std::vector<delivery> deliveries;
    for (int i = 0; i < 11; ++i) {
        const std::string value = i == 5 ? large : "small";
        const std::string key = "key-" + std::to_string(i);
        deliveries.push_back(wait(with.to.send(record("small", key, value))));
    }
    std::vector<int> failed;
    for (int i = 0; i < 11; ++i) {
        blocking awaited(std::move(deliveries[static_cast<std::size_t>(i)]));
        awaited.wait();
        if (!awaited.error()) continue;
        failed.push_back(i);
        EXPECT_EQ(awaited.error(), broker_errc::message_too_large) << awaited.message().view();
        EXPECT_TRUE(awaited.error() == condition::rejected);
    }
    EXPECT_EQ(failed, std::vector<int>{5});
    wait(with.to.deliver(record("small", "after", "it")));

    std::vector<std::string> keys;
    kafka->read_back("small", [&](const stored_record& each) { keys.emplace_back(each.key); });
    EXPECT_EQ(keys, (std::vector<std::string>{"key-0", "key-1", "key-2", "key-3", "key-4", "key-6", "key-7",
                                              "key-8", "key-9", "key-10", "after"}));
}

}  // namespace
}  // namespace sluice::testing
