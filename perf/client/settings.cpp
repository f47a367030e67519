#include "client/settings.hpp"

#include <fmt/format.h>

#include "cli/options.hpp"

namespace sluice::perf {

const char* const usage =
    R"(Sends records as a load and measures what they cost. One line of JSON on stdout, progress on stderr.

usage: sluice-perf --bootstrap HOST:PORT[,..] --topic T [options]

The load (the peers under perf/peers take the same flags, with the same meaning)
  --records N            to measure (1000000)
  --warmup N             sent and acknowledged before the clock starts (100000)
  --size B               bytes of a value (100)
  --payload KIND         random, json, or a FILE that is cut into values of --size bytes, used in turn (random)
  --key 0|16             bytes of a key; 0: none (0)
  --partitions N         name the partition, round robin over N; 0: the producer chooses (0)
  --chunk K              records in a row to one partition (1)
  --rate R               records/s, in bursts of 1 ms; 0: as fast as possible, as the warm-up is (0)
  --sample K             latency of each K-th record, from the send call to the acknowledgement; 0: of none (1000)

The producer (defaults are Kafka's)
  --acks 0|1|all         --idempotence on|off   --inflight N           --linger MS
  --batch BYTES          --buffer-kb KB         --compression none|lz4|zstd|snappy|gzip    --level L
  -X KEY=VALUE           a key of Kafka's producer configuration (repeatable)

Of Sluice
  --shards N             loops, each on a thread of its own (1)
  --pin on|off           each shard to a core of its own; a foreign caller to the first one, the shards behind it (off)
  --coroutines N         that send, on each shard (1)
  --caller own|foreign   send from the shards' own coroutines, or from one thread that is on no loop (own)
  --send await|try       await each send, or try_send first and await only where it would have to wait (await)
  --reactor uring|epoll  (by the machine)
  --help

Wall and CPU time (user + system, of the whole process) run from the end of the warm-up until everything is flushed; rss_mb
is the process's peak of resident memory, mb_s counts 10^6 bytes of values. errors counts records that were not acknowledged,
in the warm-up too.
The exit status is 0 only if there were none; 1 if there were; 2 for a command line that makes no sense.
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

}  // namespace

settings parse(const std::vector<std::string>& arguments) {
    settings made;
    cli::options known;
    std::string compression;
    std::string level;
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
    key("--acks", "acks");
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
    known.value("--compression", [&](std::string_view value) { compression = value; });
    known.value("--level", [&](std::string_view value) { level = value; });
    known.value("-X", [&](std::string_view value) {
        const std::size_t equals = value.find('=');
        if (equals == std::string_view::npos || equals == 0)
            throw cli::usage_error{fmt::format("option -X: expected KEY=VALUE, got '{}'", value)};
        set("-X", value.substr(0, equals), value.substr(equals + 1));
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
    if (!compression.empty() && compression != "none") {
        set("--compression", "compression.type", compression);
        if (!level.empty()) set("--level", fmt::format("compression.{}.level", compression), level);
    }
    return made;
}

}  // namespace sluice::perf
