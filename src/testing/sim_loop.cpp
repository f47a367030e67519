#include "testing/sim_loop.hpp"

#include <fmt/format.h>

#include "sluice/loop.hpp"
#include "testing/sim_reactor.hpp"

namespace sluice::testing {

sim_loop::sim_loop(sim_network& network, std::string name) : world_(network.world()), name_(std::move(name)) {
    auto made = std::make_unique<sim_reactor>(network, name_, world_.next_runner_id());
    reactor_ = made.get();
    log_sink sink = [&world = world_, name = name_](log_level level, std::string_view line) {
        if (level == log_level::error) world.find(fmt::format("loop '{}' logged: {}", name, line));
    };
    auto events = std::make_unique<event_loop>(std::move(made), logger(std::move(sink)));
    events_ = events.get();
    reactor_->belongs_to(*events_);
    loop_ = std::make_unique<loop>(std::move(events));
    world_.add(*this);
}

sim_loop::~sim_loop() {
    world_.remove(*this);
    loop_.reset();
}

bool sim_loop::is_woken() const noexcept {
    return reactor_->is_woken();
}

bool sim_loop::run_turn() {
    const event_loop::scope on_this_loop(*events_);
    return events_->run_ready();
}

time_point sim_loop::next_deadline() const {
    const event_loop::scope on_this_loop(*events_);
    return events_->next_deadline();
}

void sim_loop::report(std::string& lines) const {
    const time_point deadline = next_deadline();
    lines += fmt::format("  loop '{}': {} operations pending, {}\n", name_, reactor_->pending_count(),
                         deadline == never
                             ? std::string("no deadline")
                             : fmt::format("deadline in {:.6f} s",
                                           std::chrono::duration<double>(deadline - world_.now()).count()));
    reactor_->report(lines);
    if (describe_) lines += fmt::format("  loop '{}': {}\n", name_, describe_());
}

}  // namespace sluice::testing
