// sluice: the command line.
#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "cli/options.hpp"
#include "cli/produce.hpp"
#include "sluice/version.hpp"

namespace {

constexpr const char* usage =
    R"(sluice: a Kafka producer.

usage: sluice produce --bootstrap HOST:PORT[,..] --topic TOPIC [options] [FILE|-]
       sluice --version | --help

`sluice produce --help` tells the options.
)";

}  // namespace

int main(int count, char** values) {
    const std::vector<std::string> arguments(values + 1, values + count);
    try {
        if (arguments.empty() || arguments[0] == "--help" || arguments[0] == "-h") {
            fmt::print(arguments.empty() ? stderr : stdout, "{}", usage);
            return arguments.empty() ? 2 : 0;
        }
        if (arguments[0] == "--version") {
            // What ApiVersions announces (KIP-511): client software name and version.
            fmt::print("{} {}\n", sluice::software_name, sluice::software_version());
            return 0;
        }
        if (arguments[0] == "produce") {
            return sluice::cli::produce(std::vector<std::string>(arguments.begin() + 1, arguments.end()));
        }
        throw sluice::cli::usage_error{fmt::format("unknown command '{}' (see --help)", arguments[0])};
    } catch (const sluice::cli::usage_error& wrong) {
        fmt::print(stderr, "sluice: error: {}\n", wrong.text);
        return 2;
    } catch (const std::exception& wrong) {
        fmt::print(stderr, "sluice: error: {}\n", wrong.what());
        return 1;
    }
}
