// Sockets of the fake cluster's server: plain system calls, no part of the loop that clients under test run
// on.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <utility>

#include "sluice/error.hpp"

namespace sluice::testing {

// A file descriptor, or none (-1).
class server_socket {
public:
    server_socket() = default;
    explicit server_socket(int descriptor) noexcept : descriptor_(descriptor) {}
    server_socket(server_socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
    server_socket& operator=(server_socket&& other) noexcept {
        std::swap(descriptor_, other.descriptor_);
        return *this;
    }
    ~server_socket() { close(); }

    int get() const noexcept { return descriptor_; }
    explicit operator bool() const noexcept { return descriptor_ >= 0; }
    void close() noexcept;

private:
    int descriptor_ = -1;
};

// The port of one broker. It is kept while the broker is dead: nobody else gets it, and connections are
// refused.
//
//   reservation   bound, never listens
//   listener      bound to the same port, listens while the broker lives
//
// Errors: the system's.
class server_port {
public:
    // Port 0: a free one.
    error_code reserve(const std::string& address, std::uint16_t port);
    error_code listen();
    void stop_listening() noexcept { listener_.close(); }

    bool is_listening() const noexcept { return static_cast<bool>(listener_); }
    int listener() const noexcept { return listener_.get(); }
    std::uint16_t number() const noexcept;
    // A connection, or none: nobody waits, or `error` says why not.
    server_socket accept(error_code& error) noexcept;

private:
    result<server_socket> bind_one() const;

    sockaddr_storage address_{};
    socklen_t address_size_ = 0;
    server_socket reservation_;
    server_socket listener_;
};

}  // namespace sluice::testing
