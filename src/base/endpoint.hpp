// An address to connect to, resolved.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice {

// host:port as configured or advertised; not resolved.
struct host_port {
    std::string host;
    std::uint16_t port = 0;

    std::string text() const;  // "host:9092", "[::1]:9092"
    friend bool operator==(const host_port&, const host_port&) = default;
};

// An IPv4 or IPv6 address and a port.
class endpoint {
public:
    endpoint() = default;
    // nullopt where `address` is neither kind of literal.
    static std::optional<endpoint> parse(std::string_view address, std::uint16_t port);
    static endpoint from(const sockaddr* address, socklen_t size);

    const sockaddr* address() const noexcept { return reinterpret_cast<const sockaddr*>(&storage_); }
    socklen_t size() const noexcept { return size_; }
    int family() const noexcept { return storage_.ss_family; }
    std::uint16_t port() const noexcept;
    std::string text() const;  // "127.0.0.1:9092", "[::1]:9092"

    friend bool operator==(const endpoint& a, const endpoint& b) noexcept;

private:
    sockaddr_storage storage_{};
    socklen_t size_ = 0;
};

}  // namespace sluice
