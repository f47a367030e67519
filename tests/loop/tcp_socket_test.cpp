#include "loop/tcp_socket.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

namespace sluice {
namespace {

int option(const descriptor& socket, int level, int name) {
    int value = -1;
    socklen_t size = sizeof value;
    EXPECT_EQ(::getsockopt(socket.get(), level, name, &value, &size), 0);
    return value;
}

TEST(TcpSocket, IsSetUpForRequestsAndAnswers) {
    const descriptor socket = *open_tcp_socket(AF_INET, {});

    EXPECT_EQ(option(socket, IPPROTO_TCP, TCP_NODELAY), 1);
    EXPECT_EQ(option(socket, SOL_SOCKET, SO_KEEPALIVE), 1);
    EXPECT_NE(::fcntl(socket.get(), F_GETFL) & O_NONBLOCK, 0);
    EXPECT_NE(::fcntl(socket.get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST(TcpSocket, HasBuffersOfTheSizeAskedFor) {
    const descriptor usual = *open_tcp_socket(AF_INET, {});
    const descriptor small =
        *open_tcp_socket(AF_INET6, {.send_buffer_bytes = 8192, .receive_buffer_bytes = 16384});

    // Linux doubles what it is told: half is for its own book-keeping (socket(7)).
    EXPECT_EQ(option(small, SOL_SOCKET, SO_SNDBUF), 2 * 8192);
    EXPECT_EQ(option(small, SOL_SOCKET, SO_RCVBUF), 2 * 16384);
    EXPECT_GT(option(usual, SOL_SOCKET, SO_SNDBUF), 0);
}

TEST(TcpSocket, IsNotMadeForOtherFamilies) {
    EXPECT_EQ(open_tcp_socket(9999, {}).error().value(), EAFNOSUPPORT);
    EXPECT_TRUE(open_tcp_socket(AF_UNIX, {}).has_error());
}

}  // namespace
}  // namespace sluice
