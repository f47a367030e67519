#include "testing/sim_cluster.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <deque>
#include <set>

#include "testing/sim_reactor.hpp"
#include "unit/testing/made_batch.hpp"
#include "unit/testing/made_request.hpp"
#include "unit/testing/sim_findings.hpp"
#include "unit/testing/sim_operations.hpp"

namespace sluice::testing {
namespace {

using namespace std::chrono_literals;

// A client that does one thing at a time, over one connection per broker.
struct simulation {
    explicit simulation(std::uint64_t seed = 1, const fault_plan& faults = fault_plan::calm(),
                        cluster_config config = {.broker_count = 3})
        : world(seed, faults), brokers(network, std::move(config)) {}

    void wait_for(duration time) {
        const time_point end = world.now() + time;
        while (world.now() < end) turn(io, end);
    }
    template <class Operation>
    int finish(Operation& operation) {
        const time_point limit = world.now() + 1h;
        while (!operation.is_done() && world.now() < limit) turn(io, limit);
        EXPECT_TRUE(operation.is_done()) << world.report();
        return operation.result;
    }
    int connect(std::int32_t node = 1) {
        const auto opened = io.open(AF_INET, {});
        if (!opened) return -opened.error().value();
        socket = *opened;
        connecting operation(network.look_up({sim_cluster::host(node), 9092}).at(0));
        io.connect(socket, operation);
        return finish(operation);
    }
    int send(bytes frame) {
        for (std::string rest(as_text(frame)); !rest.empty();) {
            sending operation(rest);
            io.send(socket, operation);
            if (finish(operation) < 0) return operation.result;
            rest.erase(0, static_cast<std::size_t>(operation.result));
        }
        return 0;
    }
    // Until the next frame is whole: 1; at the end of the stream 0, or -errno.
    int receive(std::vector<std::byte>& frame) {
        for (;;) {
            if (received.size() >= 4) {
                const auto size =
                    static_cast<std::size_t>(wire::load_big_endian<std::int32_t>(received.data()));
                if (received.size() >= 4 + size) {
                    frame.assign(received.begin() + 4,
                                 received.begin() + 4 + static_cast<std::ptrdiff_t>(size));
                    received.erase(received.begin(),
                                   received.begin() + 4 + static_cast<std::ptrdiff_t>(size));
                    return 1;
                }
            }
            receiving operation(1000);
            io.receive(socket, operation);
            if (finish(operation) <= 0) return operation.result;
            const bytes part = bytes(operation.memory).first(static_cast<std::size_t>(operation.result));
            received.insert(received.end(), part.begin(), part.end());
        }
    }
    void close() {
        if (socket != socket_id::none) io.close(socket);
        socket = socket_id::none;
        received.clear();
    }
    // The code of the only partition, or nothing if the connection did not last.
    std::optional<std::int16_t> produce(const made_batch& batch) {
        const made_produce request{{{"t", 0, batch.bytes()}}};
        std::vector<std::byte> frame;
        if (send(request.frame(9)) < 0 || receive(frame) <= 0) return std::nullopt;
        const auto answer = decode_answer_frame<wire::produce_response>(std::move(frame), 9);
        return answer.body.responses.at(0).partition_responses.at(0).error_code;
    }

    sim_world world;
    sim_network network{world};
    sim_cluster brokers;
    sim_reactor io{network, "client", 0};
    socket_id socket = socket_id::none;
    std::vector<std::byte> received;
};

TEST(SimCluster, AnswersAndTellsWhereItsBrokersAre) {
    simulation s;
    EXPECT_EQ(s.brokers.bootstrap(), "broker-1:9092,broker-2:9092,broker-3:9092");
    ASSERT_EQ(s.connect(), 0);
    std::vector<std::byte> frame;

    s.send(frame_of(wire::metadata_request{}, 9, 7));
    ASSERT_EQ(s.receive(frame), 1);
    const auto answer = decode_answer_frame<wire::metadata_response>(frame, 9);

    EXPECT_EQ(answer.correlation_id, 7);
    ASSERT_EQ(answer.body.brokers.size(), 3u);
    std::set<std::string> addresses;
    for (const auto& each : answer.body.brokers) {
        addresses.insert(std::string(each.host) + ":" + std::to_string(each.port));
        EXPECT_EQ(s.network.look_up({std::string(each.host), 9092}).size(), 1u);
    }
    EXPECT_EQ(addresses, (std::set<std::string>{"broker-1:9092", "broker-2:9092", "broker-3:9092"}));
    s.close();
}

TEST(SimCluster, StoresWhatIsProduced) {
    simulation s(1, fault_plan::calm(), {.broker_count = 1});
    s.brokers.cluster().create_topic("t");
    ASSERT_EQ(s.connect(), 0);

    EXPECT_EQ(s.produce(made_batch::of(3)), 0);

    EXPECT_EQ(s.brokers.cluster().end_offset("t", 0), 3);
    s.close();
}

TEST(SimCluster, KeepsTheWorldsTime) {
    simulation s(1, fault_plan::calm(), {.broker_count = 1});
    s.brokers.cluster().create_topic("t", {.message_timestamp_type = timestamp_type::log_append_time});
    ASSERT_EQ(s.connect(), 0);
    s.wait_for(1h);
    const auto before = static_cast<std::int64_t>(s.world.wall_now());

    EXPECT_EQ(s.produce(made_batch::of(1)), 0);

    const std::int64_t timestamp = s.brokers.cluster().records("t", 0).at(0).timestamp;
    EXPECT_GE(timestamp, before);
    EXPECT_LE(timestamp, static_cast<std::int64_t>(s.world.wall_now()));
    s.close();
}

TEST(SimCluster, AnswersLateWhereItsFateIsSo) {
    simulation s;
    s.brokers.cluster().queue_fate(metadata_key, fate::delay(3s));
    ASSERT_EQ(s.connect(), 0);
    const duration before = s.world.elapsed();
    std::vector<std::byte> frame;

    s.send(frame_of(wire::metadata_request{}, 9, 1));
    s.send(frame_of(wire::metadata_request{}, 9, 2));
    ASSERT_EQ(s.receive(frame), 1);
    EXPECT_GE(s.world.elapsed(), before + 3s);
    ASSERT_EQ(s.receive(frame), 1) << "the one behind it";

    EXPECT_LT(s.world.elapsed(), before + 4s);
    s.close();
}

TEST(SimCluster, ABrokerThatIsBusyIsNotRead) {
    simulation s(1, fault_plan::calm(), {.broker_count = 1});
    s.brokers.cluster().create_topic("t");
    s.brokers.cluster().queue_fate(metadata_key, fate::delay(1min));
    ASSERT_EQ(s.connect(), 0);
    s.send(frame_of(wire::metadata_request{}, 9));
    s.wait_for(1s);

    sending sent(std::string(200'000, 'x'));
    s.io.send(s.socket, sent);
    EXPECT_EQ(s.finish(sent), 65'536);
    s.wait_for(1s);
    EXPECT_LT(s.brokers.cluster().bytes_received(1), 1000u);
    s.wait_for(1min);

    EXPECT_GT(s.brokers.cluster().bytes_received(1), 1000u);
    s.close();
}

TEST(SimCluster, AKilledBrokerEndsItsConnectionsAndRefusesNewOnes) {
    std::set<int> ends;
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        simulation s(seed);
        ASSERT_EQ(s.connect(2), 0);

        s.brokers.kill(2);
        std::vector<std::byte> frame;
        ends.insert(s.receive(frame));
        s.close();
        EXPECT_EQ(s.connect(2), -ECONNREFUSED);
        s.close();
        EXPECT_EQ(s.connect(1), 0);
        s.close();
        s.brokers.start(2);
        EXPECT_EQ(s.connect(2), 0);
        s.close();
        EXPECT_TRUE(are(s.world.findings(), {}));
    }
    EXPECT_EQ(ends, (std::set<int>{0, -ECONNRESET}));
}

TEST(SimCluster, AHookMayKillTheBrokerThatItServes) {
    simulation s;
    s.brokers.cluster().on_request([&](const request_info& request) {
        s.brokers.cluster().kill(request.node_id);
        return fate::answer();
    });
    ASSERT_EQ(s.connect(3), 0);
    std::vector<std::byte> frame;

    s.send(frame_of(wire::metadata_request{}, 9));
    EXPECT_LE(s.receive(frame), 0);
    s.close();

    EXPECT_EQ(s.connect(3), -ECONNREFUSED);
    s.close();
}

TEST(SimCluster, ServesARequestWhoseClientHasGone) {
    simulation s(1, fault_plan::calm(), {.broker_count = 1});
    s.brokers.cluster().create_topic("t");
    s.brokers.cluster().queue_fate(produce_key, fate::delay(10s));
    ASSERT_EQ(s.connect(), 0);

    s.send(made_produce{{{"t", 0, made_batch::of(1).bytes()}}}.frame(9));
    s.wait_for(1s);
    s.close();
    s.wait_for(1s);
    EXPECT_EQ(s.brokers.cluster().end_offset("t", 0), 0);
    s.wait_for(10s);

    EXPECT_EQ(s.brokers.cluster().end_offset("t", 0), 1);
}

TEST(SimCluster, ForgetsAClientWhoseRequestIsNeverAnswered) {
    simulation s;
    s.brokers.cluster().queue_fate(metadata_key, fate::never_answer());
    ASSERT_EQ(s.connect(), 0);
    s.send(frame_of(wire::metadata_request{}, 9));
    s.wait_for(1s);
    s.close();
    s.wait_for(1min);

    EXPECT_EQ(s.network.connections().at(0)->is_open(), false);
}

// An idempotent client that sends each batch again until it is acknowledged: every record is stored once and in order,
// whatever the network does.
TEST(SimCluster, WhatIsAcknowledgedIsStoredOnceWhateverTheNetworkDoes) {
    int attempt_count = 0;
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        const fault_plan faults = fault_plan::from_seed(seed);
        SCOPED_TRACE("seed " + std::to_string(seed) + ": " + faults.text());
        simulation s(seed, faults, {.broker_count = 1});
        s.brokers.cluster().create_topic("t");
        for (int i = 0; i < 10; ++i) {
            const made_batch batch = made_batch::of(1, 1000, 0, i);
            std::optional<std::int16_t> code;
            while (!code) {
                ++attempt_count;
                if (s.socket == socket_id::none && s.connect() != 0) {
                    s.close();
                    s.wait_for(100ms);
                    continue;
                }
                code = s.produce(batch);
                if (!code) s.close();
            }
            EXPECT_EQ(*code, 0);
        }
        s.close();
        s.wait_for(10min);
        const std::vector<log_record> records = s.brokers.cluster().records("t", 0);
        ASSERT_EQ(records.size(), 10u);
        for (int i = 0; i < 10; ++i) EXPECT_EQ(records[static_cast<std::size_t>(i)].sequence, i);
        EXPECT_TRUE(are(s.world.findings(), {}));
        if (HasFailure()) return;
    }
    EXPECT_GT(attempt_count, 2050) << "some were made again";
}

}  // namespace
}  // namespace sluice::testing
