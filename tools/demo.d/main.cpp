// The demonstration behind tools/demo: real records through a producer, and what the cluster holds compared with them.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <chrono>
#include <cstdio>
#include <exception>
#include <fstream>
#include <future>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/options.hpp"
#include "cli/signals.hpp"
#include "cluster.hpp"
#include "input.hpp"
#include "journal.hpp"
#include "proof.hpp"
#include "sluice/producer.hpp"
#include "sluice/wait.hpp"

namespace sluice::demo {
namespace {

using namespace std::chrono_literals;
namespace asio = boost::asio;
using clock = std::chrono::steady_clock;

constexpr auto drain_timeout = 10s;

struct settings {
    std::string file = "-";
    std::string input_name;
    std::size_t record_count = 0;  // 0: each of the input once
    std::size_t shard_count = 1;
    std::string bootstrap;
    std::string kafka_tool;
    producer_config config;
};

constexpr const char* usage =
    R"(Sends real records to brokers, reads them back and compares. tools/demo builds it and finds it an input.

usage: sluice-demo [options]
  --input FILE          to send: stanzas with a `Package:` field, which is the key; of any other file each line, its first
                        word the key; - (the default) is standard input
  --input-name TEXT     what to call it
  --records N           send N records: the input again and again, or only its beginning
  --shards N            loops, each on a thread and with connections of its own (1)
  --bootstrap H:P[,..]  into a real Kafka cluster instead of three embedded brokers
  --kafka-tool PATH     tools/kafka, which --bootstrap needs
  -h, --help

    sluice-demo --input /var/lib/dpkg/status --records 100000

The exit status is 0 only when every record was acknowledged and what the cluster holds is equal; 130 after Ctrl-C.
)";

// The options are those of tools/demo, and what it knows. None: help was asked for.
std::optional<settings> parse(const std::vector<std::string>& arguments) {
    settings made;
    bool is_help_wanted = false;
    cli::options known;
    for (const char* name : {"--help", "-h"}) known.flag(name, [&] { is_help_wanted = true; });
    known.value("--input", [&](std::string_view value) { made.file = value; });
    known.value("--input-name", [&](std::string_view value) { made.input_name = value; });
    known.value("--records", [&](std::string_view value) {
        made.record_count = static_cast<std::size_t>(cli::number("--records", value, 1, 1'000'000'000));
    });
    known.value("--shards", [&](std::string_view value) {
        made.shard_count = static_cast<std::size_t>(cli::number("--shards", value, 1, 1024));
    });
    known.value("--bootstrap", [&](std::string_view value) { made.bootstrap = value; });
    known.value("--kafka-tool", [&](std::string_view value) { made.kafka_tool = value; });
    const std::vector<std::string> rest = known.parse(arguments);
    if (is_help_wanted) return std::nullopt;
    if (!rest.empty()) throw cli::usage_error{fmt::format("unknown argument '{}' (see --help)", rest[0])};
    if (!made.bootstrap.empty() && made.kafka_tool.empty())
        throw cli::usage_error{"--bootstrap needs --kafka-tool"};
    if (made.input_name.empty()) made.input_name = made.file == "-" ? "standard input" : made.file;
    return made;
}

// The embedded brokers keep everything in memory.
void check_memory(std::size_t size_bytes) {
    std::ifstream file("/proc/meminfo");
    std::string word;
    std::size_t available_kb = 0;
    while (file >> word) {
        if (word == "MemAvailable:" && file >> available_kb) break;
    }
    if (available_kb == 0 || size_bytes / 1024 < available_kb / 2) return;
    throw cli::usage_error{
        fmt::format("the embedded brokers would keep {:.1f} GB in memory, and {:.1f} GB are available; send "
                    "less (--records), or to a "
                    "real cluster (--bootstrap)",
                    static_cast<double>(size_bytes) / 1e9, static_cast<double>(available_kb) / 1e6)};
}

// Sends all of it in order, as fast as the producer takes it, until a signal.
asio::awaitable<void> send_all(producer& to, std::string topic_name, const input& source, std::size_t count,
                               journal& sent) {
    const auto executor = co_await asio::this_coro::executor;
    const topic handle = to.topic(topic_name);
    for (std::size_t index = 0; index < count && cli::caught_signal() == 0; ++index) {
        const input_record& next = source[index % source.size()];
        const record outgoing(handle, next.key, next.value);
        sent.sending(index);
        try {
            delivery accepted = co_await to.send(outgoing);
            sent.accepted(next.key.size() + next.value.size());
            std::move(accepted)(asio::bind_executor(
                executor, [&sent, index](error_code failed, const record_metadata& placed) {
                    sent.completed(index, failed, placed);
                }));
        } catch (const error& refused) {
            sent.refused(index, refused.code(), refused.what());
        }
    }
}

// A line that is written over on a terminal, and one a second elsewhere.
class progress {
public:
    progress(const journal& sent, std::size_t total) : sent_(sent), total_(total) {}
    ~progress() { end(); }

    void show() {
        const auto now = clock::now();
        if (now - last_ < (is_terminal_ ? 200ms : 1000ms)) return;
        last_ = now;
        print();
    }
    void end() {
        if (is_over_) return;
        is_over_ = true;
        print();
        if (is_terminal_) fmt::print(stderr, "\n");
    }

private:
    void print() const {
        const journal::counts counts = sent_.so_far();
        const double seconds = std::max(std::chrono::duration<double>(clock::now() - started_).count(), 1e-6);
        fmt::print(stderr, "{}{:>9} of {} records accepted, {:>9} acknowledged, {:7.1f} MB/s{}",
                   is_terminal_ ? "\r" : "", counts.accepted, total_, counts.acknowledged,
                   static_cast<double>(counts.size_bytes) / 1e6 / seconds, is_terminal_ ? "   " : "\n");
    }

    const journal& sent_;
    std::size_t total_;
    bool is_terminal_ = isatty(STDERR_FILENO) == 1;
    bool is_over_ = false;
    clock::time_point started_ = clock::now();
    clock::time_point last_ = started_;
};

// True when it was over before somebody lost patience.
template <class Waiting>
bool wait_with_progress(Waiting is_over, progress& shown) {
    std::optional<clock::time_point> give_up;
    while (!is_over()) {
        shown.show();
        if (cli::caught_signal() != 0 && !give_up) {
            give_up = clock::now() + drain_timeout;
            fmt::print(stderr, "\ntools/demo: stopping; what is under way has {} s\n", drain_timeout.count());
        }
        if (give_up && clock::now() >= *give_up) return false;
    }
    return true;
}

double ms(std::uint32_t us) {
    return static_cast<double>(us) / 1000;
}

void print_summary(const journal& sent, clock::duration took) {
    const journal::counts counts = sent.so_far();
    const double seconds = std::chrono::duration<double>(took).count();
    fmt::print("records    {} accepted, {} acknowledged, {} failed", counts.accepted, counts.acknowledged,
               counts.failed);
    if (counts.pending() > 0) fmt::print(", {} unknown", counts.pending());
    if (counts.refused > 0) fmt::print("; {} refused", counts.refused);
    fmt::print("\n");
    for (const std::string& failure : sent.first_failures()) fmt::print("           {}\n", failure);
    fmt::print("rate       {:.0f} records/s, {:.1f} MB/s ({:.1f} MB in {:.2f} s)\n",
               static_cast<double>(counts.acknowledged) / seconds,
               static_cast<double>(counts.size_bytes) / 1e6 / seconds,
               static_cast<double>(counts.size_bytes) / 1e6, seconds);
    if (const std::vector<std::uint32_t> latencies = sent.latencies_us(); !latencies.empty()) {
        const auto percentile = [&](std::size_t hundredths) {
            return ms(latencies[(latencies.size() - 1) * hundredths / 100]);
        };
        fmt::print(
            "latency    p50 {:.1f} ms, p99 {:.1f} ms, from the call of send() to the acknowledgement\n",
            percentile(50), percentile(99));
    }
}

bool print_proof(proof::verdict found) {
    fmt::print("read back  {} records in {} partitions, {} keys: ", found.stored_count, found.partition_count,
               found.key_count);
    if (found.violation_count > 0) {
        fmt::print("NOT what was sent, {} times\n", found.violation_count);
        for (const std::string& each : found.first_violations) fmt::print("           {}\n", each);
        return false;
    }
    fmt::print("equal in count and content, each key in order\n");
    if (found.unacknowledged > 0)
        fmt::print("           {} of them stored without an acknowledgement\n", found.unacknowledged);
    return true;
}

int run(settings wanted) {
    const input source(wanted.file);
    const std::size_t count = wanted.record_count == 0 ? source.size() : wanted.record_count;
    const double rounds = static_cast<double>(count) / static_cast<double>(source.size());
    const bool is_embedded = wanted.bootstrap.empty();
    if (is_embedded)
        check_memory(static_cast<std::size_t>(static_cast<double>(source.size_bytes()) * rounds));
    const auto target =
        is_embedded ? make_embedded_cluster() : make_real_cluster(wanted.bootstrap, wanted.kafka_tool);
    fmt::print("input      {}: {} {}, {} keys, {:.1f} MB{}\n", wanted.input_name, source.size(),
               source.has_stanzas() ? "package stanzas" : "lines", source.key_count(),
               static_cast<double>(source.size_bytes()) / 1e6,
               count == source.size() ? "" : fmt::format("; {} records to send", count));
    fmt::print("to         {}, {} partitions\n", target->describe(), partition_count);
    std::fflush(stdout);

    runtime loops({.shards = wanted.shard_count});
    wanted.config.bootstrap_servers = target->bootstrap();
    producer to = wait(producer::create(loops, wanted.config));
    journal sent(count);
    const clock::time_point started = clock::now();
    clock::duration took{};
    {
        progress shown(sent, count);
        std::future<void> sending = asio::co_spawn(
            *loops.loops()[0], send_all(to, target->topic(), source, count, sent), asio::use_future);
        bool is_complete =
            wait_with_progress([&] { return sending.wait_for(50ms) == std::future_status::ready; }, shown);
        if (is_complete) {
            blocking flushing(to.flush());
            is_complete = wait_with_progress([&] { return flushing.wait_for(50ms); }, shown);
        }
        took = clock::now() - started;
        // After a flush there is nothing left; what patience did not last for fails, and is told so.
        wait(to.close(0s));
        sending.get();
    }
    print_summary(sent, took);

    proof judge(source, sent);
    target->read_back(judge);
    const bool is_proven = print_proof(judge.finish());
    const journal::counts counts = sent.so_far();
    if (!is_proven) return 1;
    if (cli::caught_signal() != 0) return 128 + cli::caught_signal();
    return counts.acknowledged == count ? 0 : 1;
}

}  // namespace
}  // namespace sluice::demo

int main(int count, char** values) {
    try {
        sluice::cli::catch_signals();
        auto wanted = sluice::demo::parse(std::vector<std::string>(values + 1, values + count));
        if (wanted) return sluice::demo::run(std::move(*wanted));
        fmt::print("{}", sluice::demo::usage);
        return 0;
    } catch (const sluice::cli::usage_error& wrong) {
        fmt::print(stderr, "tools/demo: error: {}\n", wrong.text);
        return 2;
    } catch (const std::exception& wrong) {
        fmt::print(stderr, "tools/demo: error: {}\n", wrong.what());
        return 1;
    }
}
