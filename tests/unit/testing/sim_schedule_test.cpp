// Whole runs: several loops, clients, peers and faults, by seed.
#include <gtest/gtest.h>

#include <deque>

#include "testing/sim_loop.hpp"
#include "testing/sim_reactor.hpp"
#include "unit/testing/sim_findings.hpp"
#include "unit/testing/sim_peers.hpp"
#include "unit/testing/sim_stream.hpp"

namespace sluice::testing {
namespace {

using namespace std::chrono_literals;

struct run_of_streams {
    std::uint64_t trace_hash = 0;
    int attempts = 0;
    bool is_reached = false;
};

// Two loops, three clients, one peer.
run_of_streams run_streams(std::uint64_t seed, const fault_plan& faults, std::size_t size,
                           std::function<void(std::string_view)> on_trace = {}) {
    run_of_streams run;
    SCOPED_TRACE("seed " + std::to_string(seed) + ": " + faults.text());
    stream_peer peer;
    sim_world world(seed, faults);
    world.on_trace(std::move(on_trace));
    sim_network network(world);
    const endpoint address = network.listen("broker", 9092, peer);
    sim_loop first(network, "first"), second(network, "second");
    std::deque<stream_client> clients;
    clients.emplace_back(first, address, 1'000, size);
    clients.emplace_back(first, address, 2'000'000, size / 2);
    clients.emplace_back(second, address, 3'000'000'000, size);
    const auto are_done = [&] {
        return std::ranges::all_of(clients, [](const stream_client& each) { return each.is_done(); });
    };

    const run_result result = world.run_until(are_done, 1h);
    EXPECT_TRUE(result) << result;
    for (const stream_client& each : clients) {
        EXPECT_FALSE(each.was_wrong());
        run.attempts += each.attempt_count();
    }
    world.run_for(10min);
    EXPECT_TRUE(are(world.findings(), {}));
    EXPECT_EQ(first.io().pending_count() + second.io().pending_count(), 0u);
    EXPECT_EQ(first.io().socket_count() + second.io().socket_count(), 0u);
    EXPECT_EQ(peer.close_count, peer.connection_count()) << "the peer learns of each end\n" << world.report();
    run.trace_hash = world.trace_hash();
    run.is_reached = static_cast<bool>(result);
    return run;
}

TEST(SimSchedule, StreamsArriveWholeWithoutFaults) {
    const run_of_streams run = run_streams(1, fault_plan::calm(), 300'000);
    EXPECT_EQ(run.attempts, 3);
}

TEST(SimSchedule, WhatIsReceivedIsAPrefixOfWhatWasSentWhateverTheFaults) {
    int attempts = 0;
    for (std::uint64_t seed = 0; seed < 150; ++seed) {
        attempts += run_streams(seed, fault_plan::from_seed(seed), 10'000).attempts;
        if (HasFailure()) return;
    }
    EXPECT_GT(attempts, 1000) << "there were faults";
}

TEST(SimSchedule, TheSameSeedGivesTheSameTraceAndAnotherOneAnother) {
    std::set<std::uint64_t> hashes;
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        const fault_plan faults = fault_plan::from_seed(seed);
        std::vector<std::string> lines;
        const run_of_streams first =
            run_streams(seed, faults, 5'000, [&](std::string_view line) { lines.emplace_back(line); });
        // Other addresses, for whatever might depend on them.
        std::vector<std::unique_ptr<char[]>> in_between;
        for (std::size_t i = 1; i < 100; ++i) in_between.push_back(std::make_unique<char[]>(i * 17));
        std::size_t at = 0;
        const run_of_streams again = run_streams(seed, faults, 5'000, [&](std::string_view line) {
            if (at >= lines.size()) return;
            EXPECT_EQ(lines[at], line) << "the first difference, at step " << at;
            at = lines[at] == line ? at + 1 : lines.size();
        });
        EXPECT_EQ(first.trace_hash, again.trace_hash);
        hashes.insert(first.trace_hash);
        if (HasFailure()) return;
    }
    EXPECT_EQ(hashes.size(), 50u);
}

TEST(SimSchedule, TheTraceHoldsTheBytes) {
    // The same sizes at the same times, one byte differs.
    const auto hash_of = [](char text) {
        noting_peer peer;
        sim_world world(1);
        sim_network network(world);
        const endpoint address = network.listen("broker", 9092, peer);
        sim_loop loop(network, "loop");
        connecting connect(address);
        sending sent(std::string(1, text));
        const event_loop::scope on_this_loop(loop.events());
        const socket_id socket = loop.io().open(AF_INET, {}).value();
        connect.then = [&](int) { loop.io().send(socket, sent); };
        loop.io().connect(socket, connect);
        loop.events().ring();
        EXPECT_TRUE(world.run_until([&] { return sent.is_done(); }, 1s));
        loop.io().close(socket);
        return world.trace_hash();
    };
    EXPECT_EQ(hash_of('a'), hash_of('a'));
    EXPECT_NE(hash_of('a'), hash_of('b'));
}

// ---- ping-pong

// Sends a message, waits for its echo, sends the next.
class ping_client {
public:
    ping_client(sim_loop& on, const endpoint& to, int count) : loop_(on.events()), left_(count) {
        connect_.peer = to;
        connect_.then = [this](int) { ping(); };
        ping_.then = [this](int) {
            if (std::exchange(is_ping_due_, false)) return ping();
            if (is_done()) loop_.io().close(socket_);
        };
        pong_.then = [this](int result) {
            received_ += static_cast<std::size_t>(result);
            if (received_ < ping_.text.size()) return receive();
            if (--left_ > 0) return ping();
            if (!ping_.is_pending) loop_.io().close(socket_);
        };
        const event_loop::scope on_its_loop(loop_);
        socket_ = loop_.io().open(AF_INET, {}).value();
        loop_.io().connect(socket_, connect_);
        loop_.ring();
    }
    bool is_done() const noexcept { return left_ == 0; }
    bool is_closed() const noexcept { return is_done() && !ping_.is_pending; }

private:
    void ping() {
        // The echo may be reaped before its own send is.
        is_ping_due_ = ping_.is_pending;
        if (is_ping_due_) return;
        received_ = 0;
        loop_.io().send(socket_, ping_);
        receive();
    }
    void receive() { loop_.io().receive(socket_, pong_); }

    event_loop& loop_;
    int left_;
    socket_id socket_ = socket_id::none;
    bool is_ping_due_ = false;
    std::size_t received_ = 0;
    connecting connect_;
    sending ping_{std::string(100, 'x')};
    receiving pong_{512};
};

std::uint64_t play_ping_pong(std::uint64_t seed, int count) {
    echo_peer peer;
    sim_world world(seed);
    sim_network network(world);
    const endpoint address = network.listen("broker", 9092, peer);
    sim_loop loop(network, "loop");
    ping_client client(loop, address, count);
    EXPECT_TRUE(world.run_until([&] { return client.is_closed(); }, 1min)) << "seed " << seed;
    EXPECT_TRUE(are(world.findings(), {})) << "seed " << seed;
    return world.event_count() + world.turn_count();
}

TEST(SimSchedule, TenThousandSmallSchedules) {
    for (std::uint64_t seed = 0; seed < 10'000; ++seed) {
        play_ping_pong(seed, 3);
        if (HasFailure()) return;
    }
}

}  // namespace
}  // namespace sluice::testing
