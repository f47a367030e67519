// One schedule: a whole producer in a simulated world, callers on its loops and elsewhere, and everything that happens to
// them, from one seed; then what the brokers stored is held against what the callers were told.
//
//   schedule_result result = run_schedule(schedule_plan::draw(seed));
//   EXPECT_THAT(result.violations, IsEmpty());
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "simulation/record_journal.hpp"
#include "simulation/schedule_plan.hpp"

namespace sluice::simulation {

struct schedule_result {
    std::vector<std::string> violations;
    std::uint64_t trace_hash = 0;
    std::uint64_t step_count = 0;  // events and turns
    record_journal::counts records;
    std::map<std::string, std::uint64_t> calls;  // by kind and how they ended
};

// `trace` gets a line for everything that happens.
schedule_result run_schedule(const schedule_plan& plan, std::function<void(std::string_view)> trace = {});

}  // namespace sluice::simulation
