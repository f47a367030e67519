#include "unit/testing/differential/blocking_client.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <stdexcept>
#include <utility>

#include "base/endpoint.hpp"
#include "wire/big_endian.hpp"

namespace sluice::testing {

blocking_client::blocking_client(const std::string& address) {
    const std::size_t colon = address.rfind(':');
    std::uint16_t port = 0;
    std::from_chars(address.data() + colon + 1, address.data() + address.size(), port);
    const std::optional<endpoint> peer = endpoint::parse(address.substr(0, colon), port);
    if (!peer) throw std::runtime_error("not an address: " + address);
    socket_ = ::socket(peer->family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::connect(socket_, peer->address(), peer->size()) != 0) {
        close();
        throw std::runtime_error("nobody listens on " + address);
    }
    const timeval patience{.tv_sec = 10, .tv_usec = 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
}

blocking_client::blocking_client(blocking_client&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)) {}
blocking_client::~blocking_client() {
    close();
}

void blocking_client::close() {
    if (socket_ >= 0) ::close(std::exchange(socket_, -1));
}

bool blocking_client::send(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0) return false;
        bytes = bytes.subspan(static_cast<std::size_t>(sent));
    }
    return true;
}

std::optional<std::vector<std::byte>> blocking_client::receive() {
    std::array<std::byte, 4> prefix;
    if (!receive_exactly(prefix)) return std::nullopt;
    const auto size = wire::load_big_endian<std::int32_t>(prefix.data());
    if (size < 0 || size > (100 << 20)) return std::nullopt;
    std::vector<std::byte> payload(static_cast<std::size_t>(size));
    if (!receive_exactly(payload)) return std::nullopt;
    return payload;
}

bool blocking_client::is_closed_by_peer() {
    std::byte any;
    const ssize_t size = ::recv(socket_, &any, 1, 0);
    return size == 0 || (size < 0 && errno == ECONNRESET);
}

bool blocking_client::receive_exactly(std::span<std::byte> to) {
    while (!to.empty()) {
        const ssize_t size = ::recv(socket_, to.data(), to.size(), 0);
        // What the kernel tears down of a ring that this process had interrupts, too; and a receive with a timeout is
        // not restarted.
        if (size < 0 && errno == EINTR) continue;
        if (size <= 0) return false;
        to = to.subspan(static_cast<std::size_t>(size));
    }
    return true;
}

}  // namespace sluice::testing
