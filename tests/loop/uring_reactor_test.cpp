// What only the reactor on io_uring has to get right.
#include "loop/uring/uring_reactor.hpp"

#include <sys/resource.h>

#include <atomic>
#include <deque>
#include <thread>

#include "loop/child.hpp"
#include "loop/kinds.hpp"
#include "loop/loopback.hpp"

namespace sluice {
namespace {

using namespace std::chrono_literals;

struct waiting_receive : receive_operation {
    waiting_receive() : receive_operation(&complete) { buffer = bytes; }
    static void complete(io_operation& self) noexcept {
        ++static_cast<waiting_receive&>(self).completion_count;
    }
    std::byte bytes[16];
    int completion_count = 0;
};

struct connected_socket {
    connected_socket(reactor& io, const listener& server) : socket(*io.open(AF_INET, {})), connect(&done) {
        connect.peer = server.address();
        io.connect(socket, connect);
        completion_list completed;
        while (connect.is_pending) {
            io.submit_and_wait(io.now() + 10s, completed);
            while (io_operation* operation = completed.pop()) {
                operation->is_pending = false;
                operation->on_complete(*operation);
            }
        }
        EXPECT_EQ(connect.result, 0);
    }
    static void done(io_operation&) noexcept {}

    socket_id socket;
    connect_operation connect;
};

void turn(reactor& io, time_point deadline) {
    completion_list completed;
    io.submit_and_wait(deadline, completed);
    while (io_operation* operation = completed.pop()) {
        operation->is_pending = false;
        operation->on_complete(*operation);
    }
}

void turn_until_idle(reactor& io) {
    while (io.pending_count() > 0) turn(io, io.now() + 10s);
}

TEST(UringReactor, UsesTheFlagsThatLetTheKernelLeaveUsAlone) {
    auto io = *uring_reactor::make(logger());

    EXPECT_EQ(io->size_and_flags().submissions, ring_submissions_max);
    EXPECT_NE(io->size_and_flags().flags & IORING_SETUP_DEFER_TASKRUN, 0u);
    EXPECT_NE(io->size_and_flags().flags & IORING_SETUP_SINGLE_ISSUER, 0u);
}

TEST(UringReactor, MayBeMadeAndUsedOnOneThreadAndRunOnAnother) {
    auto io = *uring_reactor::make(logger());
    listener server;
    const socket_id socket = *io->open(AF_INET, {});

    std::thread runner([&] {
        connect_operation connect(&connected_socket::done);
        connect.peer = server.address();
        io->connect(socket, connect);
        turn_until_idle(*io);
        EXPECT_EQ(connect.result, 0);
        io->close(socket);
    });
    runner.join();
}

TEST(UringReactor, EndsWhatIsPendingWhenItIsDestroyedOnAnotherThread) {
    // A loop's thread has ended, and the loop dies where it was made: the kernel lets only the old thread use
    // the ring.
    listener server;
    auto io = *uring_reactor::make(logger());
    std::optional<connected_socket> idle, served, closed;
    waiting_receive never_served, has_been_served;
    std::thread runner([&] {
        idle.emplace(*io, server);
        served.emplace(*io, server);
        closed.emplace(*io, server);
        io->receive(idle->socket, never_served);
        io->receive(served->socket, has_been_served);
        turn(*io, io->now());
    });
    runner.join();
    peer idle_peer = server.accept(), served_peer = server.accept(), closed_peer = server.accept();
    served_peer.write("data that nobody reaped");

    io->close(closed->socket);
    EXPECT_TRUE(closed_peer.reads_the_end())
        << "though its place in the ring's table cannot be emptied from here";
    io->cancel(never_served);
    io->cancel(has_been_served);
    turn_until_idle(*io);

    EXPECT_EQ(never_served.result, -ECANCELED);
    EXPECT_EQ(never_served.completion_count, 1);
    EXPECT_EQ(has_been_served.result, -ECANCELED);
    EXPECT_EQ(has_been_served.completion_count, 1);
    io->close(idle->socket);
    io->close(served->socket);
    EXPECT_TRUE(idle_peer.reads_the_end());
}

TEST(UringReactor, WorksOnTheThreadThatItMovedTo) {
    listener server;
    auto io = *uring_reactor::make(logger());
    const int host_handle = io->native_handle();
    std::optional<connected_socket> before;
    std::thread runner([&] { before.emplace(*io, server); });
    runner.join();
    peer before_peer = server.accept();

    before_peer.write("hello");
    waiting_receive received;
    io->receive(before->socket, received);
    turn_until_idle(*io);
    EXPECT_EQ(received.result, -ECANCELED) << "it was started for the old ring; its connection is given up";
    connected_socket after(*io, server);
    peer after_peer = server.accept();
    io->receive(after.socket, received);
    turn(*io, io->now());
    after_peer.write("hello");
    turn_until_idle(*io);
    EXPECT_EQ(received.result, 5);
    io->ring();
    turn(*io, never);
    EXPECT_EQ(io->native_handle(), host_handle);

    io->close(before->socket);
    io->close(after.socket);
}

TEST(UringReactor, WorksWithoutATableOfFiles) {
    run_in_child([] {
        refuse({.number = SYS_io_uring_register,
                .error = EMFILE,
                .test = refused_call::argument_equals,
                .argument_index = 1,
                .operand = IORING_REGISTER_FILES2});
        listener server;
        auto io = *uring_reactor::make(logger());
        connected_socket connected(*io, server);
        peer other = server.accept();
        waiting_receive received;

        io->receive(connected.socket, received);
        other.write("text");
        turn_until_idle(*io);
        EXPECT_EQ(received.result, 4);
        io->close(connected.socket);
        EXPECT_TRUE(other.reads_the_end());
    });
}

TEST(UringReactor, WorksWithMoreSocketsThanTheTableHolds) {
    listener server;
    auto io = *uring_reactor::make(logger());
    std::deque<connected_socket> sockets;
    std::deque<peer> peers;
    std::deque<waiting_receive> receives;
    for (int i = 0; i < 520; ++i) {
        sockets.emplace_back(*io, server);
        peers.push_back(server.accept());
        io->receive(sockets.back().socket, receives.emplace_back());
    }

    for (const peer& each : peers) each.write("text");
    turn_until_idle(*io);

    for (const waiting_receive& each : receives) EXPECT_EQ(each.result, 4);
    for (const connected_socket& each : sockets) io->close(each.socket);
}

TEST(UringReactor, FailsWhatFindsNoRoomWhenTheKernelTakesNothing) {
    // Submitting without waiting is refused for lack of memory: no room is made in a full queue. What does
    // not fit in completes with an error; a cancel that does not fit in is made up for later.
    run_in_child([] {
        listener server;
        auto io = *uring_reactor::make(logger());
        std::deque<connected_socket> sockets;
        std::deque<waiting_receive> receives;
        for (int i = 0; i < 300; ++i) sockets.emplace_back(*io, server);
        refuse({.number = SYS_io_uring_enter,
                .error = EAGAIN,
                .test = refused_call::argument_lacks_bit,
                .argument_index = 3,
                .operand = IORING_ENTER_GETEVENTS});

        for (const connected_socket& each : sockets) io->receive(each.socket, receives.emplace_back());
        EXPECT_EQ(io->pending_count(), 300u);
        turn(*io, io->now() + 10s);
        std::size_t failed = 0;
        for (const waiting_receive& each : receives) failed += each.completion_count == 1 ? 1 : 0;
        EXPECT_EQ(failed, 300 - ring_submissions_max);
        EXPECT_EQ(receives.back().result, -ENOBUFS);

        for (int i = 0; i < 100; ++i) {
            waiting_receive& again = receives[static_cast<std::size_t>(299 - i % 40)];
            if (!again.is_pending) io->receive(sockets[static_cast<std::size_t>(299 - i % 40)].socket, again);
        }
        for (waiting_receive& each : receives) {
            io->cancel(each);
            io->cancel(each);
        }
        turn_until_idle(*io);
        for (const waiting_receive& each : receives) EXPECT_FALSE(each.is_pending);
        for (const connected_socket& each : sockets) io->close(each.socket);
    });
}

}  // namespace
}  // namespace sluice
