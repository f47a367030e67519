#include "testing/sim_reactor.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <deque>
#include <set>

#include "unit/testing/sim_findings.hpp"
#include "unit/testing/sim_operations.hpp"
#include "unit/testing/sim_peers.hpp"

namespace sluice::testing {
namespace {

using namespace std::chrono_literals;

// A reactor without a loop, in a world where what a test asks for goes wrong.
struct simulation {
    explicit simulation(std::uint64_t seed = 1, const fault_plan& faults = fault_plan::calm())
        : world(seed, faults) {}

    void wait_for(duration time) {
        const time_point end = world.now() + time;
        while (world.now() < end) turn(io, end);
    }
    template <class Operation>
    void finish(Operation& operation) {
        const time_point limit = world.now() + 1h;
        while (!operation.is_done() && world.now() < limit) turn(io, limit);
        ASSERT_TRUE(operation.is_done()) << world.report();
        ASSERT_FALSE(operation.is_pending);
    }
    socket_id open() { return io.open(AF_INET, {}).value(); }
    socket_id connect_to(const endpoint& to) {
        const socket_id socket = open();
        connecting connect(to);
        io.connect(socket, connect);
        finish(connect);
        EXPECT_EQ(connect.result, 0);
        return socket;
    }
    socket_id connect() { return connect_to(address); }
    int send_all(socket_id socket, std::string text) {
        while (!text.empty()) {
            sending sent(text);
            io.send(socket, sent);
            finish(sent);
            if (sent.result < 0) return sent.result;
            text.erase(0, static_cast<std::size_t>(sent.result));
        }
        return 0;
    }

    echo_peer peer;
    sim_world world;
    sim_network network{world};
    endpoint address = network.listen("broker", 9092, peer);
    sim_reactor io{network, "test", 0};
};

// ---- what every reactor does

TEST(SimReactor, ConnectsSendsReceivesAndCloses) {
    simulation s;
    const socket_id socket = s.connect();
    sending sent("hello");
    receiving received(16);

    s.io.receive(socket, received);
    s.io.send(socket, sent);
    EXPECT_EQ(s.io.pending_count(), 2u);
    s.finish(sent);
    s.finish(received);
    s.io.close(socket);
    s.wait_for(1s);

    EXPECT_EQ(sent.result, 5);
    EXPECT_EQ(received.text(), "hello");
    EXPECT_EQ(s.io.pending_count(), 0u);
    EXPECT_EQ(s.io.socket_count(), 0u);
    EXPECT_EQ(s.peer.closed.size(), 1u);
    EXPECT_GT(s.world.elapsed(), 2s / 10'000) << "bytes take their time";
    EXPECT_TRUE(are(s.world.findings(), {}));
}

TEST(SimReactor, NothingCompletesInsideItsStartOrSubmit) {
    simulation s;
    const socket_id socket = s.connect();
    sending sent("hello");

    s.io.send(socket, sent);
    s.io.submit();

    EXPECT_FALSE(sent.is_done());
    EXPECT_TRUE(sent.is_pending);
    EXPECT_EQ(s.io.pending_count(), 1u);
    s.finish(sent);
    s.io.close(socket);
}

TEST(SimReactor, NothingHappensBeforeSubmit) {
    simulation s;
    const socket_id socket = s.connect();
    sending sent("hello");

    s.io.send(socket, sent);
    s.world.run_for(1s);
    EXPECT_TRUE(s.peer.texts.empty());
    s.io.submit();
    s.world.run_for(1s);

    EXPECT_EQ(s.peer.texts[0], "hello");
    s.finish(sent);
    s.io.close(socket);
}

TEST(SimReactor, GathersPieces) {
    simulation s;
    const socket_id socket = s.connect();
    std::string a = "one ", b, c = "two";
    sending sent;
    sent.set({{a.data(), a.size()}, {b.data(), 0}, {nullptr, 0}, {c.data(), c.size()}});

    s.io.send(socket, sent);
    s.finish(sent);
    s.wait_for(1s);

    EXPECT_EQ(sent.result, 7);
    EXPECT_EQ(s.peer.texts[0], "one two");
    s.io.close(socket);
}

TEST(SimReactor, ASendThatDoesNotFitEndsShortAndWaitsForRoom) {
    simulation s;
    const socket_id socket = s.connect();
    s.peer.connections[0]->pause();
    const std::string text(100'000, 'x');
    sending first(text), second(text);

    s.io.send(socket, first);
    s.finish(first);
    s.io.send(socket, second);
    s.wait_for(10s);

    EXPECT_EQ(first.result, 65'536) << "the window";
    EXPECT_FALSE(second.is_done());
    s.peer.connections[0]->resume();
    s.finish(second);
    EXPECT_GT(second.result, 0);
    s.io.close(socket);
}

TEST(SimReactor, TheEndOfTheStreamComesAfterTheBytes) {
    simulation s;
    const socket_id socket = s.connect();
    s.peer.connections[0]->send(as_bytes("last"));
    s.peer.connections[0]->close();
    receiving last(16), end(16), still_end(16);

    s.io.receive(socket, last);
    s.finish(last);
    s.io.receive(socket, end);
    s.finish(end);
    s.io.receive(socket, still_end);
    s.finish(still_end);

    EXPECT_EQ(last.text(), "last");
    EXPECT_EQ(end.result, 0);
    EXPECT_EQ(still_end.result, 0);
    s.io.close(socket);
}

TEST(SimReactor, AResetIsToldOnceAndThenTheConnectionIsOver) {
    simulation s;
    const socket_id socket = s.connect();
    receiving received(16), again(16);
    sending sent("text");
    s.io.receive(socket, received);
    s.wait_for(1ms);

    s.peer.connections[0]->reset();
    s.finish(received);
    s.io.send(socket, sent);
    s.finish(sent);
    s.io.receive(socket, again);
    s.finish(again);

    EXPECT_EQ(received.result, -ECONNRESET);
    EXPECT_EQ(sent.result, -EPIPE);
    EXPECT_EQ(again.result, 0);
    s.io.close(socket);
}

TEST(SimReactor, SendingToAPeerThatClosedEndsInAReset) {
    simulation s;
    const socket_id socket = s.connect();
    s.peer.connections[0]->close();
    sending first("a"), second("b");

    s.io.send(socket, first);
    s.finish(first);
    s.wait_for(1s);
    s.io.send(socket, second);
    s.finish(second);

    EXPECT_EQ(first.result, 1) << "the kernel took it";
    EXPECT_LT(second.result, 0);
    s.io.close(socket);
}

TEST(SimReactor, AnUnconnectedSocketMovesNothing) {
    simulation s;
    const socket_id socket = s.open();
    sending sent("text");
    receiving received(16);

    s.io.send(socket, sent);
    s.io.receive(socket, received);
    s.finish(sent);
    s.finish(received);

    EXPECT_EQ(sent.result, -EPIPE);
    EXPECT_EQ(received.result, -ENOTCONN);
    s.io.close(socket);
}

TEST(SimReactor, AReceiveMayBeStartedBeforeTheConnectCompletes) {
    simulation s;
    const socket_id socket = s.open();
    connecting connect(s.address);
    receiving greeting(16);

    s.io.connect(socket, connect);
    s.io.receive(socket, greeting);
    s.finish(connect);
    s.peer.connections[0]->send(as_bytes("hello"));
    s.finish(greeting);

    EXPECT_EQ(greeting.text(), "hello");
    s.io.close(socket);
}

TEST(SimReactor, CancelsWhatWaits) {
    simulation s;
    const socket_id socket = s.connect();
    receiving cancelled(16), next(16);

    s.io.receive(socket, cancelled);
    s.wait_for(1ms);
    s.io.cancel(cancelled);
    s.io.cancel(cancelled);
    EXPECT_FALSE(cancelled.is_done());
    s.finish(cancelled);
    s.peer.connections[0]->send(as_bytes("text"));
    s.io.receive(socket, next);
    s.finish(next);

    EXPECT_EQ(cancelled.result, -ECANCELED);
    EXPECT_EQ(cancelled.completion_count, 1);
    EXPECT_EQ(next.text(), "text") << "the cancelled one took nothing";
    s.io.close(socket);
}

TEST(SimReactor, ACancelBeforeSubmitStillCompletesOnce) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        simulation s(seed);
        const socket_id socket = s.connect();
        receiving received(16);

        s.io.receive(socket, received);
        s.io.cancel(received);
        s.finish(received);
        s.wait_for(1ms);

        EXPECT_EQ(received.result, -ECANCELED);
        EXPECT_EQ(received.completion_count, 1);
        s.io.close(socket);
    }
}

TEST(SimReactor, CancellingWhatHasCompletedChangesNothing) {
    simulation s;
    const socket_id socket = s.connect();
    sending sent("text");
    s.io.send(socket, sent);
    completion_list completed;
    while (s.io.pending_count() > 0) s.io.submit_and_wait(s.io.now() + 10s, completed);

    s.io.cancel(sent);  // reaped, not called back
    while (io_operation* operation = completed.pop()) {
        operation->is_pending = false;
        operation->on_complete(*operation);
    }
    s.io.cancel(sent);  // called back
    s.wait_for(1ms);

    EXPECT_EQ(sent.result, 4);
    EXPECT_EQ(sent.completion_count, 1);
    s.io.close(socket);
}

TEST(SimReactor, CancelsAConnect) {
    simulation s;
    s.network.isolate("broker");
    const socket_id socket = s.open();
    connecting connect(s.address);

    s.io.connect(socket, connect);
    s.wait_for(5s);
    EXPECT_FALSE(connect.is_done());
    s.io.cancel(connect);
    s.finish(connect);
    s.io.close(socket);
    s.network.let_in("broker");
    s.wait_for(1min);

    EXPECT_EQ(connect.result, -ECANCELED);
    EXPECT_TRUE(s.peer.connections.empty());
}

TEST(SimReactor, WaitsUntilTheDeadlineTheRingOrACompletion) {
    simulation s;
    const time_point start = s.world.now();

    turn(s.io, start + 10ms);
    EXPECT_EQ(s.world.now(), start + 10ms);
    turn(s.io, start);
    s.io.ring();
    turn(s.io, start + 1h);
    EXPECT_LT(s.world.now(), start + 11ms) << "it was rung before";
    s.world.in(5ms, [&] { s.io.ring(); });
    turn(s.io, start + 1h);

    EXPECT_LT(s.world.now(), start + 20ms);
}

TEST(SimReactor, UsesTheNumberOfAClosedSocketAgain) {
    simulation s;
    const socket_id first = s.connect();
    s.io.close(first);
    const socket_id second = s.connect();

    EXPECT_EQ(second, first);
    EXPECT_EQ(s.send_all(second, "second"), 0);
    s.wait_for(1s);
    EXPECT_EQ(s.peer.texts[1], "second");
    s.io.close(second);
}

TEST(SimReactor, RefusesAFamilyThatThereIsNot) {
    simulation s;
    EXPECT_EQ(s.io.open(9999, {}).error().value(), EAFNOSUPPORT);
    const socket_id ipv6 = s.io.open(AF_INET6, {}).value();
    connecting connect(s.address);
    s.io.connect(ipv6, connect);
    s.finish(connect);

    EXPECT_EQ(connect.result, -EAFNOSUPPORT);
    s.io.close(ipv6);
    EXPECT_EQ(s.io.native_handle(), -1);
    EXPECT_EQ(s.io.kind(), reactor_kind::simulated);
}

// ---- what the contract allows, and real kernels do seldom

TEST(SimReactor, BytesMoveBetweenStartAndCompletionAtAnyMoment) {
    // How long after submit the bytes are on their way, and how long after that the completion can be reaped.
    std::set<duration> moved, completed;
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        simulation s(seed);
        const socket_id socket = s.connect();
        const time_point start = s.world.now();
        time_point moved_at{};
        s.world.on_trace([&](std::string_view line) {
            if (line.find(" written ") != std::string_view::npos) moved_at = s.world.now();
        });
        sending sent("text");
        s.io.send(socket, sent);
        s.finish(sent);
        moved.insert(moved_at - start);
        completed.insert(s.world.now() - moved_at);
        s.io.close(socket);
        s.world.on_trace(nullptr);
    }
    EXPECT_TRUE(moved.contains(0ns)) << "at once";
    EXPECT_GT(moved.size(), 15u) << "or later";
    EXPECT_GT(completed.size(), 15u);
}

TEST(SimReactor, SendsAndReceivesEndShortByFault) {
    fault_plan faults = fault_plan::calm();
    faults.short_send = 0.7;
    faults.short_receive = 0.7;
    simulation s(1, faults);
    const socket_id socket = s.connect();
    const std::string text(200, 'x');

    EXPECT_EQ(s.send_all(socket, text), 0);
    std::string received;
    int receive_count = 0;
    while (received.size() < text.size()) {
        receiving part(500);
        s.io.receive(socket, part);
        s.finish(part);
        ASSERT_GT(part.result, 0);
        received += part.text();
        ++receive_count;
    }

    EXPECT_EQ(s.peer.texts[0], text);
    EXPECT_EQ(received, text);
    EXPECT_GT(s.peer.call_count, 1);
    EXPECT_GT(receive_count, 1);
    s.io.close(socket);
}

TEST(SimReactor, OperationsFailByFault) {
    std::set<int> of_sends, of_receives;
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
        fault_plan faults = fault_plan::calm();
        faults.send_fails = 0.5;
        faults.receive_fails = 0.5;
        faults.no_buffers = 0.2;
        simulation s(seed, faults);
        const socket_id socket = s.connect();
        sending sent("text");
        receiving received(16);
        s.peer.connections[0]->send(as_bytes("hello"));
        s.io.send(socket, sent);
        s.io.receive(socket, received);
        s.finish(sent);
        s.finish(received);
        of_sends.insert(sent.result);
        of_receives.insert(received.result);
        s.io.close(socket);
        EXPECT_TRUE(are(s.world.findings(), {}));
    }
    for (const int each : {4, -EPIPE, -ECONNRESET, -ETIMEDOUT, -ENOBUFS})
        EXPECT_TRUE(of_sends.contains(each)) << each;
    for (const int each : {5, 0, -ECONNRESET, -ETIMEDOUT, -EHOSTUNREACH})
        EXPECT_TRUE(of_receives.contains(each)) << each;
}

TEST(SimReactor, SocketsRunOutByFault) {
    fault_plan faults = fault_plan::calm();
    faults.open_fails = 1;
    simulation s(1, faults);

    EXPECT_EQ(s.io.open(AF_INET, {}).error().value(), EMFILE);
}

TEST(SimReactor, ACancelledSendEndsInEveryPossibleWay) {
    // (result, bytes that the peer got)
    std::set<std::pair<int, std::size_t>> ends;
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
        fault_plan faults = fault_plan::calm();
        faults.cancelled_too_late = 0.3;
        faults.cancelled_half_way = 0.5;
        faults.tried_late = 1;
        simulation s(seed, faults);
        const socket_id socket = s.connect();
        sending sent("four");
        s.io.send(socket, sent);
        s.io.cancel(sent);
        s.finish(sent);
        s.wait_for(1s);
        ends.emplace(sent.result, s.peer.texts[0].size());
        EXPECT_EQ(sent.completion_count, 1);
        s.io.close(socket);
    }
    EXPECT_TRUE(ends.contains({-ECANCELED, 0})) << "nothing was sent";
    EXPECT_TRUE(ends.contains({4, 4})) << "as if it had not been cancelled";
    EXPECT_TRUE(ends.contains({2, 2})) << "half way, and it says so";
    EXPECT_TRUE(ends.contains({-ECANCELED, 2})) << "half way, and it does not";
    for (const auto& [result, size] : ends) {
        EXPECT_TRUE(result < 0 || static_cast<std::size_t>(result) == size) << result << ", " << size;
    }
}

TEST(SimReactor, ACancelledReceiveMayHaveReceived) {
    std::set<int> results;
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        fault_plan faults = fault_plan::calm();
        faults.cancelled_too_late = 0.5;
        faults.tried_late = 1;
        simulation s(seed, faults);
        const socket_id socket = s.connect();
        s.peer.connections[0]->send(as_bytes("text"));
        s.wait_for(1s);
        receiving received(16), next(16);
        s.io.receive(socket, received);
        s.io.cancel(received);
        s.finish(received);
        results.insert(received.result);
        if (received.result == -ECANCELED) {
            s.io.receive(socket, next);
            s.finish(next);
            EXPECT_EQ(next.text(), "text");
        }
        s.io.close(socket);
    }
    EXPECT_EQ(results, (std::set<int>{-ECANCELED, 4}));
}

TEST(SimReactor, WhatIsReceivedIsNotInTheBufferBeforeItIsReaped) {
    int late_count = 0;
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        simulation s(seed);
        const socket_id socket = s.connect();
        s.peer.connections[0]->send(as_bytes("text"));
        receiving received(16);
        s.io.receive(socket, received);
        s.io.submit();
        s.world.run_for(1s);
        ASSERT_TRUE(s.io.is_woken());
        late_count += as_text(received.memory).substr(0, 4) == "text" ? 0 : 1;
        s.finish(received);
        EXPECT_EQ(received.text(), "text");
        s.io.close(socket);
    }
    EXPECT_GT(late_count, 10);
    EXPECT_LT(late_count, 40);
}

// ---- planted violations

// What `plant` does wrong, while a send and a receive are pending, is found.
template <class Plant>
std::vector<std::string> findings_of(Plant plant, const fault_plan& faults = fault_plan::calm()) {
    simulation s(5, faults);
    const socket_id socket = s.connect();
    s.peer.connections[0]->pause();
    const std::string text(70'000, 'x');
    s.send_all(socket, std::string(65'536, 'x'));  // so that the next one waits
    sending sent(text);
    receiving received(16);
    s.io.send(socket, sent);
    s.io.receive(socket, received);
    s.wait_for(1ms);
    EXPECT_FALSE(sent.is_done());
    EXPECT_FALSE(received.is_done());
    EXPECT_TRUE(are(s.world.findings(), {}));

    plant(s, socket, sent, received);

    s.peer.connections[0]->resume();
    s.wait_for(1s);
    for (io_operation* each : {static_cast<io_operation*>(&sent), static_cast<io_operation*>(&received)}) {
        if (each->is_pending) s.io.cancel(*each);
    }
    s.wait_for(1s);
    EXPECT_EQ(s.io.pending_count(), 0u) << "everything completed all the same";
    return s.world.findings();
}

TEST(SimReactorContract, HoldsForThoseWhoKeepIt) {
    EXPECT_TRUE(are(findings_of([](simulation&, socket_id, sending&, receiving&) {}), {}));
}

TEST(SimReactorContract, FindsAByteThatChangesWhileItIsSent) {
    for (const std::size_t offset : {0u, 1000u, 65'535u, 69'999u}) {
        EXPECT_TRUE(are(
            findings_of([&](simulation&, socket_id, sending& sent, receiving&) { sent.text[offset] = 'y'; }),
            {"send on socket 0 (broker:9092): buffer changed while the kernel had it"}))
            << "at " << offset;
    }
}

TEST(SimReactorContract, FindsAByteThatChangesAfterItWasSentAndBeforeThatIsReaped) {
    simulation s;
    const socket_id socket = s.connect();
    sending sent("text");
    s.io.send(socket, sent);
    s.io.submit();
    s.world.run_for(1s);
    ASSERT_TRUE(s.io.is_woken());

    sent.text[0] = 'x';
    s.finish(sent);

    EXPECT_TRUE(are(s.world.findings(), {"buffer changed while the kernel had it"}));
    s.io.close(socket);
}

TEST(SimReactorContract, FindsAnArrayOfPiecesThatChanges) {
    EXPECT_TRUE(are(
        findings_of([](simulation&, socket_id, sending& sent, receiving&) { sent.pieces[0].iov_len -= 1; }),
        {"its array of pieces changed while the kernel had it"}));
    EXPECT_TRUE(are(
        findings_of([](simulation&, socket_id, sending& sent, receiving&) { sent.message.msg_iovlen = 0; }),
        {"its array of pieces changed while the kernel had it"}));
}

TEST(SimReactorContract, FindsAReceiveBufferThatIsWrittenTo) {
    EXPECT_TRUE(are(findings_of([](simulation&, socket_id, sending&, receiving& received) {
                        received.memory[3] = std::byte{'x'};
                    }),
                    {"receive on socket 0 (broker:9092): buffer changed while the kernel had it"}));
}

TEST(SimReactorContract, FindsAReceiveThatGetsAnotherBuffer) {
    EXPECT_TRUE(are(findings_of([](simulation&, socket_id, sending&, receiving& received) {
                        received.buffer = received.buffer.first(8);
                    }),
                    {"another buffer was set while the kernel had this one"}));
}

TEST(SimReactorContract, FindsAnAddressThatChangesWhileItConnects) {
    simulation s;
    const socket_id socket = s.open();
    connecting connect(s.address);
    s.io.connect(socket, connect);
    s.io.submit();

    connect.peer = *endpoint::parse("10.9.9.9", 1);
    s.finish(connect);

    EXPECT_TRUE(are(s.world.findings(), {"the address changed while the kernel had it"}));
    s.io.close(socket);
}

TEST(SimReactorContract, FindsTwoSendsOnOneSocket) {
    sending second("second");
    EXPECT_TRUE(are(findings_of([&](simulation& s, socket_id socket, sending&, receiving&) {
                        s.io.send(socket, second);
                        s.finish(second);
                    }),
                    {"send on socket 0 (broker:9092): started while another one is pending"}));
    EXPECT_EQ(second.result, -EBUSY);
}

TEST(SimReactorContract, FindsTwoReceivesOnOneSocket) {
    receiving second(16);
    EXPECT_TRUE(are(findings_of([&](simulation& s, socket_id socket, sending&, receiving&) {
                        s.io.receive(socket, second);
                        s.finish(second);
                    }),
                    {"receive on socket 0 (broker:9092): started while another one is pending"}));
}

TEST(SimReactorContract, FindsAnOperationThatIsStartedTwice) {
    EXPECT_TRUE(are(findings_of([](simulation& s, socket_id socket, sending& sent, receiving&) {
                        s.io.send(socket, sent);
                    }),
                    {"send on socket 0 (broker:9092): started while it is pending"}));
}

TEST(SimReactorContract, FindsASocketThatIsClosedWithOperationsPending) {
    EXPECT_TRUE(are(findings_of([](simulation& s, socket_id socket, sending& sent, receiving& received) {
                        s.io.close(socket);
                        s.finish(sent);
                        s.finish(received);
                        EXPECT_EQ(sent.result, -EBADF);
                        EXPECT_EQ(received.result, -EBADF);
                    }),
                    {"send on socket 0 (broker:9092): the socket is closed while this is pending",
                     "receive on socket 0 (broker:9092): the socket is closed while this is pending"}));
}

TEST(SimReactorContract, FindsASocketThatIsClosedBetweenCompletionAndReaping) {
    simulation s;
    const socket_id socket = s.connect();
    sending sent("text");
    s.io.send(socket, sent);
    s.io.submit();
    s.world.run_for(1s);

    s.io.close(socket);
    s.finish(sent);

    EXPECT_TRUE(are(s.world.findings(), {"the socket is closed while this is pending"}));
}

TEST(SimReactorContract, FindsAnOperationThatIsOverwrittenWhileItIsPending) {
    simulation s;
    const socket_id socket = s.connect();
    alignas(receiving) std::byte memory[sizeof(receiving)];
    auto* received = new (memory) receiving(16);
    s.io.receive(socket, *received);
    s.wait_for(1ms);

    received->~receiving();
    received = new (memory) receiving(16);
    s.peer.connections[0]->send(as_bytes("text"));
    s.wait_for(1ms);

    EXPECT_TRUE(are(s.world.findings(), {"destroyed or overwritten while it was pending"}));
    EXPECT_EQ(s.io.pending_count(), 0u);
    EXPECT_FALSE(received->is_done());
    received->~receiving();
    s.io.close(socket);
}

TEST(SimReactorContract, FindsTheUseOfASocketThatIsNotOpen) {
    simulation s;
    const socket_id socket = s.connect();
    s.io.close(socket);
    sending sent("text");
    receiving received(16);
    connecting connect(s.address);

    s.io.send(socket, sent);
    s.io.receive(socket_id{7}, received);
    s.io.connect(socket_id::none, connect);
    s.io.close(socket);
    s.finish(sent);
    s.finish(received);
    s.finish(connect);

    EXPECT_EQ(sent.result, -EBADF);
    EXPECT_TRUE(are(s.world.findings(), {"not open", "not open", "not open", "not open"}));
}

TEST(SimReactorContract, FindsASendBeforeTheConnectHasCompleted) {
    simulation s;
    const socket_id socket = s.open();
    connecting connect(s.address);
    sending sent("text");

    s.io.connect(socket, connect);
    s.io.send(socket, sent);
    s.finish(connect);
    s.finish(sent);

    EXPECT_EQ(connect.result, 0);
    EXPECT_TRUE(are(s.world.findings(), {"before the connect has completed"}));
    s.io.close(socket);
}

TEST(SimReactorContract, FindsAnEmptyBufferAndTooManyPieces) {
    simulation s;
    const socket_id socket = s.connect();
    receiving empty(0);
    sending many;
    char byte = 'x';
    many.set(std::vector<iovec>(1025, iovec{&byte, 1}));

    s.io.receive(socket, empty);
    s.io.send(socket, many);
    s.finish(empty);
    s.finish(many);

    EXPECT_TRUE(are(s.world.findings(), {"empty buffer", "UIO_MAXIOV"}));
    s.io.close(socket);
}

TEST(SimReactorContract, FindsWhatIsLeftAtTheEnd) {
    sim_world world(1);
    sim_network network(world);
    noting_peer peer;
    network.listen("broker", 9092, peer);
    receiving left(16);
    {
        sim_reactor io(network, "orders", 0);
        const socket_id socket = io.open(AF_INET, {}).value();
        connecting connect(*endpoint::parse("10.0.0.1", 9092));
        io.connect(socket, connect);
        while (!connect.is_done()) turn(io, world.now() + 1s);
        io.receive(socket, left);
        turn(io, world.now() + 1s);
    }
    EXPECT_TRUE(are(world.findings(), {"'orders' ended with 1 operations pending"}));
    world.run_for(1s);
    EXPECT_EQ(peer.closed.size(), 1u) << "the kernel closes what is open";
}

#if defined(__SANITIZE_ADDRESS__)
TEST(SimReactorDeathTest, ReadsFreedMemoryAsTheKernelWould) {
    EXPECT_DEATH(findings_of([](simulation& s, socket_id, sending& sent, receiving&) {
                     std::string().swap(sent.text);
                     s.peer.connections[0]->resume();
                     s.wait_for(1s);
                 }),
                 "heap-use-after-free");
}
#endif

TEST(SimReactorDeathTest, ALoopThatWouldWaitForEverSaysSo) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_DEATH(
        {
            simulation s;
            const socket_id socket = s.connect();
            receiving received(16);
            s.io.receive(socket, received);
            turn(s.io, never);
        },
        "receive on socket 0 .broker:9092.: 16 bytes, waiting.*broken invariant: can_anything_happen");
}

}  // namespace
}  // namespace sluice::testing
