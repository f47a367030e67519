// fuzz_tests [TARGET...] [--seed S] [--first I] [--runs N]
//
// Runs the targets (all, by default) over their seeds, then over mutations of them. Run number I of a seed S
// is always the same bytes, so what fails is run again alone with the line that is printed.
#include <fmt/core.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <optional>
#include <string>

#include "fuzz/mutator.hpp"
#include "fuzz/target.hpp"

// There when a sanitizer is: it ends the program without a signal.
extern "C" __attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)());

namespace sluice::fuzz {
namespace {

struct options {
    std::vector<const target*> targets;
    std::uint64_t seed = 1;
    std::uint64_t first = 0;
    std::uint64_t runs = 20000;
};

// What is being run, for the one who asks when it died.
std::array<char, 200> rerun_line;

void say_how_to_run_again() {
    const std::string_view line(rerun_line.data());
    if (::write(STDERR_FILENO, line.data(), line.size()) < 0) return;
}

void on_signal(int signal) {
    say_how_to_run_again();
    std::signal(signal, SIG_DFL);
    std::raise(signal);
}

void catch_failures() {
    std::signal(SIGABRT, on_signal);
    if (__sanitizer_set_death_callback != nullptr) {
        __sanitizer_set_death_callback(
            say_how_to_run_again);  // the other signals are the sanitizer's, with its report
    } else {
        for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL}) std::signal(signal, on_signal);
    }
}

// Neighbouring runs must not draw the same numbers.
std::uint64_t seed_of_run(std::uint64_t seed, std::uint64_t run) {
    return seed * 0x9e3779b97f4a7c15u + run;
}

void run(const target& what, const options& how) {
    const std::vector<input> seeds = what.seeds();
    require(!seeds.empty(), "a target has at least one seed");
    const auto begin = std::chrono::steady_clock::now();
    for (std::uint64_t number = how.first; number < how.first + how.runs; ++number) {
        const std::string line =
            fmt::format("fuzz: run again with: fuzz_tests {} --seed {} --first {} --runs 1\n", what.name,
                        how.seed, number);
        rerun_line[line.copy(rerun_line.data(), rerun_line.size() - 1)] = '\0';
        const input data = number < seeds.size() ? seeds[static_cast<std::size_t>(number)]
                                                 : mutator(seed_of_run(how.seed, number)).mutated(seeds);
        what.run(data.data(), data.size());
    }
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
    fmt::print("{}: {} runs, {} seeds, --seed {}, {:.2f} s\n", what.name, how.runs, seeds.size(), how.seed,
               taken.count());
}

bool read_number(std::string_view text, std::uint64_t& number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && end == text.data() + text.size();
}

std::optional<options> read_options(std::span<const std::string_view> arguments) {
    options out;
    for (std::size_t index = 0; index < arguments.size(); ++index) {
        const std::string_view name = arguments[index];
        std::uint64_t* number = name == "--seed"    ? &out.seed
                                : name == "--first" ? &out.first
                                : name == "--runs"  ? &out.runs
                                                    : nullptr;
        if (number != nullptr) {
            if (++index == arguments.size() || !read_number(arguments[index], *number)) return std::nullopt;
        } else if (const target* found = find_target(name)) {
            out.targets.push_back(found);
        } else {
            return std::nullopt;
        }
    }
    if (!out.targets.empty()) return out;
    for (const target* entry : targets()) {
        if (!entry->is_planted) out.targets.push_back(entry);
    }
    return out;
}

}  // namespace
}  // namespace sluice::fuzz

int main(int count, char** values) {
    using namespace sluice::fuzz;
    const std::vector<std::string_view> arguments(values + 1, values + count);
    const std::optional<options> how = read_options(arguments);
    if (!how) {
        fmt::print(stderr, "usage: fuzz_tests [TARGET...] [--seed S] [--first I] [--runs N]\ntargets:");
        for (const target* entry : targets()) fmt::print(stderr, " {}", entry->name);
        fmt::print(stderr, "\n");
        return 2;
    }
    catch_failures();
    for (const target* entry : how->targets) run(*entry, *how);
    return 0;
}
