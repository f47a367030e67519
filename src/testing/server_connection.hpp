// One TCP connection of the fake cluster's server: moves bytes between a socket and a fake_broker_connection.
#pragma once

#include <cstdint>

#include "sluice/testing/fake_broker_connection.hpp"
#include "testing/server_socket.hpp"

namespace sluice::testing {

// How fast one broker reads. A read of n bytes takes n / rate of its time.
class read_pace {
public:
    void set(std::uint64_t bytes_per_second) noexcept { bytes_per_second_ = bytes_per_second; }
    bool is_limited() const noexcept { return bytes_per_second_ != 0; }
    // Nothing may be read before.
    time_point free_at() const noexcept { return is_limited() ? free_at_ : time_point::min(); }
    std::size_t size_max() const noexcept;  // of one read
    void has_read(std::size_t size, time_point now) noexcept;

private:
    std::uint64_t bytes_per_second_ = 0;
    time_point free_at_ = time_point::min();
};

// Owner: the server, under its lock.
class server_connection {
public:
    server_connection(server_socket socket, fake_broker_connection broker)
        : socket_(std::move(socket)), broker_(std::move(broker)) {}

    std::int32_t node() const noexcept { return broker_.node(); }
    int descriptor() const noexcept { return socket_.get(); }

    // Reads what is there, within limits, handles it and answers. The socket may have more to read
    // afterwards.
    void read(time_point now, read_pace& pace);
    // Sends what is left; the cluster's time has come; or the cluster was changed.
    void advance(time_point now);

    // The peer sends nothing more, which was seen while nothing was read from it.
    void peer_closed() noexcept { is_closed_by_peer_ = true; }
    bool is_closed_by_peer() const noexcept { return is_closed_by_peer_; }
    void break_off() noexcept { is_broken_ = true; }

    bool is_done() const noexcept;
    bool has_unsent() const noexcept { return sent_ < output_.bytes.size(); }
    // Whether it wants to read, pace apart.
    bool wants_to_read() const noexcept;
    time_point due() const noexcept { return output_.due; }

    void limit_receive_buffer() noexcept;
    // Lets the peer read what was sent to it before the end.
    void finish() noexcept;

private:
    void send() noexcept;

    server_socket socket_;
    fake_broker_connection broker_;
    broker_output output_;
    std::size_t sent_ = 0;  // of output_.bytes
    bool is_closed_by_peer_ = false;
    bool is_broken_ = false;
};

}  // namespace sluice::testing
