#include "client/settings.hpp"

#include <fmt/format.h>

#include <optional>

#include "cli/options.hpp"

namespace sluice::perf {

const char* const usage =
    R"(Sends records as a load and measures what they cost. One line of JSON on stdout, progress on stderr.

usage: sluice-perf --bootstrap HOST:PORT[,..] [options]

The load (the peers under perf/peers take the same flags, with the same meanings: perf/README.md, "One set of flags")
  --bootstrap H:P[,..]   the cluster
  --topic T              (perf)
  --records N            to measure (1000000)
  --warmup N             sent and flushed before the clock starts (100000)
  --size B               bytes of a value (100)
  --payload random|json|FILE
                         FILE is cut into values of --size bytes, used in turn (random)
  --key 0|16             bytes of a key; 0: none (0)
  --partitions N         name the partition, in turn, from the first record of the warm-up on; 0: the producer chooses (12)
  --chunk K              records in a row to one partition, where partitions are named (1)
  --rate R               records/s, in bursts of 1 ms; 0: as fast as possible, as the warm-up is (0)
  --sample K             latency of each K-th record, from the send call to the acknowledgement; 0: of none (100)

The producer (what has no default here has Kafka's)
  --acks 0|1|all         (all)
  --idempotence on|off   (on, but off with --acks 0 and 1)
  --compression none|lz4|zstd|snappy|gzip
                         (none)
  --level L              of the compression, which must be one that has levels: lz4, zstd, gzip
  --linger MS            linger.ms
  --batch BYTES          batch.size
  --inflight N           requests in flight on a connection; at most 5 where it is idempotent
  --buffer-kb KB         buffer.memory
  -X key=value           a key of Kafka's producer configuration (repeatable); after all flags, whatever their order

Of Sluice
  --shards N             loops, each on a thread of its own (1)
  --pin on|off           each shard to a core of its own; a foreign caller to the first one, the shards behind it (off)
  --coroutines N         that send, on each shard (1); not with --rate, which one paces, nor with --caller foreign
  --caller own|foreign   send from the shards' own coroutines, or from one thread that is on no loop (own)
  --send await|try       await each send, or try_send first and await only where it would have to wait (await); try not with
                         --caller foreign
  --reactor uring|epoll  (by the machine)
  -h, --help

Wall and CPU time (user + system, of the whole process) run from the end of the warm-up until everything is flushed; rss_mb
is the process's peak of resident memory, mb_s counts 10^6 bytes of values. records counts those that were acknowledged (with
--acks 0: written), without the warm-up; errors those that were not, with the warm-up.
The exit status is 0 only if all were acknowledged; 1 if not; 2 for a command line that makes no sense.
)";

namespace {

bool on_or_off(std::string_view option, std::string_view text) {
    if (text != "on" && text != "off")
        throw cli::usage_error{fmt::format("option {}: expected on or off, got '{}'", option, text)};
    return text == "on";
}

std::string_view one_of(std::string_view option, std::string_view text,
                        std::initializer_list<std::string_view> allowed) {
    for (const std::string_view each : allowed) {
        if (each == text) return text;
    }
    throw cli::usage_error{
        fmt::format("option {}: expected one of {}, got '{}'", option, fmt::join(allowed, ", "), text)};
}

// What would have no effect, and what the producer would refuse.
void check_combinations(const settings& asked) {
    if (asked.coroutines > 1 && (asked.is_foreign || asked.rate > 0)) {
        throw cli::usage_error{fmt::format("option --coroutines: no effect with {}",
                                           asked.is_foreign ? "--caller foreign" : "--rate")};
    }
    if (asked.uses_try_send && asked.is_foreign)
        throw cli::usage_error{"option --send: try has no effect with --caller foreign"};
    producer_config tried = asked.config;
    if (const auto problem = tried.validate())
        throw cli::usage_error{fmt::format("{}: {}", problem->key, problem->text)};
}

}  // namespace

settings parse(const std::vector<std::string>& arguments) {
    settings made;
    cli::options known;
    std::optional<std::string> level;
    std::vector<std::string> pairs;
    const auto set = [&](std::string_view option, std::string_view key, std::string_view value) {
        if (auto problem = made.config.set(key, value)) {
            throw cli::usage_error{fmt::format("option {}: {}: {}", option, problem->key, problem->text)};
        }
    };
    const auto key = [&](std::string option, std::string_view name) {
        known.value(option, [&set, option, name](std::string_view value) { set(option, name, value); });
    };
    const auto whole = [&](std::string option, auto& to, long long min, long long max) {
        known.value(option, [&to, option, min, max](std::string_view value) {
            to = static_cast<std::decay_t<decltype(to)>>(cli::number(option, value, min, max));
        });
    };
    constexpr long long many = 1'000'000'000'000;
    key("--bootstrap", "bootstrap.servers");
    known.value("--topic", [&](std::string_view value) { made.topic = value; });
    whole("--records", made.records, 1, many);
    whole("--warmup", made.warmup, 0, many);
    whole("--size", made.value_size, 1, 1 << 30);
    known.value("--payload", [&](std::string_view value) { made.payload = value; });
    known.value("--key", [&](std::string_view value) {
        made.key_size = one_of("--key", value, {"0", "16"}) == "16" ? 16 : 0;
    });
    whole("--partitions", made.partitions, 0, 1'000'000);
    whole("--chunk", made.chunk, 1, many);
    whole("--rate", made.rate, 0, 1'000'000'000);
    whole("--sample", made.sample, 0, many);
    known.value("--acks", [&](std::string_view value) {
        set("--acks", "acks", one_of("--acks", value, {"0", "1", "all"}));
    });
    known.value("--idempotence", [&](std::string_view value) {
        set("--idempotence", "enable.idempotence", on_or_off("--idempotence", value) ? "true" : "false");
    });
    key("--inflight", "max.in.flight.requests.per.connection");
    key("--linger", "linger.ms");
    key("--batch", "batch.size");
    known.value("--buffer-kb", [&](std::string_view value) {
        const long long kilobytes = cli::number("--buffer-kb", value, 0, 1LL << 40);
        set("--buffer-kb", "buffer.memory", std::to_string(kilobytes * 1024));
    });
    known.value("--compression", [&](std::string_view value) {
        set("--compression", "compression.type",
            one_of("--compression", value, {"none", "lz4", "zstd", "snappy", "gzip"}));
    });
    known.value("--level", [&](std::string_view value) { level = value; });
    known.value("-X", [&](std::string_view value) {
        if (const std::size_t equals = value.find('='); equals == std::string_view::npos || equals == 0)
            throw cli::usage_error{fmt::format("option -X: expected key=value, got '{}'", value)};
        pairs.emplace_back(value);
    });
    whole("--shards", made.shards, 1, 1024);
    known.value("--pin", [&](std::string_view value) { made.is_pinned = on_or_off("--pin", value); });
    whole("--coroutines", made.coroutines, 1, 1'000'000);
    known.value("--caller", [&](std::string_view value) {
        made.is_foreign = one_of("--caller", value, {"own", "foreign"}) == "foreign";
    });
    known.value("--send", [&](std::string_view value) {
        made.uses_try_send = one_of("--send", value, {"await", "try"}) == "try";
    });
    known.value("--reactor", [&](std::string_view value) {
        made.reactor = one_of("--reactor", value, {"uring", "epoll"}) == "uring" ? reactor_kind::uring
                                                                                 : reactor_kind::epoll;
    });
    known.flag("--help", [&] { made.wants_help = true; });
    known.flag("-h", [&] { made.wants_help = true; });

    const std::vector<std::string> rest = known.parse(arguments);
    if (made.wants_help) return made;
    if (!rest.empty()) throw cli::usage_error{fmt::format("'{}' is no option (see --help)", rest.front())};
    if (made.config.bootstrap_servers.empty()) throw cli::usage_error{"--bootstrap is missing (see --help)"};
    // Here, not by the producer: Kafka looks at the requests in flight before it switches idempotence off.
    if (made.config.acks != acks::all && !made.config.enable_idempotence)
        made.config.enable_idempotence = false;
    for (const std::string_view pair : pairs) {
        const std::size_t equals = pair.find('=');
        set("-X", pair.substr(0, equals), pair.substr(equals + 1));
    }
    if (level) {
        const compression type = made.config.compression_type;
        if (type == compression::none || type == compression::snappy) {
            throw cli::usage_error{fmt::format(
                "option --level: compression {} has no levels; expected --compression lz4, zstd or gzip",
                to_string(type))};
        }
        set("--level", fmt::format("compression.{}.level", to_string(type)), *level);
    }
    check_combinations(made);
    return made;
}

}  // namespace sluice::perf
