// The fake cluster on real sockets. These tests wait for bytes and for nothing else.
#include "sluice/testing/fake_cluster_server.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <atomic>
#include <thread>

#include "sluice/error.hpp"
#include "testing/server_socket.hpp"
#include "unit/testing/differential/blocking_client.hpp"
#include "unit/testing/fake_client.hpp"

namespace sluice::testing {
namespace {

struct FakeClusterServer : ::testing::Test {
    fake_cluster_server server{{.cluster = {.broker_count = 2}}};

    FakeClusterServer() {
        server.with_cluster(
            [](fake_cluster& cluster) { cluster.create_topic("t", {.replication_factor = 1}); });
    }

    std::string address(std::int32_t node) const { return "127.0.0.1:" + std::to_string(server.port(node)); }
    blocking_client connect(std::int32_t node = 1) const { return blocking_client(address(node)); }
    std::vector<std::byte> metadata(std::int32_t id = 1) { return frame_of(metadata_about({}), 9, id); }
    std::vector<std::byte> produce(std::int32_t id = 1, std::size_t size = 1) {
        made_batch batch = made_batch::of(1);
        batch.records[0].value = std::string(size, 'x');
        return made_produce{{{"t", 0, batch.bytes()}}}.frame(9, id);
    }
    std::int64_t end_offset() {
        return server.with_cluster([](fake_cluster& cluster) { return cluster.end_offset("t", 0); });
    }
    static std::int32_t id_in(const std::vector<std::byte>& frame) {
        return wire::load_big_endian<std::int32_t>(frame.data());
    }
};

TEST_F(FakeClusterServer, ServesEveryBrokerOnItsPort) {
    EXPECT_EQ(server.bootstrap(), address(1) + "," + address(2));
    EXPECT_NE(server.port(1), server.port(2));
    EXPECT_EQ(server.port(3), 0);
    for (const std::int32_t node : {1, 2}) {
        const auto frame = connect(node).call(metadata());
        ASSERT_TRUE(frame);
        const auto answer = decode_answer_frame<wire::metadata_response>(*frame, 9);
        ASSERT_EQ(answer.body.brokers.size(), 2u);
        EXPECT_EQ(answer.body.brokers[0].host, "127.0.0.1");
        EXPECT_EQ(answer.body.brokers[1].port, server.port(2));
    }
}

TEST_F(FakeClusterServer, StoresWhatIsProduced) {
    blocking_client client = connect();

    ASSERT_TRUE(client.call(produce(1, 1000)));
    ASSERT_TRUE(client.call(produce(2, 300'000)));

    const auto records = server.with_cluster([](fake_cluster& cluster) { return cluster.records("t", 0); });
    ASSERT_EQ(records.size(), 2u);
    EXPECT_EQ(records[1].value->size(), 300'000u);
}

TEST_F(FakeClusterServer, TakesBytesOneByOne) {
    blocking_client client = connect();
    for (const std::byte& each : metadata(5)) ASSERT_TRUE(client.send({&each, 1}));

    const auto frame = client.receive();
    ASSERT_TRUE(frame);
    EXPECT_EQ(id_in(*frame), 5);
}

TEST_F(FakeClusterServer, AnswersThousandsOfPipelinedRequestsInOrder) {
    blocking_client client = connect();
    constexpr std::int32_t count = 20'000;
    std::thread writer([&] {
        for (std::int32_t id = 0; id < count; ++id) {
            if (!client.send(produce(id))) return;
        }
    });

    for (std::int32_t id = 0; id < count; ++id) {
        const auto frame = client.receive();
        ASSERT_TRUE(frame) << id;
        ASSERT_EQ(id_in(*frame), id);
    }
    writer.join();
    EXPECT_EQ(end_offset(), count);
}

TEST_F(FakeClusterServer, SurvivesPeersThatDoNotReadTheirAnswers) {
    server.with_cluster([](fake_cluster& cluster) {
        for (int index = 0; index < 1000; ++index) cluster.create_topic("topic-" + std::to_string(index));
    });
    wire::metadata_request all;
    const std::vector<std::byte> request = frame_of(all, 9);
    constexpr int count = 200;  // about 20 MB of answers
    blocking_client lazy = connect();
    std::thread writer([&] {
        for (int index = 0; index < count; ++index) {
            if (!lazy.send(request)) return;
        }
    });

    EXPECT_TRUE(connect().call(metadata())) << "others are served meanwhile";
    for (int index = 0; index < count; ++index) ASSERT_TRUE(lazy.receive()) << index;
    writer.join();
}

TEST_F(FakeClusterServer, ServesManyConnections) {
    std::vector<blocking_client> clients;
    for (int index = 0; index < 300; ++index) clients.push_back(connect(index % 2 + 1));
    for (blocking_client& client : clients) ASSERT_TRUE(client.send(metadata()));
    for (blocking_client& client : clients) ASSERT_TRUE(client.receive());
    EXPECT_EQ(server.connection_count(), 300u);

    clients.clear();
    while (server.connection_count() != 0) std::this_thread::yield();
}

TEST_F(FakeClusterServer, ADeadBrokerIsGoneAndComesBackOnItsPort) {
    blocking_client dead = connect(2);
    blocking_client other = connect(1);
    ASSERT_TRUE(dead.call(metadata()));
    const std::uint16_t port = server.port(2);

    server.kill(2);
    EXPECT_TRUE(dead.is_closed_by_peer());
    EXPECT_THROW(connect(2), std::runtime_error);
    EXPECT_TRUE(other.call(metadata()));
    EXPECT_NE(server.bootstrap().find(std::to_string(port)), std::string::npos) << "dead ones too";

    server.start(2);
    EXPECT_EQ(server.port(2), port);
    EXPECT_TRUE(connect(2).call(metadata()));
}

TEST_F(FakeClusterServer, AHookMayKillABroker) {
    server.with_cluster([](fake_cluster& cluster) {
        cluster.on_request([&cluster](const request_info& request) {
            cluster.kill(request.node_id);
            return fate::answer();
        });
    });

    EXPECT_FALSE(connect(2).call(produce()));
    // The connection ends before the listener: a question to the cluster waits for both.
    EXPECT_FALSE(server.with_cluster([](fake_cluster& cluster) { return cluster.is_alive(2); }));
    EXPECT_THROW(connect(2), std::runtime_error);
}

TEST_F(FakeClusterServer, FatesTakeRealTime) {
    server.with_cluster([](fake_cluster& cluster) {
        cluster.queue_fate(metadata_key, fate::delay(30ms));
        cluster.queue_fate(metadata_key, fate::answer_late(30ms));
    });
    blocking_client client = connect();
    const auto begin = std::chrono::steady_clock::now();

    ASSERT_TRUE(client.call(metadata()));
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 30ms);
    ASSERT_TRUE(client.call(metadata()));
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 60ms);
}

TEST_F(FakeClusterServer, EndsConnectionsAsFated) {
    server.with_cluster(
        [](fake_cluster& cluster) { cluster.queue_fate(produce_key, fate::apply_then_disconnect()); });
    blocking_client client = connect();

    ASSERT_TRUE(client.call(metadata()));
    EXPECT_FALSE(client.call(produce()));
    EXPECT_EQ(end_offset(), 1);
}

TEST_F(FakeClusterServer, SendsWhatItOwesBeforeItEndsAConnection) {
    server.with_cluster([](fake_cluster& cluster) { cluster.queue_fate(produce_key, fate::disconnect()); });
    blocking_client client = connect();
    std::vector<std::byte> requests = metadata(1);
    for (int index = 0; index < 100; ++index) requests = joined(std::move(requests), produce());

    ASSERT_TRUE(client.send(requests));

    EXPECT_TRUE(client.receive());
    EXPECT_TRUE(client.is_closed_by_peer());
}

TEST_F(FakeClusterServer, ForgetsClientsThatLeaveWhileARequestIsNeverAnswered) {
    server.with_cluster([](fake_cluster& cluster) {
        cluster.queue_fate(metadata_key, fate::never_answer());
        cluster.queue_fate(metadata_key, fate::apply_and_never_answer());
        cluster.queue_fate(metadata_key, fate::delay(20ms));
    });
    {
        blocking_client one = connect(), two = connect(), three = connect();
        for (blocking_client* client : {&one, &two, &three}) ASSERT_TRUE(client->send(metadata()));
        while (server.with_cluster([](fake_cluster& cluster) { return cluster.queued_fate_count(); }) > 0) {
            std::this_thread::yield();
        }
    }
    while (server.connection_count() != 0) std::this_thread::yield();
}

TEST_F(FakeClusterServer, ASlowBrokerReadsSlowly) {
    server.slow(1, 2'000'000);
    blocking_client client = connect();
    const auto begin = std::chrono::steady_clock::now();
    constexpr std::size_t size = 400'000;

    ASSERT_TRUE(client.call(produce(1, size)));

    const auto passed = std::chrono::steady_clock::now() - begin;
    EXPECT_GE(passed, 180ms) << "0.4 MB at 2 MB/s";
    server.slow(1, 0);
    ASSERT_TRUE(client.call(produce(2, 20 * size))) << "fast again";
    EXPECT_TRUE(connect(2).call(metadata())) << "others never were slow";
}

TEST_F(FakeClusterServer, ASlowBrokerPushesBack) {
    server.slow(1, 100'000);
    blocking_client client = connect();
    std::atomic<std::size_t> sent = 0;
    std::thread writer([&] {
        const std::vector<std::byte> request = produce(1, 50'000);
        while (client.send(request)) sent += request.size();
    });
    while (end_offset() < 2) std::this_thread::yield();

    // What is not read yet waits in sockets, and they hold little.
    EXPECT_LT(sent, 8u << 20);
    server.kill(1);
    writer.join();
}

TEST_F(FakeClusterServer, WallTimeIsReal) {
    server.with_cluster([](fake_cluster& cluster) {
        cluster.create_topic(
            "stamped", {.replication_factor = 1, .message_timestamp_type = timestamp_type::log_append_time});
    });
    const auto frame = connect().call(made_produce{{{"stamped", 0, made_batch::of(1).bytes()}}}.frame(9));
    ASSERT_TRUE(frame);
    const auto answer = decode_answer_frame<wire::produce_response>(*frame, 9);
    const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::system_clock::now().time_since_epoch());

    const auto stamped = answer.body.responses[0].partition_responses[0].log_append_time_ms;
    EXPECT_LE(stamped, now.count());
    EXPECT_GT(stamped, now.count() - 10'000);
}

TEST_F(FakeClusterServer, MayBeAskedFromManyThreadsUnderLoad) {
    std::atomic<bool> is_done = false;
    std::thread load([&] {
        blocking_client client = connect();
        while (!is_done) {
            if (!client.call(produce(1, 100'000))) return;
        }
    });
    while (end_offset() == 0) std::this_thread::yield();
    std::vector<std::thread> askers;
    for (int index = 0; index < 4; ++index) {
        askers.emplace_back([&] {
            std::int64_t before = 0;
            for (int question = 0; question < 200; ++question) {
                const std::int64_t now = end_offset();
                EXPECT_GE(now, before);
                before = now;
            }
        });
    }
    for (std::thread& asker : askers) asker.join();
    is_done = true;
    load.join();
}

TEST(FakeClusterServerStart, TakesThePortsThatItIsGiven) {
    std::uint16_t port = 0;
    {
        fake_cluster_server any;
        port = any.port(1);
    }
    fake_cluster_server server({.first_port = port});
    EXPECT_EQ(server.port(1), port);
    try {
        fake_cluster_server second({.first_port = port});
        FAIL() << "the port is taken";
    } catch (const sluice::error& error) {
        EXPECT_NE(std::string(error.what()).find("127.0.0.1:" + std::to_string(port)), std::string::npos)
            << error.what();
    }
}

TEST(FakeClusterServerStart, RefusesWhatIsNoAddress) {
    EXPECT_THROW(fake_cluster_server({.address = "nowhere"}), sluice::error);
}

TEST(FakeClusterServerStart, EndsWithConnectionsOpen) {
    std::optional<fake_cluster_server> server(std::in_place);
    blocking_client client("127.0.0.1:" + std::to_string(server->port(1)));
    ASSERT_TRUE(client.call(frame_of(metadata_about({}), 9)));

    server.reset();

    EXPECT_TRUE(client.is_closed_by_peer());
}

// Lowers the limit of open descriptors while it lives.
class few_descriptors {
public:
    explicit few_descriptors(rlim_t most) {
        // UBSan looks at a category's type through a pipe, the first time: while there are descriptors.
        const boost::system::error_category* volatile category = &boost::system::system_category();
        EXPECT_TRUE(error_code(EMFILE, *category).failed());
        EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
        rlimit few = before_;
        few.rlim_cur = most;
        EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
    }
    ~few_descriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
    few_descriptors(const few_descriptors&) = delete;
    few_descriptors& operator=(const few_descriptors&) = delete;

private:
    rlimit before_{};
};

TEST(FakeClusterServerStart, ServesOnWhenDescriptorsRunOut) {
    fake_cluster_server server;
    const std::string address = "127.0.0.1:" + std::to_string(server.port(1));
    const few_descriptors limited(64);
    std::vector<blocking_client> clients;
    try {
        while (clients.size() < 100) clients.emplace_back(address);
    } catch (const std::runtime_error&) {  // ours ran out too
    }
    clients.erase(clients.begin() + 5, clients.end());

    EXPECT_TRUE(clients.front().call(frame_of(metadata_about({}), 9)));
    std::optional<blocking_client> another;
    for (int tries = 0; tries < 1000 && !another; ++tries) {
        try {
            another.emplace(address);
        } catch (const std::runtime_error&) {  // until the server has got over all that have gone
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
    }
    ASSERT_TRUE(another);
    EXPECT_TRUE(another->call(frame_of(metadata_about({}), 9)));
}

TEST(FakeClusterServerStart, AcceptsAgainWhenSomebodyElseGivesDescriptorsBack) {
    fake_cluster_server server;
    const std::string address = "127.0.0.1:" + std::to_string(server.port(1));
    const few_descriptors limited(64);
    std::vector<server_socket> taken;
    while (taken.size() < 100) {
        server_socket each(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        if (!each) break;
        taken.push_back(std::move(each));
    }
    taken.pop_back();
    blocking_client client(address);  // with the last one: the server can accept nobody
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    taken.clear();

    EXPECT_TRUE(client.call(frame_of(metadata_about({}), 9)));
}

}  // namespace
}  // namespace sluice::testing
