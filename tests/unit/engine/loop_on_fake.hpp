// A loop on the fake reactor, for tests of what happens between loops. A turn runs when the test says so.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "loop/event_loop.hpp"
#include "unit/loop/fake_reactor.hpp"

namespace sluice {

struct loop_on_fake {
    fake_reactor::state io;
    event_loop loop{std::make_unique<fake_reactor>(io), logger([](log_level, std::string_view) {})};

    // Turns, until nothing is wanted at once.
    void run() {
        while (loop.run_ready()) {}
    }
};

// A completion that notes how it ended: "run", or "drop".
struct noting_completion : completion {
    noting_completion() : completion(&note) {}
    static void note(task& self, fate what) {
        auto& mine = static_cast<noting_completion&>(static_cast<completion&>(self));
        mine.seen.emplace_back(what == fate::run ? "run" : "drop");
        mine.seen_on = event_loop::current();
    }
    std::vector<std::string> seen;
    event_loop* seen_on = nullptr;
};

}  // namespace sluice
