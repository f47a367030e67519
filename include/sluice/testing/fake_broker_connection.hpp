// One connection to one fake broker, without I/O: bytes in, bytes out, and when to ask again.
//
//   fake_broker_connection connection(cluster, node);
//   broker_output out;
//   connection.receive(bytes, now, out);           send out.bytes; close after them if out.is_closed;
//   connection.advance(now, out);                  call it again at out.due
//
// Requests are handled one at a time and in order, as Kafka does, and so are the answers: one that is late
// holds up those behind it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "sluice/testing/fake_cluster.hpp"

namespace sluice::testing {

struct broker_output {
    std::vector<std::byte> bytes;        // appended to; what is here already is not touched
    time_point due = time_point::max();  // call `advance` then; max(): nothing waits for time
    bool is_closed = false;              // the broker ends the connection, after `bytes`
};

// Owner: caller; not synchronised, neither with other connections of the cluster, which outlives it.
class fake_broker_connection {
public:
    // A new connection to `node`. To one that is dead or does not exist it is closed at the first call.
    fake_broker_connection(fake_cluster& cluster, std::int32_t node);
    fake_broker_connection(fake_broker_connection&&) noexcept;
    fake_broker_connection& operator=(fake_broker_connection&&) noexcept;
    ~fake_broker_connection();

    // Bytes arrived, in pieces of any size. Bytes after the close are ignored.
    void receive(std::span<const std::byte> bytes, time_point now, broker_output& out);

    // The same without a copy: fill the front of `receive_buffer`, then say how much. The buffer is never
    // empty, and valid until the next call.
    std::span<std::byte> receive_buffer();
    void received(std::size_t size_bytes, time_point now, broker_output& out);

    // Time has passed, or the cluster was changed from outside (a broker was killed).
    void advance(time_point now, broker_output& out);

    // False while a request waits, or a client is throttled: Kafka does not read from such a connection, and
    // who respects it bounds the memory. Bytes that come all the same are kept.
    bool wants_bytes() const noexcept;

    std::int32_t node() const noexcept;
    std::uint64_t number() const noexcept;  // request_info::connection

private:
    class state;
    std::unique_ptr<state> state_;
};

}  // namespace sluice::testing
