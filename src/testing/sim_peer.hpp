// Who listens in the simulated network: a broker, or what a test puts there.
#pragma once

#include "base/bytes.hpp"
#include "base/time.hpp"

namespace sluice::testing {

class sim_connection;

// Called as an event of the world, never from inside a call of the peer's own, nor in the turn of a loop. A peer answers
// with connection.send(), at once or later (sim_world::at).
//
// Lifetime: outlives the network and every loop that is connected to it. A connection stays valid as long as its network;
// after on_close, or after the peer closed or reset it, nothing more is called for it.
class sim_peer {
public:
    virtual void on_connect(sim_connection& connection) = 0;
    // Pieces of the stream, cut anywhere; `received` is valid during the call.
    virtual void on_bytes(sim_connection& connection, bytes received, time_point now) = 0;
    // The client closed it, or it was lost.
    virtual void on_close(sim_connection& connection) = 0;

protected:
    ~sim_peer() = default;
};

}  // namespace sluice::testing
