// Names of the simulated network, found late or not at all.
#pragma once

#include <list>
#include <memory>

#include "net/resolver.hpp"
#include "testing/sim_loop.hpp"
#include "testing/sim_network.hpp"

namespace sluice::testing {

// Answers after up to fault_plan::lookup_delay_max, with what the network knows at that time; fails by
// fault_plan::lookup_fails. An address that is written out answers itself, at once.
// Owner: one loop, before which it ends.
class sim_resolver final : public resolver {
public:
    sim_resolver(sim_loop& on, sim_network& network) noexcept;
    ~sim_resolver() override;
    sim_resolver(const sim_resolver&) = delete;
    sim_resolver& operator=(const sim_resolver&) = delete;

    void start(name_lookup& lookup) override;
    void cancel(name_lookup& lookup) noexcept override;

private:
    struct answer;
    void look_up(answer& asked);

    event_loop& loop_;
    sim_network& network_;
    sim_world& world_;
    std::list<std::unique_ptr<answer>> asked_;  // not answered yet
};

}  // namespace sluice::testing
