// The other end: plain blocking sockets on 127.0.0.1.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <string_view>

#include "base/endpoint.hpp"
#include "loop/descriptor.hpp"

namespace sluice {

// A connection that a listener accepted. Calls block; a test that hangs is ended by ctest.
class peer {
public:
    explicit peer(descriptor accepted) : file_(std::move(accepted)) {}

    int file() const { return file_.get(); }

    void write(std::string_view text) const {
        while (!text.empty()) {
            const auto written = ::send(file_.get(), text.data(), text.size(), MSG_NOSIGNAL);
            ASSERT_GT(written, 0);
            text.remove_prefix(static_cast<std::size_t>(written));
        }
    }
    // Up to `size_max` bytes; fewer at the end of the stream.
    std::string read(std::size_t size_max) const {
        std::string text(size_max, '\0');
        std::size_t size = 0;
        while (size < size_max) {
            const auto got = ::recv(file_.get(), text.data() + size, size_max - size, 0);
            if (got <= 0) break;
            size += static_cast<std::size_t>(got);
        }
        text.resize(size);
        return text;
    }
    bool reads_the_end() const {
        char byte = 0;
        return ::recv(file_.get(), &byte, 1, 0) == 0;
    }
    void close() { file_ = descriptor(); }
    // Closes so that the other end sees a reset.
    void reset() {
        const linger at_once{1, 0};
        ::setsockopt(file_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        close();
    }

private:
    descriptor file_;
};

class listener {
public:
    explicit listener(int backlog = 1024, std::string_view host = "127.0.0.1") {
        const auto any_port = endpoint::parse(host, 0);
        file_ = descriptor(::socket(any_port->family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
        is_open_ = ::bind(file_.get(), any_port->address(), any_port->size()) == 0;
        if (!is_open_) return;
        EXPECT_EQ(::listen(file_.get(), backlog), 0);
        sockaddr_storage bound{};
        socklen_t size = sizeof bound;
        EXPECT_EQ(::getsockname(file_.get(), reinterpret_cast<sockaddr*>(&bound), &size), 0);
        address_ = endpoint::from(reinterpret_cast<const sockaddr*>(&bound), size);
    }

    bool is_open() const { return is_open_; }
    const endpoint& address() const { return address_; }
    peer accept() const { return peer(descriptor(::accept4(file_.get(), nullptr, nullptr, SOCK_CLOEXEC))); }
    // From now on nobody listens at this address.
    void close() { file_ = descriptor(); }

private:
    descriptor file_;
    endpoint address_;
    bool is_open_ = false;
};

}  // namespace sluice
