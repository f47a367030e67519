// A connection of the simulated network: two pipes, the peer's end and the client's end.
//
//   connecting --> open --> broken    reset, cut, given up: what is on the way is lost, in both directions or (given up)
//        |          |                 only towards the client, while the peer still gets what was sent to it
//        `----------+----> left       the client closed: what was on the way to the peer arrives still, then the end
//
// A peer sees bytes of a client that has long gone elsewhere: a request may be served after it was sent again.
// The ends are never called from inside a call of theirs.
//
// Owner: its sim_network, until the network ends.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/endpoint.hpp"
#include "testing/sim_peer.hpp"
#include "testing/sim_pipe.hpp"
#include "testing/sim_world.hpp"

namespace sluice::testing {

class sim_network;

// The client's end is told that it might get on.
class sim_connection_watcher {
public:
    virtual void on_ready(std::uint32_t socket) = 0;

protected:
    ~sim_connection_watcher() = default;
};

class sim_connection final : sim_pipe::owner {
public:
    // ---- the peer's end
    std::uint64_t id() const noexcept { return id_; }
    // Where it was accepted.
    const host_port& address() const noexcept { return address_; }
    sim_world& world() noexcept { return world_; }
    // May send and receive: accepted, and not closed or lost.
    bool is_open() const noexcept { return peer_ != nullptr; }
    // Queues without limit; does nothing when it is not open any more.
    void send(bytes answer);
    // What was given to send() and has not left: the client does not read, or the network is slow.
    std::size_t size_unsent() const noexcept { return to_client_.size_waiting(); }
    // The end of the stream behind what was sent. A client that sends on gets a reset.
    void close();
    // At once; what was sent and has not arrived is lost.
    void reset();
    // Receives nothing for a while; the client's window fills.
    void pause() noexcept { is_paused_ = true; }
    void resume();

    // ---- the client's end: a reactor
    // Nothing while it is connecting; then 0 or -errno.
    std::optional<int> connect_result() const noexcept { return connect_result_; }
    // The error for an operation that could not move a byte: -errno once, then -EPIPE for sends and 0 for receives.
    // Nothing: the operation waits.
    std::optional<int> send_error() noexcept;
    std::optional<int> receive_error() noexcept;
    std::size_t window() const noexcept { return to_peer_shape_.window; }
    std::size_t room() const noexcept { return is_broken_ ? 0 : to_peer_.room(); }
    void write(bytes sent) { to_peer_.write(sent); }
    std::size_t readable() const noexcept { return to_client_.readable(); }
    bytes front() const noexcept { return to_client_.front(); }
    void consume(std::size_t size) { to_client_.consume(size); }
    // An operation was told `error` (-errno), by a fault of the kernel: so the connection is broken.
    void fail(int error);
    // The client closes its socket; its watcher is not called again.
    void leave();

    void report(std::string& lines) const;

private:
    friend class sim_network;
    sim_connection(sim_world& world, std::uint64_t id, host_port address, std::string client,
                   sim_connection_watcher& watcher, std::uint32_t socket);

    // ---- the network's
    void refuse(int error);       // connecting failed
    void accept(sim_peer* peer);  // nullptr: somebody who closes at once
    void establish();             // the client learns of it
    void break_off(int error);    // reset: both ends learn of it
    void give_up(int error);      // the client's kernel gives up; the peer's does not know
    void end_for_client(int error, bool keeps_unread);
    void hold();
    void let_go();
    duration latency() const noexcept { return to_peer_shape_.latency; }
    void draw_reset();

    void on_arrival(sim_pipe& pipe) override;
    void on_cut(sim_pipe& pipe) override;
    void on_stall(sim_pipe& pipe, time_point until) override;
    void deliver_to_peer();
    void tell_peer_of_the_end();
    void wake_client();

    sim_world& world_;
    const std::uint64_t id_;
    const host_port address_;
    const std::string client_;
    sim_connection_watcher* watcher_;  // nullptr: the client has left
    std::uint32_t socket_;
    sim_peer* peer_ = nullptr;  // nullptr: not accepted yet, or it is not to be called any more
    const sim_pipe::shape to_peer_shape_;
    const sim_pipe::shape to_client_shape_;
    sim_pipe to_peer_;
    sim_pipe to_client_;
    std::vector<std::byte> delivered_;
    std::optional<int> connect_result_;
    int error_ = 0;  // -errno that no operation was told yet
    bool is_accepted_ = false;
    bool is_broken_ = false;
    bool is_paused_ = false;
    bool was_closed_by_peer_ = false;
    std::uint64_t answers_before_reset_ = 0;  // 0: none is due
};

}  // namespace sluice::testing
