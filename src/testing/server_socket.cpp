#include "testing/server_socket.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/endpoint.hpp"

namespace sluice::testing {
namespace {

constexpr int backlog = 4096;

error_code last_error() noexcept {
    return {errno, boost::system::system_category()};
}

}  // namespace

void server_socket::close() noexcept {
    if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
}

error_code server_port::reserve(const std::string& address, std::uint16_t port) {
    const std::optional<endpoint> parsed = endpoint::parse(address, port);
    if (!parsed) return error_code(EINVAL, boost::system::system_category());
    std::memcpy(&address_, parsed->address(), parsed->size());
    address_size_ = parsed->size();
    result<server_socket> bound = bind_one();
    if (!bound) return bound.error();
    reservation_ = std::move(*bound);
    if (::getsockname(reservation_.get(), reinterpret_cast<sockaddr*>(&address_), &address_size_) != 0) {
        return last_error();
    }
    return {};
}

error_code server_port::listen() {
    result<server_socket> bound = bind_one();
    if (!bound) return bound.error();
    if (::listen(bound->get(), backlog) != 0) return last_error();
    listener_ = std::move(*bound);
    return {};
}

std::uint16_t server_port::number() const noexcept {
    return endpoint::from(reinterpret_cast<const sockaddr*>(&address_), address_size_).port();
}

server_socket server_port::accept(error_code& error) noexcept {
    server_socket accepted(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!accepted) {
        if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR) error = last_error();
        return accepted;
    }
    const int on = 1;
    ::setsockopt(accepted.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return accepted;
}

result<server_socket> server_port::bind_one() const {
    server_socket made(::socket(address_.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!made) return last_error();
    const int on = 1;
    ::setsockopt(made.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (::bind(made.get(), reinterpret_cast<const sockaddr*>(&address_), address_size_) != 0)
        return last_error();
    return made;
}

}  // namespace sluice::testing
