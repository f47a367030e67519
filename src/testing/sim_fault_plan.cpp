#include "testing/sim_fault_plan.hpp"

#include <fmt/format.h>

#include "testing/sim_draw.hpp"

namespace sluice::testing {

namespace {

using namespace std::chrono_literals;

struct rate {
    const char* name;
    fault_plan::chance fault_plan::* value;
    double most;  // what from_seed() chooses at most; at least a 64th of it
};

constexpr rate rates[] = {
    {"short_send", &fault_plan::short_send, 0.8},
    {"short_receive", &fault_plan::short_receive, 0.8},
    {"no_buffers", &fault_plan::no_buffers, 0.05},
    {"send_fails", &fault_plan::send_fails, 0.05},
    {"receive_fails", &fault_plan::receive_fails, 0.05},
    {"open_fails", &fault_plan::open_fails, 0.3},
    {"cancelled_too_late", &fault_plan::cancelled_too_late, 0.8},
    {"cancelled_half_way", &fault_plan::cancelled_half_way, 0.8},
    {"connect_refused", &fault_plan::connect_refused, 0.5},
    {"connect_unreachable", &fault_plan::connect_unreachable, 0.3},
    {"connect_lost", &fault_plan::connect_lost, 0.3},
    {"accepted_and_closed", &fault_plan::accepted_and_closed, 0.3},
    {"reset", &fault_plan::reset, 0.8},
    {"stall", &fault_plan::stall, 0.05},
    {"given_up", &fault_plan::given_up, 0.8},
    {"pause", &fault_plan::pause, 0.05},
    {"lookup_fails", &fault_plan::lookup_fails, 0.5},
};

struct length {
    const char* name;
    duration fault_plan::* value;
};

constexpr length lengths[] = {
    {"heals_after", &fault_plan::heals_after},
    {"kernel_delay_max", &fault_plan::kernel_delay_max},
    {"latency_min", &fault_plan::latency_min},
    {"latency_max", &fault_plan::latency_max},
    {"jitter_max", &fault_plan::jitter_max},
    {"stall_max", &fault_plan::stall_max},
    {"lookup_delay_max", &fault_plan::lookup_delay_max},
};

}  // namespace

fault_plan fault_plan::from_seed(std::uint64_t seed, duration active_max) {
    random from(seed ^ 0x0fa17u);  // not the numbers that the world draws
    const auto is_on = [&from] { return from.below(2) == 0; };
    fault_plan drawn;
    drawn.heals_after = of_any_length(from, std::min<duration>(active_max, 10ms), active_max);
    for (const rate& each : rates) {
        if (is_on()) drawn.*each.value = each.most / static_cast<double>(of_any_size(from, 1, 64));
    }
    if (is_on()) drawn.tried_late = from.fraction();
    if (is_on()) drawn.completed_late = from.fraction();
    if (is_on()) drawn.kernel_delay_max = of_any_length(from, 1us, 10ms);
    if (is_on()) drawn.latency_max = of_any_length(from, drawn.latency_min, 1s);
    if (is_on()) drawn.jitter_max = of_any_length(from, 1us, drawn.latency_max);
    if (is_on()) drawn.window_min = of_any_size(from, 256, drawn.window_max);
    if (is_on()) drawn.window_max = of_any_size(from, drawn.window_min, 1 << 20);
    if (is_on()) drawn.slice_max = of_any_size(from, 1, 64 * 1024);
    if (is_on()) drawn.bytes_per_second = of_any_size(from, 50'000, 100'000'000);
    if (is_on()) drawn.stall_max = of_any_length(from, 10ms, 60s);
    if (is_on()) drawn.wall_clock_jumps = static_cast<unsigned>(between(from, 1, 4));
    if (is_on()) drawn.lookup_delay_max = of_any_length(from, 1ms, 20s);
    return drawn;
}

std::string fault_plan::text() const {
    const fault_plan nothing = calm();
    std::string said;
    const auto say = [&said](const char* name, const auto& value) {
        said += fmt::format("{}{} {}", said.empty() ? "" : ", ", name, value);
    };
    for (const rate& each : rates) {
        if (this->*each.value != nothing.*each.value) say(each.name, this->*each.value);
    }
    if (tried_late != nothing.tried_late) say("tried_late", tried_late);
    if (completed_late != nothing.completed_late) say("completed_late", completed_late);
    for (const length& each : lengths) {
        if (this->*each.value == nothing.*each.value) continue;
        say(each.name,
            std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(this->*each.value).count()) +
                " us");
    }
    if (window_min != nothing.window_min) say("window_min", window_min);
    if (window_max != nothing.window_max) say("window_max", window_max);
    if (slice_max != nothing.slice_max) say("slice_max", slice_max);
    if (bytes_per_second != nothing.bytes_per_second) say("bytes_per_second", bytes_per_second);
    if (wall_clock_jumps != nothing.wall_clock_jumps) say("wall_clock_jumps", wall_clock_jumps);
    return said.empty() ? "calm" : said;
}

}  // namespace sluice::testing
