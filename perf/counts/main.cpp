// instruction_counts: what perf/instruction_counts runs under callgrind.
#include <fmt/format.h>
#include <gnu/libc-version.h>

#include <algorithm>
#include <array>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include "cli/options.hpp"
#include "counts/counted_section.hpp"
#include "counts/request_cases.hpp"
#include "counts/send_cases.hpp"

namespace {

constexpr const char* usage =
    R"(Runs one case of the producer's work so many times, always the same, for callgrind to count its instructions.

usage: instruction_counts CASE COUNT
  --list        the cases
  --build       the compiler, its flags and the C library: what makes counts comparable
  -h, --help

perf/instruction_counts runs all cases and compares them with the baseline.
)";

struct counted_case {
    std::string_view name;
    void (*run)(std::uint64_t count);
};

constexpr std::array cases{
    counted_case{"try_send", sluice::perf::count_try_send},
    counted_case{"co_await_send", sluice::perf::count_co_await_send},
    counted_case{"try_send_with_key", sluice::perf::count_try_send_with_key},
    counted_case{"full_path", sluice::perf::count_full_path},
    counted_case{"full_path_acks_0", sluice::perf::count_full_path_acks_0},
    counted_case{"full_path_lz4", sluice::perf::count_full_path_lz4},
    counted_case{"encode_produce", sluice::perf::count_encode_produce},
    counted_case{"decode_produce_answer", sluice::perf::count_decode_produce_answer},
};

int run(const std::vector<std::string>& arguments) {
    using sluice::cli::usage_error;
    bool is_done = false;
    sluice::cli::options known;
    const auto help = [&] {
        fmt::print("{}", usage);
        is_done = true;
    };
    known.flag("--help", help);
    known.flag("-h", help);
    known.flag("--list", [&] {
        for (const counted_case& each : cases) fmt::print("{}\n", each.name);
        is_done = true;
    });
    known.flag("--build", [&] {
        fmt::print("{}, glibc {}{}\n", SLUICE_BUILD, gnu_get_libc_version(),
                   SLUICE_HAS_CALLGRIND ? "" : ", without callgrind");
        is_done = true;
    });
    const std::vector<std::string> rest = known.parse(arguments);
    if (is_done) return 0;
    if (rest.size() != 2) throw usage_error{"needs a case and a count (see --help)"};
    const auto found = std::find_if(cases.begin(), cases.end(),
                                    [&](const counted_case& each) { return each.name == rest[0]; });
    if (found == cases.end()) throw usage_error{fmt::format("'{}' is no case (see --list)", rest[0])};
    found->run(static_cast<std::uint64_t>(sluice::cli::number("COUNT", rest[1], 1, 1'000'000'000)));
    return 0;
}

}  // namespace

int main(int count, char** values) {
    try {
        return run(std::vector<std::string>(values + 1, values + count));
    } catch (const sluice::cli::usage_error& wrong) {
        fmt::print(stderr, "instruction_counts: {}\n", wrong.text);
        return 2;
    } catch (const std::exception& failed) {
        fmt::print(stderr, "instruction_counts: {}\n", failed.what());
        return 1;
    }
}
