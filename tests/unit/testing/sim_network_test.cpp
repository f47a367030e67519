#include "testing/sim_network.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <set>

#include "testing/sim_reactor.hpp"
#include "unit/testing/sim_findings.hpp"
#include "unit/testing/sim_operations.hpp"
#include "unit/testing/sim_peers.hpp"

namespace sluice::testing {
namespace {

using namespace std::chrono_literals;

struct simulation {
    explicit simulation(std::uint64_t seed = 1, const fault_plan& faults = fault_plan::calm())
        : world(seed, faults) {}

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
    // The socket stays open; the number of the latest is `socket`.
    int connect(const endpoint& to) {
        socket = io.open(to.family(), {}).value();
        connecting operation(to);
        io.connect(socket, operation);
        return finish(operation);
    }
    int send(std::string text) {
        sending operation(std::move(text));
        io.send(socket, operation);
        return finish(operation);
    }
    int receive(std::string& into, std::size_t size_max = 100'000) {
        receiving operation(size_max);
        io.receive(socket, operation);
        finish(operation);
        into += operation.text();
        return operation.result;
    }
    void close() { io.close(socket); }

    echo_peer peer;
    sim_world world;
    sim_network network{world};
    endpoint address = network.listen("broker", 9092, peer);
    sim_reactor io{network, "test", 0};
    socket_id socket = socket_id::none;
};

TEST(SimNetwork, HostsHaveAddressesOfTheirOwn) {
    simulation s;
    noting_peer other;
    EXPECT_EQ(s.address.text(), "10.0.0.1:9092");
    EXPECT_EQ(s.network.listen("other", 9093, other).text(), "10.0.0.2:9093");
    s.network.add_address("six", "2001:db8::1");
    const endpoint six = s.network.listen("six", 9092, other);

    EXPECT_EQ(s.connect(six), 0);
    EXPECT_EQ(other.connections.at(0)->address(), (host_port{"six", 9092}));
    s.close();
}

TEST(SimNetwork, LooksUpNames) {
    simulation s;
    s.network.add_address("broker", "10.9.0.1");

    const std::vector<endpoint> found = s.network.look_up({"broker", 9099});

    ASSERT_EQ(found.size(), 2u);
    EXPECT_EQ(found[0].text(), "10.0.0.1:9099");
    EXPECT_EQ(found[1].text(), "10.9.0.1:9099");
    EXPECT_TRUE(s.network.look_up({"nobody", 1}).empty());
    EXPECT_EQ(s.network.look_up({"::1", 1}).at(0).text(), "[::1]:1");
}

TEST(SimNetwork, RefusesWhereNobodyListens) {
    simulation s;
    EXPECT_EQ(s.connect(*endpoint::parse("10.0.0.1", 1)), -ECONNREFUSED);
    s.close();
    s.network.stop_listening("broker", 9092);
    EXPECT_EQ(s.connect(s.address), -ECONNREFUSED);
    s.network.listen("broker", 9092, s.peer);
    s.close();
    EXPECT_EQ(s.connect(s.address), 0);
    s.close();
}

TEST(SimNetwork, AnAddressOfNobodyIsUnreachable) {
    simulation s;
    const int result = s.connect(*endpoint::parse("10.3.4.5", 9092));
    EXPECT_TRUE(result == -EHOSTUNREACH || result == -ENETUNREACH) << result;
    s.close();
}

TEST(SimNetwork, ASocketMayTryAgainAfterARefusal) {
    simulation s;
    s.network.stop_listening("broker", 9092);
    EXPECT_EQ(s.connect(s.address), -ECONNREFUSED);
    s.network.listen("broker", 9092, s.peer);
    connecting again(s.address), and_again(s.address);

    s.io.connect(s.socket, again);
    EXPECT_EQ(s.finish(again), 0);
    s.io.connect(s.socket, and_again);
    EXPECT_EQ(s.finish(and_again), -EISCONN);
    s.close();
}

TEST(SimNetwork, ConnectingFailsByFault) {
    std::set<int> results;
    bool is_closed = false, is_reset = false;
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
        fault_plan faults = fault_plan::calm();
        faults.connect_refused = 0.3;
        faults.connect_unreachable = 0.2;
        faults.connect_lost = 0.2;
        faults.accepted_and_closed = 0.5;
        simulation s(seed, faults);
        const int result = s.connect(s.address);
        results.insert(result);
        EXPECT_TRUE(result != -ETIMEDOUT || s.world.elapsed() >= 130s);
        if (result == 0 && s.peer.connections.empty()) {
            std::string text;
            const int received = s.receive(text);
            is_closed = is_closed || received == 0;
            is_reset = is_reset || received == -ECONNRESET;
        }
        s.close();
    }
    EXPECT_EQ(results, (std::set<int>{0, -ECONNREFUSED, -EHOSTUNREACH, -ENETUNREACH, -ETIMEDOUT}));
    EXPECT_TRUE(is_closed);
    EXPECT_TRUE(is_reset);
}

TEST(SimNetwork, ALostConnectComesThroughWhenTheWorldHeals) {
    fault_plan faults = fault_plan::calm();
    faults.connect_lost = 1;
    faults.heals_after = 10s;
    simulation s(1, faults);

    EXPECT_EQ(s.connect(s.address), 0);

    EXPECT_GE(s.world.elapsed(), 10s);
    EXPECT_LT(s.world.elapsed(), 20s);
    s.close();
}

TEST(SimNetwork, ThePeerSeesTheEndBehindTheBytes) {
    simulation s;
    s.connect(s.address);

    s.send("last words");
    s.close();
    s.wait_for(1s);

    EXPECT_EQ(s.peer.texts[0], "last words");
    EXPECT_EQ(s.peer.closed.size(), 1u);
    EXPECT_FALSE(s.peer.connections[0]->is_open());
    s.peer.connections[0]->send(as_bytes("nobody hears it"));
    s.peer.connections[0]->close();
    s.peer.connections[0]->reset();
    s.wait_for(1s);
    EXPECT_EQ(s.peer.closed.size(), 1u);
}

TEST(SimNetwork, APeerThatDoesNotReadFillsTheWindow) {
    simulation s;
    s.connect(s.address);
    s.peer.connections[0]->pause();
    EXPECT_EQ(s.send(std::string(100'000, 'x')), 65'536);
    s.wait_for(1s);
    EXPECT_TRUE(s.peer.texts[0].empty());

    s.peer.connections[0]->resume();
    s.wait_for(1s);

    EXPECT_EQ(s.peer.texts[0].size(), 65'536u);
    s.close();
}

TEST(SimNetwork, AClientThatDoesNotReadLetsThePeerQueue) {
    simulation s;
    s.connect(s.address);
    const std::string answer(200'000, 'x');

    s.peer.connections[0]->send(as_bytes(answer));
    s.wait_for(1s);
    EXPECT_EQ(s.peer.connections[0]->size_unsent(), 200'000u - 65'536u);
    std::string received;
    while (received.size() < answer.size()) s.receive(received);

    EXPECT_EQ(received, answer);
    EXPECT_EQ(s.peer.connections[0]->size_unsent(), 0u);
    s.close();
}

TEST(SimNetwork, AnIsolatedHostGetsEverythingLater) {
    simulation s;
    s.connect(s.address);
    s.network.isolate("broker");
    s.send("text");
    s.wait_for(30s);
    EXPECT_TRUE(s.peer.texts.empty());

    s.network.let_in("broker");
    s.wait_for(1s);

    EXPECT_EQ(s.peer.texts[0], "text");
    s.close();
}

TEST(SimNetwork, ARequestMayArriveWhenItsClientHasGone) {
    simulation s;
    s.connect(s.address);
    s.network.isolate("broker");
    s.send("request");
    s.close();
    s.wait_for(30s);
    s.network.let_in("broker");
    s.connect(s.address);
    s.send("the same again");
    s.wait_for(1s);

    EXPECT_EQ(s.peer.texts[0], "request");
    EXPECT_EQ(s.peer.texts[1], "the same again");
    EXPECT_EQ(s.peer.closed, std::vector<std::uint64_t>{0});
    s.close();
}

TEST(SimNetwork, AKilledHostResetsItsConnections) {
    simulation s;
    s.connect(s.address);
    s.network.stop_listening("broker", 9092);
    s.network.reset_connections("broker");
    std::string text;

    EXPECT_EQ(s.receive(text), -ECONNRESET);
    s.wait_for(1s);
    EXPECT_EQ(s.peer.closed.size(), 1u);
    s.close();
}

// What becomes of a request and its answer when the connection is reset by fault.
TEST(SimNetwork, AResetLosesTheRequestApartOrTheAnswerAlone) {
    const std::string request(30'000, 'q');
    int arrived_whole = 0, arrived_in_part = 0, answered_in_part = 0, served_unanswered = 0, untouched = 0;
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
        fault_plan faults = fault_plan::calm();
        faults.reset = 1;
        faults.reset_within = 10ms;
        simulation s(seed, faults);
        ASSERT_EQ(s.connect(s.address), 0);
        int sent = 0;
        for (std::string rest = request; sent >= 0 && !rest.empty();
             rest.erase(0, static_cast<std::size_t>(sent))) {
            sent = s.send(rest);
            if (sent < 0) break;
        }
        std::string answer;
        s.wait_for(1s);
        while (answer.size() < request.size() && s.receive(answer) > 0) {}
        const std::string& served = s.peer.texts[0];
        ASSERT_EQ(served, request.substr(0, served.size()));
        ASSERT_EQ(answer, served.substr(0, answer.size()));
        arrived_whole += served.size() == request.size() ? 1 : 0;
        arrived_in_part += served.size() > 0 && served.size() < request.size() ? 1 : 0;
        answered_in_part += answer.size() > 0 && answer.size() < request.size() ? 1 : 0;
        served_unanswered += served.size() == request.size() && answer.empty() ? 1 : 0;
        untouched += answer.size() == request.size() ? 1 : 0;
        s.close();
        s.wait_for(1s);
        EXPECT_EQ(s.peer.closed.size(), 1u);
        EXPECT_TRUE(are(s.world.findings(), {}));
    }
    EXPECT_GT(arrived_whole, 50);
    EXPECT_GT(arrived_in_part, 20);
    EXPECT_GT(answered_in_part, 5);
    EXPECT_GT(served_unanswered, 20);
    EXPECT_GT(untouched, 20);
}

TEST(SimNetwork, AStalledConnectionMayBeGivenUpByOneSide) {
    int given_up = 0, served_after = 0;
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
        fault_plan faults = fault_plan::calm();
        faults.stall = 0.5;
        faults.given_up = 1;
        faults.heals_after = 20s;
        simulation s(seed, faults);
        if (s.connect(s.address) != 0) continue;
        s.send("request");
        std::string answer;
        if (s.receive(answer) == -ETIMEDOUT) {
            ++given_up;
            const bool was_served = !s.peer.texts.empty();
            s.wait_for(1min);
            if (!was_served && s.peer.texts[0] == "request") ++served_after;
            EXPECT_EQ(s.peer.closed.size(), 1u);
        }
        s.close();
    }
    EXPECT_GT(given_up, 10);
    EXPECT_GT(served_after, 5) << "the broker gets what the client has given up";
}

TEST(SimNetwork, APeerIsNeverCalledInsideACallOfItsOwn) {
    struct strict_peer final : sim_peer {
        void on_connect(sim_connection& connection) override { work(connection); }
        void on_bytes(sim_connection& connection, bytes received, time_point) override {
            connection.send(received);
            work(connection);
        }
        void on_close(sim_connection& connection) override { work(connection); }
        void work(sim_connection& connection) {
            EXPECT_FALSE(is_inside);
            is_inside = true;
            random& from = connection.world().chance();
            connection.send(as_bytes("text"));
            if (from.below(8) == 0) connection.pause();
            connection.resume();
            if (from.below(8) == 0) connection.close();
            if (from.below(8) == 0) connection.reset();
            is_inside = false;
        }
        bool is_inside = false;
    } peer;
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
        simulation s(seed, fault_plan::from_seed(seed));
        const endpoint address = s.network.listen("strict", 9092, peer);
        for (int i = 0; i < 3; ++i) {
            const auto opened = s.io.open(AF_INET, {});
            if (opened.has_error()) continue;
            s.socket = *opened;
            connecting operation(address);
            s.io.connect(s.socket, operation);
            if (s.finish(operation) == 0) {
                for (int j = 0; j < 10 && s.send("0123456789") > 0; ++j) s.wait_for(1ms);
            }
            s.close();
        }
        EXPECT_TRUE(are(s.world.findings(), {}));
    }
}

TEST(SimNetwork, ReportsItsConnections) {
    simulation s;
    s.connect(s.address);
    s.peer.connections[0]->pause();
    s.send("text");
    s.wait_for(1s);

    EXPECT_NE(s.world.report().find(
                  "connection 0, test -> broker:9092: open; to the peer: 0 bytes wait, 0 on the way, "
                  "4 unread; to the client: 0 bytes wait, 0 on the way, 0 unread"),
              std::string::npos)
        << s.world.report();
    s.close();
}

}  // namespace
}  // namespace sluice::testing
