// sluice-perf: what records cost, measured.
#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "cli/options.hpp"
#include "client/load.hpp"
#include "client/payload.hpp"
#include "client/settings.hpp"

namespace sluice::perf {
namespace {

std::string to_json(const settings& asked, const load_result& seen) {
    const auto records = static_cast<double>(seen.acknowledged);
    const double rate = seen.wall_s > 0 ? records / seen.wall_s : 0;
    const double cpu_s_per_million = seen.acknowledged > 0 ? seen.cpu_s * 1e6 / records : 0;
    const auto us = [](std::chrono::nanoseconds value) {
        return static_cast<double>(value.count()) / 1000.0;
    };
    const auto percentile = [&](double share) {
        return seen.latency.count() == 0 ? std::string("null")
                                         : fmt::format("{:.1f}", us(seen.latency.percentile(share)));
    };
    std::string json = fmt::format(
        R"({{"peer":"sluice","records":{},"size":{},"records_s":{:.0f},"mb_s":{:.2f},"wall_s":{:.6f},"cpu_s":{:.6f},)",
        seen.acknowledged, asked.value_size, rate, rate * asked.value_size / 1e6, seen.wall_s, seen.cpu_s);
    json += fmt::format(R"("cpu_s_per_m":{:.4f},"rss_mb":{:.1f},)", cpu_s_per_million, seen.rss_mb);
    json += fmt::format(R"("p50_us":{},"p95_us":{},"p99_us":{},"p999_us":{},"max_us":{},"errors":{}}})",
                        percentile(0.5), percentile(0.95), percentile(0.99), percentile(0.999),
                        seen.latency.count() == 0 ? "null" : fmt::format("{:.1f}", us(seen.latency.max())),
                        seen.errors);
    return json;
}

int run(const std::vector<std::string>& arguments) {
    const settings asked = parse(arguments);
    if (asked.wants_help) {
        fmt::print("{}", usage);
        return 0;
    }
    const load_result seen = run_load(asked);
    fmt::print("{}\n", to_json(asked, seen));
    return seen.errors == 0 ? 0 : 1;
}

}  // namespace
}  // namespace sluice::perf

int main(int count, char** values) {
    try {
        return sluice::perf::run(std::vector<std::string>(values + 1, values + count));
    } catch (const sluice::cli::usage_error& wrong) {
        fmt::print(stderr, "sluice-perf: error: {}\n", wrong.text);
        return 2;
    } catch (const sluice::perf::payload_error& wrong) {
        fmt::print(stderr, "sluice-perf: error: {}\n", wrong.what());
        return 2;
    } catch (const std::exception& wrong) {
        fmt::print(stderr, "sluice-perf: error: {}\n", wrong.what());
        return 1;
    }
}
