// A Kafka connection as simple as can be: a blocking socket that sends frames and waits for frames.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace sluice::testing {

class blocking_client {
public:
    // "127.0.0.1:9092". Throws std::runtime_error where nobody listens.
    explicit blocking_client(const std::string& address);
    ~blocking_client();
    blocking_client(blocking_client&& other) noexcept;
    blocking_client& operator=(blocking_client&& other) noexcept {
        std::swap(socket_, other.socket_);
        return *this;
    }

    // False: the connection is broken.
    bool send(std::span<const std::byte> bytes);
    // The payload of the next frame, its size taken off; nothing once the peer has closed, or says nothing
    // for 10 s.
    std::optional<std::vector<std::byte>> receive();
    std::optional<std::vector<std::byte>> call(std::span<const std::byte> request) {
        if (!send(request)) return std::nullopt;
        return receive();
    }
    // Whether the peer closes within 10 s, without another byte.
    bool is_closed_by_peer();
    void close();

private:
    bool receive_exactly(std::span<std::byte> to);

    int socket_ = -1;
};

}  // namespace sluice::testing
