// What happens to brokers: fates of single requests, and to whole ones: deaths, new leaders, isolation, denial.
// It ends when the world has healed: then all brokers live again, are reachable and deny nothing.
//
// Owner: one schedule; outlived by its cluster.
#pragma once

#include <functional>
#include <string>

#include "simulation/schedule_plan.hpp"
#include "testing/sim_cluster.hpp"
#include "testing/sim_world.hpp"

namespace sluice::simulation {

class broker_trouble {
public:
    broker_trouble(const schedule_plan& plan, testing::sim_world& world, testing::sim_network& network,
                   testing::sim_cluster& brokers, std::function<void(const std::string&)> tell);
    broker_trouble(const broker_trouble&) = delete;
    broker_trouble& operator=(const broker_trouble&) = delete;
    ~broker_trouble();

private:
    testing::fate decide(const testing::request_info& request);
    testing::fate produce_fate(const testing::request_info& request);
    testing::fate other_fate(const testing::request_info& request);
    testing::fate::duration some_delay();
    void happen();
    void heal();
    std::int32_t some_broker();
    bool pick_partition(std::string& topic, std::int32_t& partition);

    const schedule_plan& plan_;
    testing::sim_world& world_;
    testing::sim_network& network_;
    testing::sim_cluster& brokers_;
    std::function<void(const std::string&)> tell_;
    std::vector<testing::sim_world::event_id> events_;
};

}  // namespace sluice::simulation
