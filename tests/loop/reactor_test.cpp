// What is true of one reactor is true of all: the contract of loop/reactor.hpp on the real kernel.
#include "loop/reactor.hpp"

#include <poll.h>
#include <pthread.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <deque>
#include <future>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "base/random.hpp"
#include "loop/kinds.hpp"
#include "loop/loopback.hpp"
#include "loop/make_reactor.hpp"

namespace sluice {
namespace {

using namespace std::chrono_literals;

template <class Operation>
struct counted : Operation {
    counted() : Operation(&complete) {}
    static void complete(io_operation& self) noexcept { ++static_cast<counted&>(self).completion_count; }
    int completion_count = 0;
    bool is_done() const { return completion_count > 0; }
};

struct connecting : counted<connect_operation> {
    explicit connecting(const endpoint& to) { peer = to; }
};

struct sending : counted<send_operation_base> {
    explicit sending(std::string_view text) : pieces(1) {
        pieces[0] = {const_cast<char*>(text.data()), text.size()};
        gather();
    }
    explicit sending(std::vector<iovec> pieces_) : pieces(std::move(pieces_)) { gather(); }
    void gather() {
        message.msg_iov = pieces.data();
        message.msg_iovlen = pieces.size();
    }
    std::vector<iovec> pieces;
};

struct receiving : counted<receive_operation> {
    explicit receiving(std::size_t size) : bytes(size) { buffer = bytes; }
    std::string_view text() const { return as_text(bytes).substr(0, static_cast<std::size_t>(result)); }
    std::vector<std::byte> bytes;
};

class Reactor : public testing::TestWithParam<reactor_kind> {
protected:
    void SetUp() override {
        auto made = make_reactor(GetParam(), logger());
        ASSERT_TRUE(made.has_value()) << made.error().message();
        io = std::move(*made);
    }

    // Turns without a loop: waits, then calls back what completed.
    void turn(time_point deadline) {
        completion_list completed;
        io->submit_and_wait(deadline, completed);
        while (io_operation* operation = completed.pop()) {
            operation->is_pending = false;
            operation->on_complete(*operation);
        }
    }
    template <class Condition>
    void turn_until(Condition is_true) {
        const time_point give_up = io->now() + 60s;
        while (!is_true()) {
            ASSERT_LT(io->now(), give_up);
            turn(give_up);
        }
    }
    void finish(const auto& operation) {
        turn_until([&operation] { return operation.is_done(); });
        EXPECT_EQ(operation.completion_count, 1);
    }
    // Turns for a while, so that a second completion would show.
    void turn_for(duration wait) {
        const time_point end = io->now() + wait;
        while (io->now() < end) turn(end);
    }

    socket_id open() {
        auto opened = io->open(AF_INET, {});
        EXPECT_TRUE(opened.has_value());
        return *opened;
    }
    socket_id connect_to(const listener& server) {
        const socket_id socket = open();
        connecting connect(server.address());
        io->connect(socket, connect);
        finish(connect);
        EXPECT_EQ(connect.result, 0);
        return socket;
    }
    // Sends until nothing more fits in, with nobody reading; the last send stays pending.
    void fill(socket_id socket, std::deque<sending>& sends, std::string_view text) {
        for (bool is_full = false; !is_full;) {
            sends.emplace_back(text);
            io->send(socket, sends.back());
            const time_point limit = io->now() + 200ms;
            while (!sends.back().is_done() && io->now() < limit) turn(limit);
            is_full = !sends.back().is_done();
        }
    }

    std::unique_ptr<reactor> io;
};

INSTANTIATE_TEST_SUITE_P(, Reactor, both_reactors, name_of_kind);

TEST_P(Reactor, IsOfTheKindAskedFor) {
    EXPECT_EQ(io->kind(), GetParam());
    EXPECT_EQ(io->pending_count(), 0u);
}

TEST_P(Reactor, ConnectsSendsAndReceives) {
    listener server;
    const socket_id socket = connect_to(server);
    peer other = server.accept();
    sending request("request");
    receiving response(100);

    io->receive(socket, response);
    io->send(socket, request);
    EXPECT_EQ(io->pending_count(), 2u);
    EXPECT_TRUE(request.is_pending);
    EXPECT_FALSE(request.is_done()) << "nothing is called back where it is started";
    finish(request);
    EXPECT_EQ(request.result, 7);
    EXPECT_EQ(other.read(7), "request");
    other.write("response");
    finish(response);

    EXPECT_EQ(response.text(), "response");
    EXPECT_EQ(io->pending_count(), 0u);
    io->close(socket);
    EXPECT_TRUE(other.reads_the_end());
}

TEST_P(Reactor, ConnectsOverIpv6) {
    listener server(16, "::1");
    if (!server.is_open()) GTEST_SKIP() << "this machine has no IPv6 loopback address";
    const socket_id socket = *io->open(AF_INET6, {});
    connecting connect(server.address());

    io->connect(socket, connect);
    finish(connect);

    EXPECT_EQ(connect.result, 0);
    io->close(socket);
}

TEST_P(Reactor, DeliversThatAConnectWasRefused) {
    listener server;
    server.close();
    const socket_id socket = open();
    connecting connect(server.address());

    io->connect(socket, connect);
    EXPECT_FALSE(connect.is_done()) << "in a later turn, also when it is known at once";
    finish(connect);

    EXPECT_EQ(connect.result, -ECONNREFUSED);
    io->close(socket);
}

TEST_P(Reactor, DeliversThatAnAddressCannotBeReached) {
    const socket_id socket = open();
    connecting connect(*endpoint::parse("255.255.255.255", 9092));

    io->connect(socket, connect);
    EXPECT_FALSE(connect.is_done());
    finish(connect);

    EXPECT_LT(connect.result, 0);
    io->close(socket);
}

TEST_P(Reactor, SendsAThousandPiecesAsOne) {
    listener server;
    const socket_id socket = connect_to(server);
    peer other = server.accept();
    std::vector<std::string> texts;
    std::vector<iovec> pieces;
    std::string expected;
    for (int i = 0; i < 1000; ++i) texts.push_back(std::to_string(i) + ";");
    for (std::string& text : texts) {
        pieces.push_back({text.data(), text.size()});
        expected += text;
    }
    sending gathered(pieces);

    io->send(socket, gathered);
    finish(gathered);

    EXPECT_EQ(gathered.result, static_cast<int>(expected.size()));
    EXPECT_EQ(other.read(expected.size()), expected);
    io->close(socket);
}

TEST_P(Reactor, HandsAWholeRequestToTheKernelAtOnce) {
    listener server;
    const socket_id socket = *io->open(AF_INET, {.send_buffer_bytes = 200'000});  // the kernel doubles it
    connecting connect(server.address());
    io->connect(socket, connect);
    finish(connect);
    peer other = server.accept();
    std::string header(100, 'h'), body(100'000, 'b'), rest(70'000, 'r');
    std::vector<iovec> pieces{
        {header.data(), header.size()}, {body.data(), body.size()}, {rest.data(), rest.size()}};
    sending request(pieces);

    io->send(socket, request);
    finish(request);

    EXPECT_EQ(request.result, 170'100) << "one gathered sendmsg: nothing is cut at 64 KiB";
    EXPECT_EQ(other.read(170'100), header + body + rest);
    io->close(socket);
}

TEST_P(Reactor, GoesOnAfterShortSendsToASlowReader) {
    constexpr std::size_t size_total = 64 << 20;
    constexpr std::size_t size_of_piece = 1 << 20;
    listener server;
    const socket_id socket = connect_to(server);
    std::vector<std::uint64_t> words(size_total / 8);
    random randomness(7);
    for (std::uint64_t& word : words) word = randomness.next();
    std::uint64_t sum_received = 0;
    std::size_t size_received = 0;
    std::promise<void> socket_is_full;
    std::thread reader([&, other = server.accept()] {
        socket_is_full.get_future().wait();
        std::vector<std::uint64_t> chunk(1 << 13);
        for (;;) {
            const auto got = ::recv(other.file(), chunk.data(), chunk.size() * 8, MSG_WAITALL);
            if (got <= 0) break;
            for (std::size_t i = 0; i < static_cast<std::size_t>(got) / 8; ++i) {
                sum_received = sum_received * 31 + chunk[i];
            }
            size_received += static_cast<std::size_t>(got);
        }
    });
    char* const begin = reinterpret_cast<char*>(words.data());
    std::size_t size_sent = 0;
    int short_count = 0;

    while (size_sent < size_total) {
        std::vector<iovec> pieces;
        for (std::size_t at = size_sent; at < size_total; at += size_of_piece) {
            pieces.push_back({begin + at, std::min(size_of_piece, size_total - at)});
        }
        sending rest(pieces);
        io->send(socket, rest);
        finish(rest);
        ASSERT_GT(rest.result, 0);
        size_sent += static_cast<std::size_t>(rest.result);
        if (size_sent < size_total && ++short_count == 1) socket_is_full.set_value();
    }
    io->close(socket);
    reader.join();

    EXPECT_GT(short_count, 0) << "64 MiB do not fit into a socket";
    EXPECT_EQ(size_received, size_total);
    std::uint64_t sum_sent = 0;
    for (const std::uint64_t word : words) sum_sent = sum_sent * 31 + word;
    EXPECT_EQ(sum_received, sum_sent);
}

TEST_P(Reactor, ReceivesMoreThanOneBufferHolds) {
    listener server;
    const socket_id socket = connect_to(server);
    peer other = server.accept();
    other.write("0123456789");
    std::string text;

    for (int i = 0; i < 3; ++i) {
        receiving part(4);
        io->receive(socket, part);
        finish(part);
        text += part.text();
    }

    EXPECT_EQ(text, "0123456789");
    io->close(socket);
}

TEST_P(Reactor, AReceiveStartedBeforeTheConnectCompletesIsServed) {
    listener server;
    const socket_id socket = open();
    connecting connect(server.address());
    receiving greeting(16);

    io->connect(socket, connect);
    finish(connect);
    io->receive(socket, greeting);
    turn_for(5ms);
    server.accept().write("hello");
    finish(greeting);

    EXPECT_EQ(greeting.text(), "hello");
    io->close(socket);
}

TEST_P(Reactor, AClosedPeerIsTheEndOfTheStream) {
    listener server;
    const socket_id socket = connect_to(server);
    peer other = server.accept();
    other.write("last");
    other.close();
    receiving last(16), end(16), still_end(16);

    io->receive(socket, last);
    finish(last);
    io->receive(socket, end);
    finish(end);
    io->receive(socket, still_end);
    finish(still_end);

    EXPECT_EQ(last.text(), "last");
    EXPECT_EQ(end.result, 0);
    EXPECT_EQ(still_end.result, 0);
    io->close(socket);
}

TEST_P(Reactor, APendingReceiveSeesThatThePeerCloses) {
    listener server;
    const socket_id socket = connect_to(server);
    peer other = server.accept();
    receiving end(16);

    io->receive(socket, end);
    turn_for(2ms);
    other.close();
    finish(end);

    EXPECT_EQ(end.result, 0);
    io->close(socket);
}

TEST_P(Reactor, AResetIsAnErrorOfBothDirectionsAndNoSignal) {
    listener server;
    const socket_id socket = connect_to(server);
    peer other = server.accept();
    receiving received(16);
    io->receive(socket, received);
    turn_for(2ms);

    other.reset();
    finish(received);
    sending sent("text");
    io->send(socket, sent);
    finish(sent);

    EXPECT_EQ(received.result, -ECONNRESET);
    EXPECT_EQ(sent.result, -EPIPE);
    io->close(socket);
}

TEST_P(Reactor, CancelsAReceive) {
    listener server;
    const socket_id socket = connect_to(server);
    peer other = server.accept();
    receiving cancelled(16), next(16);

    io->receive(socket, cancelled);
    turn_for(2ms);
    io->cancel(cancelled);
    io->cancel(cancelled);
    EXPECT_FALSE(cancelled.is_done());
    finish(cancelled);
    EXPECT_EQ(cancelled.result, -ECANCELED);

    other.write("text");
    io->receive(socket, next);
    finish(next);
    EXPECT_EQ(next.text(), "text") << "the cancelled one took nothing";
    turn_for(5ms);
    EXPECT_EQ(cancelled.completion_count, 1);
    io->close(socket);
}

TEST_P(Reactor, CancelsAConnect) {
    // Nobody accepts, and the queue of those who wait for it is full: the next one gets no answer.
    listener server(0);
    std::deque<connecting> connects;
    std::vector<socket_id> sockets;
    for (bool is_full = false; !is_full;) {
        sockets.push_back(open());
        connects.emplace_back(server.address());
        io->connect(sockets.back(), connects.back());
        const time_point limit = io->now() + 200ms;
        while (!connects.back().is_done() && io->now() < limit) turn(limit);
        is_full = !connects.back().is_done();
    }

    io->cancel(connects.back());
    finish(connects.back());

    EXPECT_EQ(connects.back().result, -ECANCELED);
    for (const socket_id each : sockets) io->close(each);
}

TEST_P(Reactor, CancelsASendThatDoesNotFit) {
    listener server;
    const socket_id socket = connect_to(server);
    peer other = server.accept();
    const std::string text(1 << 20, 'x');
    std::deque<sending> sends;
    fill(socket, sends, text);

    io->cancel(sends.back());
    finish(sends.back());

    EXPECT_EQ(sends.back().result, -ECANCELED);
    io->close(socket);
}

TEST_P(Reactor, CancellingWhatHasCompletedChangesNothing) {
    listener server;
    const socket_id socket = connect_to(server);
    peer other = server.accept();
    sending sent("text");
    other.write("text");
    receiving received(16);

    io->receive(socket, received);
    io->send(socket, sent);
    completion_list completed;
    while (io->pending_count() > 0) io->submit_and_wait(io->now() + 10s, completed);
    io->cancel(received);  // reaped, not called back
    while (io_operation* operation = completed.pop()) {
        operation->is_pending = false;
        operation->on_complete(*operation);
    }
    io->cancel(sent);  // called back
    turn_for(5ms);

    EXPECT_EQ(received.text(), "text");
    EXPECT_EQ(sent.result, 4);
    EXPECT_EQ(received.completion_count, 1);
    EXPECT_EQ(sent.completion_count, 1);
    io->close(socket);
}

TEST_P(Reactor, ACancelBeforeTheStartReachedTheKernelStillCompletesOnce) {
    listener server;
    const socket_id socket = connect_to(server);
    peer other = server.accept();
    receiving received(16);

    io->receive(socket, received);
    io->cancel(received);
    finish(received);

    EXPECT_EQ(received.result, -ECANCELED);
    io->close(socket);
}

TEST_P(Reactor, UsesTheNumberOfAClosedSocketAgain) {
    listener server;
    const socket_id first = connect_to(server);
    peer first_peer = server.accept();
    io->close(first);
    EXPECT_TRUE(first_peer.reads_the_end());

    const socket_id second = connect_to(server);
    peer second_peer = server.accept();
    second_peer.write("second");
    receiving received(16);
    io->receive(second, received);
    finish(received);

    EXPECT_EQ(second, first);
    EXPECT_EQ(received.text(), "second");
    io->close(second);
}

TEST_P(Reactor, AClosedSocketEndsItsConnectionThoughAnOtherOneWaitsForLonger) {
    // With registered files the kernel may hold on to the file; the peer must not notice.
    listener server;
    const socket_id waiting = connect_to(server);
    peer waiting_peer = server.accept();
    receiving long_wait(16);
    io->receive(waiting, long_wait);
    turn_for(2ms);
    const socket_id closed = connect_to(server);
    peer closed_peer = server.accept();

    io->close(closed);

    EXPECT_TRUE(closed_peer.reads_the_end());
    io->cancel(long_wait);
    finish(long_wait);
    io->close(waiting);
}

TEST_P(Reactor, WaitsUntilTheDeadline) {
    // A signal may end a wait early, and so does the kernel when it tidies up after the ring of the test
    // before. A deadline that is rounded down would end every attempt early.
    for (const duration wait : {duration(200us), duration(700us), duration(1ms), duration(5ms)}) {
        bool was_kept = false;
        for (int attempt = 0; attempt < 10 && !was_kept; ++attempt) {
            const time_point deadline = io->now() + wait;
            turn(deadline);
            was_kept = io->now() >= deadline;
        }
        EXPECT_TRUE(was_kept) << std::chrono::nanoseconds(wait).count() << " ns";
    }
}

TEST_P(Reactor, DoesNotWaitForADeadlineInThePast) {
    turn(time_point::min());
    turn(io->now() - 1h);
    turn(io->now());
}

TEST_P(Reactor, ARingEndsTheWait) {
    LEAVE_OUT_WHAT_THE_THREAD_SANITIZER_CANNOT_SEE(GetParam());
    for (int i = 0; i < 200; ++i) {
        std::thread other([this] { io->ring(); });
        turn(never);
        other.join();
        if (::testing::Test::HasFailure()) return;
        turn(io->now());  // a ring that came after the wait had ended for another reason
    }
}

TEST_P(Reactor, ARingBeforeTheWaitIsRemembered) {
    io->ring();
    io->ring();
    turn(never);
    io->ring();
    turn(never);
}

TEST_P(Reactor, ASignalEndsTheWaitWithoutHarm) {
    listener server;
    const socket_id socket = connect_to(server);
    peer other = server.accept();
    receiving received(16);
    io->receive(socket, received);
    struct sigaction ignoring{};
    ignoring.sa_handler = [](int) {};
    struct sigaction before{};
    ::sigaction(SIGUSR1, &ignoring, &before);
    const pthread_t waiting = ::pthread_self();
    std::thread signalling([&] {
        ::usleep(20'000);  // most likely it waits by now; the test holds either way
        ::pthread_kill(waiting, SIGUSR1);
        other.write("after the signal");
    });

    finish(received);
    signalling.join();
    ::sigaction(SIGUSR1, &before, nullptr);

    EXPECT_EQ(received.text(), "after the signal");
    io->close(socket);
}

TEST_P(Reactor, CarriesMoreOperationsAtOnceThanItsQueuesHold) {
    // 1200 receives pend, all are cancelled in one turn: 2400 entries go in, 1200 completions come out of a
    // queue of 1024.
    constexpr std::size_t count = 1200;
    listener server;
    std::vector<socket_id> sockets;
    std::deque<peer> peers;
    std::deque<receiving> receives;
    for (std::size_t i = 0; i < count; ++i) {
        sockets.push_back(connect_to(server));
        peers.push_back(server.accept());
        receives.emplace_back(16u);
    }

    for (std::size_t i = 0; i < count; ++i) io->receive(sockets[i], receives[i]);
    turn(io->now());
    EXPECT_EQ(io->pending_count(), count);
    for (std::size_t i = 0; i < count; ++i) io->cancel(receives[i]);
    io->ring();
    turn_until([this] { return io->pending_count() == 0; });

    for (const receiving& each : receives) {
        EXPECT_EQ(each.result, -ECANCELED);
        EXPECT_EQ(each.completion_count, 1);
    }
    // Sends that are done at once fill the completion queue before it is looked at, and the doorbell rings into that.
    std::deque<sending> sends;
    for (const socket_id each : sockets) {
        sends.emplace_back("x");
        io->send(each, sends.back());
    }
    io->ring();
    turn(io->now());
    turn_until([this] { return io->pending_count() == 0; });
    for (const sending& each : sends) EXPECT_EQ(each.result, 1);
    turn(io->now());
    io->ring();
    turn(never);  // it still wakes

    receiving received(16);
    io->receive(sockets[700], received);
    peers[700].write("still works");
    finish(received);
    EXPECT_EQ(received.text(), "still works");
    for (const socket_id each : sockets) io->close(each);
}

TEST_P(Reactor, OperationsThatAreDoneAtOnceDoNotKeepOthersWaiting) {
    listener server;
    const socket_id busy = connect_to(server), quiet = connect_to(server);
    peer busy_peer = server.accept(), quiet_peer = server.accept();
    receiving received(16);
    io->receive(quiet, received);
    turn(io->now());
    quiet_peer.write("text");

    for (int i = 0; i < 10 && !received.is_done(); ++i) {
        sending always_done("x");
        io->send(busy, always_done);
        finish(always_done);
    }

    EXPECT_EQ(received.completion_count, 1);
    io->close(busy);
    io->close(quiet);
}

TEST_P(Reactor, ItsHandleIsReadableWhenSomethingIsToBeDone) {
    const int handle = io->native_handle();
    ASSERT_GE(handle, 0);
    EXPECT_EQ(io->native_handle(), handle);
    const auto is_readable = [handle](int limit_ms) {
        pollfd watched{handle, POLLIN, 0};
        int count = -1;
        while (count < 0) count = ::poll(&watched, 1, limit_ms);  // EINTR: the ring of an earlier test
        return count == 1;
    };
    // A host turns until the handle is silent. 100 ms without news: there is none.
    const auto settle = [&] {
        for (int i = 0; i < 100 && is_readable(0); ++i) turn(io->now());
        EXPECT_FALSE(is_readable(100));
    };
    EXPECT_TRUE(is_readable(0)) << "the host has a first turn run";
    settle();

    io->ring();
    EXPECT_TRUE(is_readable(5000));
    settle();

    listener server;
    const socket_id socket = connect_to(server);
    peer other = server.accept();
    receiving received(16);
    io->receive(socket, received);
    io->submit();
    settle();
    EXPECT_FALSE(received.is_done());
    other.write("text");
    EXPECT_TRUE(is_readable(5000));
    settle();
    EXPECT_EQ(received.text(), "text");

    sending sent("text");
    io->send(socket, sent);
    io->submit();
    EXPECT_TRUE(is_readable(5000)) << "also when it was done at once";
    settle();
    EXPECT_TRUE(sent.is_done());
    io->close(socket);
}

TEST_P(Reactor, RefusesAFamilyThatThereIsNot) {
    EXPECT_EQ(io->open(9999, {}).error().value(), EAFNOSUPPORT);
    EXPECT_TRUE(io->open(AF_UNIX, {}).has_error());
}

using ReactorDeathTest = Reactor;
INSTANTIATE_TEST_SUITE_P(, ReactorDeathTest, both_reactors, name_of_kind);

TEST_P(ReactorDeathTest, HoldsItsCallersToTheContract) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    listener server;
    const socket_id socket = connect_to(server);
    receiving received(16), second(16), empty(0);
    io->receive(socket, received);

    EXPECT_DEATH(io->receive(socket, second), "broken invariant") << "one of a kind";
    EXPECT_DEATH(io->close(socket), "broken invariant") << "an operation is pending";
    EXPECT_DEATH(io->receive(socket_id{7}, second), "broken invariant") << "no such socket";
    io->cancel(received);
    finish(received);
    EXPECT_DEATH(io->receive(socket, empty), "broken invariant") << "an empty buffer";
    io->close(socket);
    EXPECT_DEATH(io->receive(socket, second), "broken invariant") << "closed";
}

}  // namespace
}  // namespace sluice
