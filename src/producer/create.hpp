// How a producer is made: by its public constructors of loops, and by simulation, with a resolver of its own.
#pragma once

#include <vector>

#include "engine/producer_core.hpp"
#include "sluice/producer.hpp"

namespace sluice {

// As producer::create. The configuration is checked, and gets a client id and a seed where it has none.
call_operation<producer> create_with(std::vector<event_loop*> loops, producer_config config,
                                     resolver_factory names);

// The way in for the project's own tests and tools.
struct producer_access {
    static producer make(std::shared_ptr<producer_core> core) { return producer(std::move(core)); }
    static producer_core& core(producer& of) { return *of.core_; }
};

}  // namespace sluice
