// simulation_tests: whole producers in a simulated world.
//
//   simulation_tests                       the tests (GoogleTest's options)
//   simulation_tests --seeds 0..9999       one schedule for each seed; --twice: runs each of them twice
//   simulation_tests --seed 17 [--trace]   one schedule; what is in it, and everything that happened
//   ... --plant BUG                        with a planted bug: see schedule_plan.hpp
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <optional>

#include "simulation/schedule.hpp"
#include "sluice/invariant.hpp"

extern "C" void __sanitizer_set_death_callback(void (*callback)()) __attribute__((weak));

namespace sluice::simulation {
namespace {

constexpr unsigned stuck_after_s = 120;  // real time of one schedule
constexpr auto progress_every = std::chrono::seconds(5);

char rerun_line[160] = "";

// Callable from a signal handler.
void say_seed() {
    if (::write(STDERR_FILENO, rerun_line, std::strlen(rerun_line)) < 0) return;
}

void on_signal(int number) {
    say_seed();
    ::signal(number, SIG_DFL);
    ::raise(number);
}

void on_broken_invariant(const char* invariant, const char* file, int line) {
    fmt::print(stderr, "{}:{}: broken invariant: {}\n", file, line, invariant);
    std::abort();
}

struct options {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    bool is_twice = false;
    bool is_traced = false;
    planted_bug planted = planted_bug::none;
};

std::optional<std::uint64_t> number_of(std::string_view text) {
    std::uint64_t number = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
    if (read.ec != std::errc{} || read.ptr != text.data() + text.size()) return std::nullopt;
    return number;
}

std::optional<planted_bug> bug_of(std::string_view name) {
    for (int i = 0; i <= static_cast<int>(planted_bug::silent_drop); ++i) {
        if (name == to_string(static_cast<planted_bug>(i))) return static_cast<planted_bug>(i);
    }
    return std::nullopt;
}

void add(schedule_result& to, const schedule_result& more) {
    to.step_count += more.step_count;
    for (const auto& [name, count] : more.calls) to.calls[name] += count;
    for (const auto& [name, count] : more.records.errors) to.records.errors[name] += count;
    to.records.begun += more.records.begun;
    to.records.accepted += more.records.accepted;
    to.records.acknowledged += more.records.acknowledged;
    to.records.failed += more.records.failed;
    to.records.stored += more.records.stored;
    to.records.duplicates += more.records.duplicates;
    to.records.dropped += more.records.dropped;
    to.records.withdrawn += more.records.withdrawn;
}

int run(const options& wanted) {
    using clock = std::chrono::steady_clock;
    set_invariant_handler(&on_broken_invariant);
    for (const int number : {SIGABRT, SIGSEGV, SIGALRM, SIGBUS, SIGFPE}) ::signal(number, &on_signal);
    if (__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(&say_seed);
    const auto begun = clock::now();
    auto told = begun;
    schedule_result total;
    std::uint64_t failures = 0, done = 0;
    for (std::uint64_t seed = wanted.first; seed <= wanted.last; ++seed) {
        const std::string line =
            fmt::format("failed; run it again: simulation_tests --seed {} --trace{}{}\n", seed,
                        wanted.planted == planted_bug::none ? "" : " --plant ",
                        wanted.planted == planted_bug::none ? "" : to_string(wanted.planted));
        rerun_line[line.copy(rerun_line, sizeof rerun_line - 1)] = '\0';
        ::alarm(stuck_after_s);
        const schedule_plan plan = schedule_plan::draw(seed, wanted.planted);
        if (wanted.is_traced) fmt::print("{}", plan.text());
        const auto trace = [](std::string_view text) {
            fmt::print("{}\n", text);
            std::fflush(stdout);
        };
        schedule_result result =
            run_schedule(plan, wanted.is_traced ? trace : std::function<void(std::string_view)>());
        if (wanted.is_twice && run_schedule(plan).trace_hash != result.trace_hash) {
            result.violations.push_back(fmt::format("another run of seed {} went differently", seed));
        }
        ++done;
        add(total, result);
        if (!result.violations.empty()) {
            ++failures;
            fmt::print(stderr, "{}", plan.text());
            for (const std::string& each : result.violations) fmt::print(stderr, "  {}\n", each);
            say_seed();
        }
        if (wanted.first == wanted.last) fmt::print("trace hash {:016x}\n", result.trace_hash);
        if (clock::now() - told >= progress_every) {
            told = clock::now();
            const double seconds = std::chrono::duration<double>(told - begun).count();
            fmt::print(stderr, "{} of {} schedules, {:.1f} s, {} failed\n", done,
                       wanted.last - wanted.first + 1, seconds, failures);
        }
        if (failures >= 20) break;
    }
    ::alarm(0);
    const double seconds = std::chrono::duration<double>(clock::now() - begun).count();
    fmt::print("{} schedules, {} failed, {:.1f} s, {:.2f} ms and {} steps each\n", done, failures, seconds,
               1000 * seconds / static_cast<double>(done), total.step_count / done);
    const record_journal::counts& records = total.records;
    fmt::print(
        "records: {} sent, {} accepted, {} acknowledged, {} failed, {} dropped, {} withdrawn, {} stored, {} "
        "stored "
        "twice\n",
        records.begun, records.accepted, records.acknowledged, records.failed, records.dropped,
        records.withdrawn, records.stored, records.duplicates);
    for (const auto& [name, count] : records.errors) fmt::print("  {} {}\n", count, name);
    for (const auto& [name, count] : total.calls) fmt::print("  {} {}\n", count, name);
    return failures == 0 ? 0 : 1;
}

}  // namespace
}  // namespace sluice::simulation

int main(int argc, char** argv) {
    using namespace sluice::simulation;
    options wanted;
    bool runs_seeds = false;
    const auto refuse = [](std::string_view what) {
        fmt::print(stderr, "simulation_tests: {} is not understood\n", what);
        return 2;
    };
    for (int i = 1; i < argc; ++i) {
        const std::string_view name = argv[i];
        const std::string_view value = i + 1 < argc ? argv[i + 1] : "";
        if (name == "--seed" || name == "--seeds") {
            const std::size_t dots = value.find("..");
            const auto first = number_of(value.substr(0, dots));
            const auto last = dots == std::string_view::npos ? first : number_of(value.substr(dots + 2));
            if (!first || !last || *last < *first) return refuse(value);
            wanted.first = *first;
            wanted.last = *last;
            runs_seeds = true;
            ++i;
        } else if (name == "--trace") {
            wanted.is_traced = true;
        } else if (name == "--twice") {
            wanted.is_twice = true;
        } else if (name == "--plant") {
            const auto bug = bug_of(value);
            if (!bug) return refuse(value);
            wanted.planted = *bug;
            ++i;
        } else if (!name.starts_with("--gtest_")) {
            return refuse(name);
        }
    }
    if (runs_seeds) return run(wanted);
    ::testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}
