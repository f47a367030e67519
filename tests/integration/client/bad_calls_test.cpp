// Records and configurations that cannot be: each a clear error that names the culprit.
#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include "integration/client/client_fixture.hpp"
#include "integration/produce_watch.hpp"

namespace sluice::testing {
namespace {

namespace asio = boost::asio;

// ---- records

struct BadRecord : ::testing::Test {
    fake_cluster_server kafka{{.cluster = {.auto_create_topics_enable = false}}};
    BadRecord() {
        kafka.with_cluster([](fake_cluster& cluster) { EXPECT_FALSE(cluster.create_topic("orders")); });
    }
};

TEST_F(BadRecord, OfAnUnknownTopicTimesOutAndNamesIt) {
    client with(kafka.bootstrap(), [] {
        producer_config made;
        made.max_block = 600ms;
        return made;
    }());
    const auto begin = clock::now();

    const ended sent = end_of(with.to.send(record("no-such-topic", "value")));

    EXPECT_GE(clock::now() - begin, 600ms);
    EXPECT_EQ(sent.error, errc::metadata_timeout);
    EXPECT_TRUE(has(sent.text, "Topic no-such-topic not present in metadata after ")) << sent.text;
    EXPECT_TRUE(has(sent.text, "last answer: ")) << sent.text;
    EXPECT_FALSE(has(sent.text, "connection error")) << sent.text;
}

TEST_F(BadRecord, OfAnUnknownPartitionTimesOutAndSaysHowManyThereAre) {
    client with(kafka.bootstrap(), [] {
        producer_config made;
        made.max_block = 600ms;
        return made;
    }());
    record sent("orders", "value");
    sent.partition = 7;

    const ended done = end_of(with.to.send(sent));

    EXPECT_EQ(done.error, errc::metadata_timeout);
    EXPECT_TRUE(has(done.text, "Partition 7 of topic orders with partition count 1")) << done.text;
}

TEST_F(BadRecord, OfAnInvalidTopicNameIsRefusedAtOnce) {
    client with(kafka.bootstrap());
    const auto begin = clock::now();

    const ended sent = end_of(with.to.send(record("no/topic", "value")));

    EXPECT_LT(clock::now() - begin, 10s);
    EXPECT_EQ(sent.error, broker_errc::invalid_topic_exception);
    EXPECT_TRUE(has(sent.text, "no/topic")) << sent.text;
}

TEST_F(BadRecord, ThatIsLargerThanARequestIsRefusedAndLeavesNoTrace) {
    producer_config config;
    config.max_request_size = 10'000;
    client with(kafka.bootstrap(), config);
    const std::string large(10'000, 'x');
    const std::string fits(9'800, 'x');

    const ended sent = end_of(with.to.deliver(record("orders", large)));
    const ended next = end_of(with.to.deliver(record("orders", fits)));

    EXPECT_EQ(sent.error, errc::record_too_large);
    EXPECT_TRUE(has(sent.text, "orders")) << sent.text;
    EXPECT_TRUE(has(sent.text, "max.request.size (10000)")) << sent.text;
    EXPECT_EQ(next.error, error_code());
    EXPECT_EQ(kafka.with_cluster([](fake_cluster& cluster) { return cluster.end_offset("orders", 0); }), 1);
}

TEST_F(BadRecord, ThatIsLargerThanTheBufferIsRefused) {
    producer_config config;
    config.buffer_memory = 65536;
    client with(kafka.bootstrap(), config);
    const std::string large(100'000, 'x');

    const ended sent = end_of(with.to.deliver(record("orders", large)));

    EXPECT_EQ(sent.error, errc::record_too_large);
    EXPECT_TRUE(has(sent.text, "buffer.memory")) << sent.text;
}

TEST_F(BadRecord, ThatNamesNothingOrNegativesIsRefused) {
    client with(kafka.bootstrap());
    record negative_partition("orders", "value");
    negative_partition.partition = -2;
    record negative_time("orders", "value");
    negative_time.timestamp = -2;
    const std::string endless(40'000, 'x');

    for (const auto& [wrong, culprit] :
         {std::pair(record("", "value"), "names no topic"), std::pair(negative_partition, "the partition -2"),
          std::pair(negative_time, "the timestamp -2"),
          std::pair(record(endless, "value"), "a name that is too long")}) {
        const ended sent = end_of(with.to.send(wrong));
        EXPECT_EQ(sent.error, errc::invalid_record);
        EXPECT_TRUE(has(sent.text, culprit)) << sent.text;
        EXPECT_EQ(with.to.try_send(wrong).error(), errc::invalid_record);
    }
}

TEST_F(BadRecord, IsToldACoroutineOfAnyContextWithTheWholeText) {
    producer_config config;
    config.max_request_size = 1000;
    client with(kafka.bootstrap(), config);
    const std::string large(2000, 'x');
    std::vector<std::string> told;
    const auto wait_for = [&told](auto awaited) -> asio::awaitable<void> {
        try {
            co_await std::move(awaited);
        } catch (const error& failed) {
            told.push_back(failed.what());
        }
    };
    asio::io_context context;

    asio::co_spawn(context, wait_for(with.to.send(record("orders", large))), asio::detached);
    asio::co_spawn(context, wait_for(with.to.deliver(record("orders", large))), asio::detached);
    asio::co_spawn(context, wait_for(with.to.partitions_for("no/topic")), asio::detached);
    context.run();

    ASSERT_EQ(told.size(), 3u);
    EXPECT_TRUE(has(told[0], "orders") && has(told[0], "max.request.size (1000)")) << told[0];
    EXPECT_EQ(told[1], told[0]);
    EXPECT_TRUE(has(told[2], "no/topic")) << told[2];
}

// ---- configurations

struct bad_config {
    const char* key;
    void (*change)(producer_config&);

    friend std::ostream& operator<<(std::ostream& out, const bad_config& each) { return out << each.key; }
};

struct BadConfig : ::testing::TestWithParam<bad_config> {};

TEST_P(BadConfig, EndsCreationWithAnErrorThatNamesTheKey) {
    runtime loops(usual_runtime());
    producer_config config;
    config.bootstrap_servers = "127.0.0.1:9092";
    GetParam().change(config);

    const ended created = end_of(producer::create(loops, config));

    EXPECT_EQ(created.error, errc::invalid_config);
    EXPECT_TRUE(created.text.starts_with(std::string(GetParam().key) + ": ")) << created.text;
    EXPECT_GT(created.text.size(), std::string_view(GetParam().key).size() + 10)
        << "and what is wrong with it";
}

const bad_config bad_configs[] = {
    {"bootstrap.servers", [](producer_config& made) { made.bootstrap_servers = ""; }},
    {"bootstrap.servers", [](producer_config& made) { made.bootstrap_servers = "127.0.0.1"; }},
    {"bootstrap.servers", [](producer_config& made) { made.bootstrap_servers = "127.0.0.1:65536"; }},
    {"batch.size", [](producer_config& made) { made.batch_size = -1; }},
    {"linger.ms", [](producer_config& made) { made.linger = -1ms; }},
    {"buffer.memory", [](producer_config& made) { made.buffer_memory = -1; }},
    {"buffer.memory", [](producer_config& made) { made.buffer_memory = 100; }},
    {"max.request.size", [](producer_config& made) { made.max_request_size = -1; }},
    {"max.block.ms", [](producer_config& made) { made.max_block = -1ms; }},
    {"max.in.flight.requests.per.connection",
     [](producer_config& made) { made.max_in_flight_requests_per_connection = 0; }},
    {"max.in.flight.requests.per.connection",
     [](producer_config& made) { made.max_in_flight_requests_per_connection = 6; }},
    {"request.timeout.ms", [](producer_config& made) { made.request_timeout = -1ms; }},
    {"delivery.timeout.ms", [](producer_config& made) { made.delivery_timeout = 1ms; }},
    {"retries", [](producer_config& made) { made.retries = -1; }},
    {"retries",
     [](producer_config& made) {
         made.retries = 0;
         made.enable_idempotence = true;
     }},
    {"acks",
     [](producer_config& made) {
         made.acks = acks::none;
         made.enable_idempotence = true;
     }},
    {"acks", [](producer_config& made) { made.acks = static_cast<acks>(3); }},
    {"send.buffer.bytes", [](producer_config& made) { made.send_buffer = -2; }},
    {"receive.buffer.bytes", [](producer_config& made) { made.receive_buffer = -2; }},
    {"metadata.max.idle.ms", [](producer_config& made) { made.metadata_max_idle = 4999ms; }},
    {"reconnect.backoff.ms", [](producer_config& made) { made.reconnect_backoff = -1ms; }},
    {"retry.backoff.max.ms", [](producer_config& made) { made.retry_backoff_max = -1ms; }},
    {"socket.connection.setup.timeout.ms",
     [](producer_config& made) { made.socket_connection_setup_timeout = -1ms; }},
};
INSTANTIATE_TEST_SUITE_P(, BadConfig, ::testing::ValuesIn(bad_configs));

TEST(BadCreation, OnNoLoopAtAllIsAnError) {
    producer_config config;
    config.bootstrap_servers = "127.0.0.1:9092";

    const ended created = end_of(producer::create(std::span<loop* const>(), config));

    EXPECT_EQ(created.error, errc::invalid_config);
    EXPECT_TRUE(has(created.text, "loop")) << created.text;
}

TEST(BadCreation, OfARuntimeWithoutShardsIsAnError) {
    try {
        runtime loops({.shards = 0});
        FAIL() << "it was made";
    } catch (const error& why) {
        EXPECT_EQ(why.code(), errc::invalid_config);
        EXPECT_TRUE(has(why.what(), "shards")) << why.what();
    }
}

// The least that is allowed works, too.
TEST(SmallestConfig, StillDelivers) {
    fake_cluster_server kafka;
    producer_config config;
    config.batch_size = 0;
    config.linger = 0ms;
    config.buffer_memory = 1024;
    config.max_request_size = 200;
    config.send_buffer = 0;
    config.receive_buffer = 0;
    client with(kafka.bootstrap(), config);

    for (int i = 0; i < 20; ++i)
        EXPECT_EQ(end_of(with.to.deliver(record("orders", "value"))).error, error_code());
}

}  // namespace
}  // namespace sluice::testing
