#include "loop/tcp_socket.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <cerrno>

namespace sluice {

namespace {

error_code last_error() {
    return {errno, boost::system::system_category()};
}

bool set(const descriptor& socket, int level, int option, int value) noexcept {
    return ::setsockopt(socket.get(), level, option, &value, sizeof value) == 0;
}

}  // namespace

result<descriptor> open_tcp_socket(int family, const socket_options& options) {
    descriptor socket(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
    if (!socket.is_open()) return last_error();
    if (!set(socket, IPPROTO_TCP, TCP_NODELAY, 1)) return last_error();
    if (!set(socket, SOL_SOCKET, SO_KEEPALIVE, 1)) return last_error();
    if (options.send_buffer_bytes >= 0 && !set(socket, SOL_SOCKET, SO_SNDBUF, options.send_buffer_bytes)) {
        return last_error();
    }
    if (options.receive_buffer_bytes >= 0 &&
        !set(socket, SOL_SOCKET, SO_RCVBUF, options.receive_buffer_bytes)) {
        return last_error();
    }
    return socket;
}

}  // namespace sluice
