#include "testing/sim_resolver.hpp"

#include <algorithm>

#include "testing/sim_draw.hpp"
#include "testing/sim_hash.hpp"

namespace sluice::testing {

// On its way to the loop it belongs to nobody but itself.
struct sim_resolver::answer : remote_task {
    explicit answer(name_lookup& of) : remote_task(&arrive), lookup(&of), wanted(of.wanted) {}

    static void arrive(task& self, fate what) {
        const std::unique_ptr<answer> arrived(&static_cast<answer&>(self));
        if (arrived->lookup == nullptr) return;
        name_lookup& done = *arrived->lookup;
        done.of_resolver = nullptr;
        if (what == fate::drop) return;
        done.found = std::move(arrived->found);
        done.error_text = std::move(arrived->error_text);
        done.on_complete(done);
    }

    name_lookup* lookup;  // nullptr: cancelled
    host_port wanted;
    std::vector<endpoint> found;
    std::string error_text;
    sim_world::event_id due{};
};

sim_resolver::sim_resolver(sim_loop& on, sim_network& network) noexcept
    : loop_(on.events()), network_(network), world_(network.world()) {}

sim_resolver::~sim_resolver() {
    for (const auto& each : asked_) {
        world_.cancel(each->due);
        if (each->lookup != nullptr) each->lookup->of_resolver = nullptr;
    }
}

void sim_resolver::start(name_lookup& lookup) {
    if (event_loop::current() != nullptr && !loop_.is_current()) {
        world_.find("a lookup of " + lookup.wanted.text() + " was started on the thread of another loop");
    }
    ensure(lookup.of_resolver == nullptr);
    lookup.found.clear();
    lookup.error_text.clear();
    auto made = std::make_unique<answer>(lookup);
    lookup.of_resolver = made.get();
    if (auto literal = endpoint::parse(lookup.wanted.host, lookup.wanted.port)) {
        made->found.push_back(*literal);
        loop_.post(*made.release());
        return;
    }
    answer& asked = *made;
    asked_.push_back(std::move(made));
    asked.due = world_.in(up_to(world_.chance(), world_.faults().lookup_delay_max),
                          [this, &asked] { look_up(asked); });
}

void sim_resolver::cancel(name_lookup& lookup) noexcept {
    if (lookup.of_resolver == nullptr) return;
    static_cast<answer*>(lookup.of_resolver)->lookup = nullptr;
    lookup.of_resolver = nullptr;
}

void sim_resolver::look_up(answer& asked) {
    const auto place =
        std::ranges::find_if(asked_, [&asked](const auto& each) { return each.get() == &asked; });
    answer& done = *place->release();
    asked_.erase(place);
    if (world_.happens(world_.faults().lookup_fails)) {
        done.error_text = "Temporary failure in name resolution";
    } else {
        done.found = network_.look_up(done.wanted);
        if (done.found.empty()) done.error_text = "Name or service not known";
    }
    world_.trace(sim_trace::lookup, hash_of(as_bytes(done.wanted.host)), done.found.size());
    loop_.post_remote(done);
}

}  // namespace sluice::testing
