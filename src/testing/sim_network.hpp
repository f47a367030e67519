// The simulated network: hosts with names and addresses, those who listen there, connections, and what goes wrong.
//
//   sim_network network(world);
//   network.listen("broker-1", 9092, broker);       // gets the next address, 10.0.0.1
//   ...
//   network.isolate("broker-1");                    // beside the faults of the plan, what a test does itself
//
// Faults of the world's plan, per connection: latency, slices, rate, window, refusals, resets anywhere, stalls, answers
// that are lost with their connection. See sim_fault_plan.hpp.
//
// Owner: one world. Outlives the loops in it; its peers outlive it.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/endpoint.hpp"
#include "testing/sim_connection.hpp"
#include "testing/sim_peer.hpp"
#include "testing/sim_world.hpp"

namespace sluice::testing {

class sim_network final : public sim_reporter {
public:
    explicit sim_network(sim_world& world);
    ~sim_network();
    sim_network(const sim_network&) = delete;
    sim_network& operator=(const sim_network&) = delete;

    sim_world& world() noexcept { return world_; }

    // ---- who is there
    // One more address for this name: a literal of IPv4 or IPv6 that nobody has yet. Names get one of 10.0.0.0/16 when
    // they are first heard of without.
    void add_address(std::string_view host, std::string_view literal);
    // `peer` answers on this port, at every address that the host has at the time of connecting, instead of who answered
    // before. Gives the first address.
    endpoint listen(std::string_view host, std::uint16_t port, sim_peer& peer);
    // Refused from now on; connections that exist stay.
    void stop_listening(std::string_view host, std::uint16_t port);
    // What a resolver finds; empty where the name is unknown. Literals stand for themselves.
    std::vector<endpoint> look_up(const host_port& wanted) const;

    // ---- what a test does to a host
    // Nothing reaches it or leaves it, nor is anybody told, until let_in(): what was sent arrives then.
    void isolate(std::string_view host);
    void let_in(std::string_view host);
    // As when its processes are killed: every connection of it is reset.
    void reset_connections(std::string_view host);

    // ---- what a reactor does
    // The connection says by itself how it went on. `client` names the loop in reports.
    sim_connection& connect(const endpoint& to, const std::string& client, sim_connection_watcher& watcher,
                            std::uint32_t socket);

    const std::vector<std::unique_ptr<sim_connection>>& connections() const noexcept { return connections_; }
    void report(std::string& lines) const override;

private:
    struct host {
        std::string name;
        std::vector<std::string> addresses;
        bool is_isolated = false;
    };
    struct listener {
        std::string host;
        std::uint16_t port;
        sim_peer* peer;
    };

    host& host_named(std::string_view name);
    host* host_at(const endpoint& address) noexcept;
    listener* find_listener(const host_port& address) noexcept;
    void attempt(sim_connection& connection, duration waited, bool is_lost);
    void arrive(sim_connection& connection);

    sim_world& world_;
    std::vector<host> hosts_;
    std::vector<listener> listeners_;
    std::vector<std::unique_ptr<sim_connection>> connections_;
};

}  // namespace sluice::testing
