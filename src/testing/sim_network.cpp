#include "testing/sim_network.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "base/ensure.hpp"
#include "testing/sim_draw.hpp"

namespace sluice::testing {

namespace {

using namespace std::chrono_literals;

constexpr duration first_resend = 1s;  // of a SYN that nobody answered; then twice as long each time

}  // namespace

sim_network::sim_network(sim_world& world) : world_(world) {
    world_.add(*this);
}

sim_network::~sim_network() {
    world_.remove(*this);
}

// ---- who is there

sim_network::host& sim_network::host_named(std::string_view name) {
    const auto known =
        std::find_if(hosts_.begin(), hosts_.end(), [name](const host& each) { return each.name == name; });
    if (known != hosts_.end()) return *known;
    hosts_.push_back({std::string(name), {}});
    if (endpoint::parse(name, 0)) hosts_.back().addresses.emplace_back(name);
    return hosts_.back();
}

sim_network::host* sim_network::host_at(const endpoint& address) noexcept {
    for (host& each : hosts_) {
        for (const std::string& literal : each.addresses) {
            if (endpoint::parse(literal, address.port()) == address) return &each;
        }
    }
    return nullptr;
}

void sim_network::add_address(std::string_view host, std::string_view literal) {
    const auto parsed = endpoint::parse(literal, 0);
    ensure(parsed.has_value());
    ensure(host_at(*parsed) == nullptr);
    host_named(host).addresses.emplace_back(literal);
}

endpoint sim_network::listen(std::string_view name, std::uint16_t port, sim_peer& peer) {
    host& at = host_named(name);
    if (at.addresses.empty()) {
        const auto number = static_cast<std::size_t>(&at - hosts_.data()) + 1;
        at.addresses.push_back(fmt::format("10.0.{}.{}", number / 256, number % 256));
    }
    if (listener* there = find_listener({at.name, port})) {
        there->peer = &peer;
    } else {
        listeners_.push_back({at.name, port, &peer});
    }
    return *endpoint::parse(at.addresses.front(), port);
}

void sim_network::stop_listening(std::string_view host, std::uint16_t port) {
    std::erase_if(listeners_, [&](const listener& each) { return each.host == host && each.port == port; });
}

sim_network::listener* sim_network::find_listener(const host_port& address) noexcept {
    const auto found = std::find_if(listeners_.begin(), listeners_.end(), [&](const listener& each) {
        return each.host == address.host && each.port == address.port;
    });
    return found == listeners_.end() ? nullptr : &*found;
}

std::vector<endpoint> sim_network::look_up(const host_port& wanted) const {
    std::vector<endpoint> found;
    if (const auto literal = endpoint::parse(wanted.host, wanted.port)) {
        found.push_back(*literal);
        return found;
    }
    for (const host& each : hosts_) {
        if (each.name != wanted.host) continue;
        for (const std::string& literal : each.addresses)
            found.push_back(*endpoint::parse(literal, wanted.port));
    }
    return found;
}

// ---- what a test does to a host

void sim_network::isolate(std::string_view name) {
    host& isolated = host_named(name);
    if (std::exchange(isolated.is_isolated, true)) return;
    for (const auto& each : connections_) {
        if (each->address().host == name) each->hold();
    }
}

void sim_network::let_in(std::string_view name) {
    host& isolated = host_named(name);
    if (!std::exchange(isolated.is_isolated, false)) return;
    for (const auto& each : connections_) {
        if (each->address().host == name) each->let_go();
    }
}

void sim_network::reset_connections(std::string_view name) {
    for (const auto& each : connections_) {
        if (each->address().host == name) each->break_off(-ECONNRESET);
    }
}

// ---- connecting

sim_connection& sim_network::connect(const endpoint& to, const std::string& client,
                                     sim_connection_watcher& watcher, std::uint32_t socket) {
    const fault_plan& faults = world_.faults();
    host* const there = host_at(to);
    const std::string name = there != nullptr ? there->name : "nobody, " + to.text();
    const std::uint64_t id = connections_.size();
    connections_.push_back(std::unique_ptr<sim_connection>(
        new sim_connection(world_, id, {name, to.port()}, client, watcher, socket)));
    sim_connection& connection = *connections_.back();
    world_.trace(sim_trace::connecting, id);
    if (there != nullptr && there->is_isolated) connection.hold();
    if (there == nullptr || world_.happens(faults.connect_unreachable)) {
        const int error = world_.chance().below(2) == 0 ? -EHOSTUNREACH : -ENETUNREACH;
        world_.in(up_to(world_.chance(), faults.kernel_delay_max),
                  [&connection, error] { connection.refuse(error); });
        return connection;
    }
    attempt(connection, duration::zero(), world_.happens(faults.connect_lost));
    return connection;
}

// The first packet, again and again.
void sim_network::attempt(sim_connection& connection, duration waited, bool is_lost) {
    const bool is_answered =
        !(is_lost && !world_.is_healed()) && !host_named(connection.address().host).is_isolated;
    if (is_answered) {
        world_.in(connection.latency(), [this, &connection] { arrive(connection); });
        return;
    }
    const duration left = world_.faults().connect_lost_for - waited;
    if (left <= duration::zero()) return connection.refuse(-ETIMEDOUT);
    const duration wait = std::min(left, std::max<duration>(waited, first_resend));
    world_.in(wait,
              [this, &connection, waited, wait, is_lost] { attempt(connection, waited + wait, is_lost); });
}

// The peer's host gets it.
void sim_network::arrive(sim_connection& connection) {
    if (connection.watcher_ == nullptr) return;  // the client has left
    const fault_plan& faults = world_.faults();
    listener* const listening = find_listener(connection.address());
    const duration way_back = connection.latency();
    if (listening == nullptr || world_.happens(faults.connect_refused)) {
        world_.in(way_back, [&connection] { connection.refuse(-ECONNREFUSED); });
        return;
    }
    world_.in(way_back, [&connection] { connection.establish(); });
    connection.accept(world_.happens(faults.accepted_and_closed) ? nullptr : listening->peer);
}

void sim_network::report(std::string& lines) const {
    for (const auto& each : connections_) each->report(lines);
}

}  // namespace sluice::testing
