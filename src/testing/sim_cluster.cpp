#include "testing/sim_cluster.hpp"

#include <utility>

namespace sluice::testing {

namespace {

constexpr std::uint16_t broker_port = 9092;

cluster_config in_world(const sim_world& world, cluster_config config) {
    const auto since_zero =
        std::chrono::duration_cast<std::chrono::milliseconds>(world.now().time_since_epoch());
    config.wall_time_at_zero =
        std::chrono::milliseconds(static_cast<std::int64_t>(world.wall_now())) - since_zero;
    return config;
}

}  // namespace

class sim_cluster::broker final : public sim_peer {
public:
    broker(sim_cluster& of, std::int32_t node) : of_(of), world_(of.network_.world()), node_(node) {}
    ~broker() {
        for (auto& [id, each] : sessions_) world_.cancel(each.due);
    }

    void on_connect(sim_connection& connection) override {
        sessions_.emplace(connection.id(), session{connection, fake_broker_connection(of_.cluster_, node_)});
    }

    void on_bytes(sim_connection& connection, bytes received, time_point now) override {
        const auto found = sessions_.find(connection.id());
        if (found == sessions_.end()) return;
        found->second.broker.receive(received, now, found->second.out);
        serve(connection.id());
        of_.follow_hooks();
    }

    void on_close(sim_connection& connection) override {
        const auto found = sessions_.find(connection.id());
        if (found == sessions_.end()) return;
        found->second.is_left = true;
        serve(connection.id());
    }

    void advance(std::uint64_t id) {
        session& of = sessions_.at(id);
        of.broker.advance(world_.now(), of.out);
        serve(id);
    }

    // Whether it lives, as the network was told last.
    bool is_listening = false;

    void advance_all() {
        std::vector<std::uint64_t> ids;
        for (const auto& [id, each] : sessions_) ids.push_back(id);
        for (const std::uint64_t id : ids) advance(id);
    }

    void end_all() {
        for (auto& [id, each] : std::exchange(sessions_, {})) {
            world_.cancel(each.due);
            // With bytes unread the kernel resets.
            if (world_.chance().below(2) == 0) {
                each.connection.reset();
            } else {
                each.connection.close();
            }
        }
    }

private:
    struct session {
        sim_connection& connection;
        fake_broker_connection broker;
        broker_output out{};
        sim_world::event_id due{};
        bool is_left = false;  // by the client
    };

    // Does what the broker's side of a connection wants.
    void serve(std::uint64_t id) {
        session& of = sessions_.at(id);
        world_.cancel(of.due);
        if (!of.is_left) of.connection.send(of.out.bytes);
        of.out.bytes.clear();
        const bool waits_for_time = of.out.due != never;
        const bool is_over = of.is_left && !waits_for_time;  // or waits for ever
        if (of.out.is_closed || is_over) {
            of.connection.close();
            sessions_.erase(id);
            return;
        }
        if (waits_for_time) {
            of.due = world_.at(of.out.due, [this, id] {
                advance(id);
                of_.follow_hooks();
            });
        }
        if (of.broker.wants_bytes()) {
            of.connection.resume();
        } else {
            of.connection.pause();
        }
    }

    sim_cluster& of_;
    sim_world& world_;
    const std::int32_t node_;
    std::map<std::uint64_t, session> sessions_;
};

sim_cluster::sim_cluster(sim_network& network, cluster_config config)
    : network_(network), cluster_(in_world(network.world(), std::move(config))) {
    for (std::int32_t node = 1; node <= cluster_.broker_count(); ++node) {
        cluster_.set_address(node, host(node), broker_port);
        brokers_.push_back(std::make_unique<broker>(*this, node));
    }
    follow_hooks();
}

sim_cluster::~sim_cluster() = default;

std::string sim_cluster::bootstrap() const {
    std::string all;
    for (std::int32_t node = 1; node <= cluster_.broker_count(); ++node) {
        if (node > 1) all += ',';
        all += host_port{host(node), broker_port}.text();
    }
    return all;
}

void sim_cluster::kill(std::int32_t node) {
    cluster_.kill(node);
    follow();
}

void sim_cluster::start(std::int32_t node) {
    cluster_.start(node);
    follow();
}

void sim_cluster::follow() {
    follow_hooks();
    for (const auto& each : brokers_) each->advance_all();
}

void sim_cluster::follow_hooks() {
    for (std::int32_t node = 1; node <= cluster_.broker_count(); ++node) {
        broker& each = *brokers_[static_cast<std::size_t>(node - 1)];
        if (each.is_listening == cluster_.is_alive(node)) continue;
        each.is_listening = !each.is_listening;
        if (each.is_listening) {
            network_.listen(host(node), broker_port, each);
        } else {
            network_.stop_listening(host(node), broker_port);
            each.end_all();
        }
    }
}

}  // namespace sluice::testing
