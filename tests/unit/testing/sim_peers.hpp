// Peers of the simulated network.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "testing/sim_connection.hpp"
#include "testing/sim_peer.hpp"

namespace sluice::testing {

// Writes down what happens to it.
struct noting_peer : sim_peer {
    void on_connect(sim_connection& connection) override { connections.push_back(&connection); }
    void on_bytes(sim_connection& connection, bytes received, time_point) override {
        ++call_count;
        texts[connection.id()] += as_text(received);
    }
    void on_close(sim_connection& connection) override { closed.push_back(connection.id()); }

    std::vector<sim_connection*> connections;
    std::map<std::uint64_t, std::string> texts;
    std::vector<std::uint64_t> closed;
    int call_count = 0;
};

// Sends back what it gets.
struct echo_peer : noting_peer {
    void on_bytes(sim_connection& connection, bytes received, time_point now) override {
        noting_peer::on_bytes(connection, received, now);
        connection.send(received);
    }
};

}  // namespace sluice::testing
