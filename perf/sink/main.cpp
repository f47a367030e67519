// sluice-sink: a broker that throws away what it gets, so that clients and not a broker are measured.
#include <fmt/format.h>
#include <sched.h>
#include <sys/prctl.h>

#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdio>
#include <exception>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "cli/options.hpp"
#include "sink/server.hpp"

namespace {

constexpr const char* usage =
    R"(sluice-sink: a broker that checks nothing and throws records away, on one thread.

usage: sluice-sink [options]
  --port P             listen on P (with --brokers: P, P + 1, ..); 0, the default, is any free port
  --host HOST          an IPv4 address, or a name that has one; clients are told what is said here (127.0.0.1)
  --brokers N          so many brokers, each on a port of its own (1)
  --topics T:N[,..]    topics and their counts of partitions
  --partitions N       the partitions of every other topic: whatever is asked for exists (12)
  --per-partition      tell at the end how many records each partition got
  --delay-ms D         answer every Produce request D ms late, without holding up others (0)
  --refuse-after N     once so many records have come, answer each batch with INVALID_RECORD and count it as an error
  --cpu N              run on this core alone
  -h, --help

It prints `HOST:PORT[,..]` on stdout when it listens. At its end (SIGTERM, SIGINT), and on SIGUSR1, it prints a line of
JSON: records, batches, requests, bytes (of batches), connections, errors, cpu_s, codecs (batches of each), acks (requests
with each), idempotent (batches), topics (records of each); and, with --per-partition, partitions (records of each, by topic).
It answers ApiVersions, Metadata, InitProducerId, and Produce 3 to 13. Offsets count up; sequences, checksums and records
are not looked at. Lost connections, retries and duplicates therefore show in its counts.
)";

struct asked {
    sluice::sink::server_options server;
    long long partitions = 12;
    std::vector<std::pair<std::string, long long>> topics;
    long long cpu = -1;
    bool help = false;
};

constexpr long long partitions_max = 1'000'000;

asked parse(const std::vector<std::string>& arguments) {
    using sluice::cli::number;
    using sluice::cli::usage_error;
    asked made;
    sluice::cli::options known;
    known.flag("--help", [&] { made.help = true; });
    known.flag("-h", [&] { made.help = true; });
    known.value("--port", [&](std::string_view text) {
        made.server.port = static_cast<std::uint16_t>(number("--port", text, 0, 65535));
    });
    known.value("--host", [&](std::string_view text) { made.server.host = text; });
    known.value("--brokers", [&](std::string_view text) {
        made.server.brokers = static_cast<std::size_t>(number("--brokers", text, 1, 100));
    });
    known.value("--partitions", [&](std::string_view text) {
        made.partitions = number("--partitions", text, 1, partitions_max);
    });
    known.value("--topics", [&](std::string_view text) {
        while (!text.empty()) {
            const std::string_view one = text.substr(0, text.find(','));
            text.remove_prefix(std::min(text.size(), one.size() + 1));
            const std::size_t colon = one.rfind(':');
            if (colon == std::string_view::npos || colon == 0)
                throw usage_error{fmt::format("option --topics: '{}' is not TOPIC:PARTITIONS", one)};
            made.topics.emplace_back(one.substr(0, colon),
                                     number("--topics", one.substr(colon + 1), 1, partitions_max));
        }
    });
    known.value("--delay-ms", [&](std::string_view text) {
        made.server.delay = std::chrono::milliseconds(number("--delay-ms", text, 0, 600'000));
    });
    known.flag("--per-partition", [&] { made.server.tells_partitions = true; });
    known.value("--refuse-after", [&](std::string_view text) {
        made.server.refuse_after = static_cast<std::uint64_t>(number("--refuse-after", text, 0, LLONG_MAX));
    });
    known.value("--cpu",
                [&](std::string_view text) { made.cpu = number("--cpu", text, 0, CPU_SETSIZE - 1); });
    if (const auto rest = known.parse(arguments); !rest.empty())
        throw usage_error{fmt::format("'{}' is no option (see --help)", rest.front())};
    if (const std::size_t last = made.server.port + made.server.brokers - 1;
        made.server.port != 0 && last > 65535) {
        throw usage_error{
            fmt::format("option --port: {} brokers from {} on would need port {}, and the last is 65535",
                        made.server.brokers, made.server.port, last)};
    }
    return made;
}

std::vector<std::size_t> usable_cores() {
    cpu_set_t cores;
    if (::sched_getaffinity(0, sizeof cores, &cores) != 0)
        throw std::system_error(errno, std::generic_category(), "sched_getaffinity");
    std::vector<std::size_t> found;
    for (std::size_t core = 0; core < CPU_SETSIZE; ++core) {
        if (CPU_ISSET(core, &cores)) found.push_back(core);
    }
    return found;
}

void serve(const asked& how) {
    if (how.cpu >= 0) {
        cpu_set_t cores;
        CPU_ZERO(&cores);
        CPU_SET(static_cast<std::size_t>(how.cpu), &cores);
        if (::sched_setaffinity(0, sizeof cores, &cores) != 0) {
            if (errno != EINVAL) throw std::system_error(errno, std::generic_category(), "--cpu");
            throw sluice::cli::usage_error{
                fmt::format("option --cpu: there is no core {} for this process; it may use {}", how.cpu,
                            fmt::join(usable_cores(), ", "))};
        }
    }
    // Late answers are to be late by what was asked for, not by the 50 us more that timers may be.
    (void)::prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
    sigset_t handled;
    sigemptyset(&handled);
    for (const int each : {SIGTERM, SIGINT, SIGUSR1}) sigaddset(&handled, each);
    (void)::sigprocmask(SIG_BLOCK, &handled, nullptr);

    sluice::sink::topics topics(static_cast<std::size_t>(how.partitions));
    for (const auto& [name, partitions] : how.topics)
        (void)topics.of_name(name, static_cast<std::size_t>(partitions));
    sluice::sink::server server(how.server, topics);
    fmt::print("{}\n", server.bootstrap());
    std::fflush(stdout);
    server.run();
    fmt::print("{}\n", server.report());
}

}  // namespace

int main(int count, char** values) {
    try {
        const asked how = parse(std::vector<std::string>(values + 1, values + count));
        if (how.help) {
            fmt::print("{}", usage);
            return 0;
        }
        serve(how);
        return 0;
    } catch (const sluice::cli::usage_error& wrong) {
        fmt::print(stderr, "sluice-sink: error: {}\n", wrong.text);
        return 2;
    } catch (const std::exception& wrong) {
        fmt::print(stderr, "sluice-sink: error: {}\n", wrong.what());
        return 1;
    }
}
