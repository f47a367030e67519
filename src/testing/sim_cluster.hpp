// The fake cluster in the simulated network: each broker listens as "broker-<node>", port 9092, which is what it is
// called before anybody gives it another address.
//
//   sim_cluster brokers(network, {.broker_count = 3});
//   brokers.cluster().create_topic("orders", {.partition_count = 12});
//   world.in(2s, [&] { brokers.kill(2); });
//
// A broker handles what it has received whole also when the client has gone: a request may be served after it was sent
// again over another connection. Slow brokers and bad answers are fates (sluice/testing/fate.hpp); what happens to bytes
// on their way is the network's (sim_fault_plan.hpp).
//
// Owner: one world. Ends after the loops; whether before or after the network makes no difference.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sluice/testing/fake_broker_connection.hpp"
#include "sluice/testing/fake_cluster.hpp"
#include "testing/sim_network.hpp"
#include "testing/sim_peer.hpp"

namespace sluice::testing {

class sim_cluster {
public:
    // The brokers' wall clock is the world's at this moment; it does not jump with it.
    explicit sim_cluster(sim_network& network, cluster_config config = {});
    ~sim_cluster();
    sim_cluster(const sim_cluster&) = delete;
    sim_cluster& operator=(const sim_cluster&) = delete;

    // Hooks may change it as they like. Who kills or starts a broker from elsewhere, and not by the functions below, calls
    // follow() afterwards.
    fake_cluster& cluster() noexcept { return cluster_; }
    static std::string host(std::int32_t node) { return "broker-" + std::to_string(node); }
    // "broker-1:9092,broker-2:9092": all brokers, dead ones too.
    std::string bootstrap() const;

    // Its connections end, as a kernel ends those of a process that was killed, and new ones are refused.
    void kill(std::int32_t node);
    void start(std::int32_t node);
    // Makes the network as the cluster is.
    void follow();

private:
    class broker;

    // Listens, or not, as brokers were killed and started.
    void follow_hooks();

    sim_network& network_;
    fake_cluster cluster_;
    std::vector<std::unique_ptr<broker>> brokers_;  // of node 1, 2, ...
};

}  // namespace sluice::testing
