// A loop of the simulation: an event loop around a simulated reactor, which gets its turns from the world.
//
//   sim_world world(seed, fault_plan::from_seed(seed));
//   sim_network network(world);
//   sim_loop loop(network, "orders");
//   asio::co_spawn(loop.facade(), serve(), asio::detached);
//   EXPECT_TRUE(world.run_until([&] { return is_served; }, 60s));
//   EXPECT_THAT(world.findings(), IsEmpty());
//
// Several of them share one thread; a call into a loop in the turn of another one is a finding. What the loop logs as an
// error is a finding too.
//
// Owner: the test; ends before its network and its world.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "loop/event_loop.hpp"
#include "testing/sim_network.hpp"
#include "testing/sim_world.hpp"

namespace sluice {
class loop;
}

namespace sluice::testing {

class sim_reactor;

class sim_loop final : public sim_runner {
public:
    sim_loop(sim_network& network, std::string name);
    ~sim_loop();
    sim_loop(const sim_loop&) = delete;
    sim_loop& operator=(const sim_loop&) = delete;

    // The same loop, three times: as a user sees it (include sluice/loop.hpp), from inside, and what it moves bytes with.
    loop& facade() noexcept { return *loop_; }
    event_loop& events() noexcept { return *events_; }
    sim_reactor& io() noexcept { return *reactor_; }
    const std::string& name() const noexcept { return name_; }

    // Adds what the test knows to reports: "3 coroutines wait for memory".
    void describe_with(std::function<std::string()> describe) { describe_ = std::move(describe); }

    bool is_woken() const noexcept override;
    bool run_turn() override;
    time_point next_deadline() const override;
    void report(std::string& lines) const override;

private:
    sim_world& world_;
    const std::string name_;
    sim_reactor* reactor_ = nullptr;  // of events_
    event_loop* events_ = nullptr;    // of loop_
    std::unique_ptr<loop> loop_;
    std::function<std::string()> describe_;
};

}  // namespace sluice::testing
