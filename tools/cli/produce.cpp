#include "cli/produce.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <deque>

#include "cli/line_reader.hpp"
#include "cli/options.hpp"
#include "cli/signals.hpp"
#include "sluice/producer.hpp"
#include "sluice/wait.hpp"

namespace sluice::cli {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr const char* usage =
    R"(Sends lines to a Kafka topic: one line, one record. Reads no faster than the cluster takes.

usage: sluice produce --bootstrap HOST:PORT[,..] --topic TOPIC [options] [FILE|-]

  --bootstrap LIST       brokers to start from, host:port with commas between
  --topic TOPIC          where to
  --key-separator TEXT   split each line at the first TEXT: key before, value after; a line without it has no key
  -X KEY=VALUE           a key of Kafka's producer configuration, such as -X linger.ms=20 (repeatable)
  --shards N             loops, each on a thread and with connections of its own (1)
  --drain-timeout SEC    after SIGINT or SIGTERM, how long to wait for what is sent already (10)
  --quiet                no progress, no summary on stderr; failed records are still told
  --help
  FILE                   what to read; - or nothing: standard input

Each record that fails is told on stderr with its line number and the reason. At the end one line of JSON goes to stdout:
records, acknowledged, failed, unknown, bytes, seconds, records_s. The exit status is 0 only if every record
was acknowledged; 1 if one was not, or the input could not be read; 2 for a command line that makes no sense, or a FILE
that is not there; 128 + the signal's number if one ended the input.
)";

// Deliveries that are awaited, at most: each takes half a kilobyte beside the buffer memory.
constexpr std::size_t pending_max = 50'000;

struct settings {
    producer_config config;
    std::string topic;
    std::string key_separator;
    std::string file = "-";
    std::size_t shards = 1;
    std::chrono::seconds drain_timeout{10};
    bool is_quiet = false;
    bool wants_help = false;
};

settings parse(const std::vector<std::string>& arguments) {
    settings made;
    options known;
    known.value("--bootstrap", [&](std::string_view value) { made.config.bootstrap_servers = value; });
    known.value("--topic", [&](std::string_view value) { made.topic = value; });
    known.value("--key-separator", [&](std::string_view value) { made.key_separator = value; });
    known.value("--drain-timeout", [&](std::string_view value) {
        made.drain_timeout = std::chrono::seconds(number("--drain-timeout", value, 0, 86400));
    });
    known.value("--shards", [&](std::string_view value) {
        made.shards = static_cast<std::size_t>(number("--shards", value, 1, 1024));
    });
    known.value("-X", [&](std::string_view value) {
        const std::size_t equals = value.find('=');
        if (equals == std::string_view::npos || equals == 0) {
            throw usage_error{fmt::format("option -X: expected KEY=VALUE, got '{}'", value)};
        }
        const std::string_view key = value.substr(0, equals);
        if (auto problem = made.config.set(key, value.substr(equals + 1))) {
            throw usage_error{fmt::format("{}: {}", problem->key, problem->text)};
        }
    });
    known.flag("--quiet", [&] { made.is_quiet = true; });
    known.flag("--help", [&] { made.wants_help = true; });
    known.flag("-h", [&] { made.wants_help = true; });
    const std::vector<std::string> rest = known.parse(arguments);
    if (made.wants_help) return made;
    if (rest.size() > 1) throw usage_error{fmt::format("one input only; '{}' is a second", rest[1])};
    if (!rest.empty()) made.file = rest[0];
    if (made.config.bootstrap_servers.empty()) throw usage_error{"--bootstrap is missing (see --help)"};
    if (made.topic.empty()) throw usage_error{"--topic is missing (see --help)"};
    if (auto problem = made.config.validate())
        throw usage_error{fmt::format("{}: {}", problem->key, problem->text)};
    return made;
}

// Everything that was sent and not yet heard of, and the counts.
class tally {
public:
    explicit tally(bool is_quiet)
        : shows_progress_(!is_quiet && isatty(STDERR_FILENO) == 1), is_quiet_(is_quiet) {}

    void sent(std::size_t line, std::size_t size_bytes, delivery accepted) {
        pending_.push_back({line, std::move(accepted)});
        size_bytes_ += size_bytes;
        settle();
        while (pending_.size() >= pending_max && caught_signal() == 0) {
            pollfd signalled{signal_descriptor(), POLLIN, 0};
            poll(&signalled, 1, 5);
            settle();
        }
    }
    void refused(std::size_t line, error_code why, std::string_view text) {
        ++failed_;
        tell(line, text.empty() ? why.message() : std::string(text), outcome::not_persisted);
    }
    // Takes in what is known by now.
    void settle() {
        while (!pending_.empty() && pending_.front().awaited.poll()) {
            delivery& known = pending_.front().awaited;
            if (known.error()) {
                ++failed_;
                const record_metadata placed = known.take();
                tell(pending_.front().line, std::string(known.message().view()), placed.outcome);
            } else {
                ++acknowledged_;
            }
            pending_.pop_front();
        }
        if (shows_progress_ && clock::now() - last_shown_ > 1s) show("\r");
    }
    // What never got an answer.
    void give_up() {
        settle();
        unknown_ = pending_.size();
        for (const waiting& each : pending_) {
            fmt::print(stderr, "line {}: not acknowledged in time; it may be stored\n", each.line);
        }
    }
    bool is_settled() const noexcept { return pending_.empty(); }
    bool is_all_acknowledged() const noexcept { return failed_ == 0 && unknown_ == 0 && pending_.empty(); }

    // For people on stderr, for programs on stdout.
    void summary() {
        const double seconds = std::chrono::duration<double>(clock::now() - started_).count();
        const std::size_t count = acknowledged_ + failed_ + unknown_;
        const double rate = static_cast<double>(count) / seconds;
        if (!is_quiet_) {
            if (shows_progress_) fmt::print(stderr, "\r{:80}\r", "");
            fmt::print(stderr,
                       "{} records: {} acknowledged, {} failed{}; {:.1f} MB in {:.2f} s ({:.0f} records/s)\n",
                       count, acknowledged_, failed_,
                       unknown_ == 0 ? "" : fmt::format(", {} unknown", unknown_),
                       static_cast<double>(size_bytes_) / 1e6, seconds, rate);
        }
        fmt::print(
            R"({{"records":{},"acknowledged":{},"failed":{},"unknown":{},"bytes":{},"seconds":{:.3f},"records_s":{:.0f}}})"
            "\n",
            count, acknowledged_, failed_, unknown_, size_bytes_, seconds, rate);
    }

private:
    struct waiting {
        std::size_t line;
        delivery awaited;
    };
    void tell(std::size_t line, const std::string& why, outcome what) {
        if (shows_progress_) fmt::print(stderr, "\r{:80}\r", "");
        fmt::print(stderr, "line {}: {} ({})\n", line, why, to_string(what));
    }
    void show(std::string_view start) {
        last_shown_ = clock::now();
        fmt::print(stderr, "{}{} acknowledged, {} failed, {} under way, {:.1f} MB   ", start, acknowledged_,
                   failed_, pending_.size(), static_cast<double>(size_bytes_) / 1e6);
    }

    std::deque<waiting> pending_;
    std::size_t acknowledged_ = 0;
    std::size_t failed_ = 0;
    std::size_t unknown_ = 0;
    std::size_t size_bytes_ = 0;
    bool shows_progress_;
    bool is_quiet_;
    clock::time_point started_ = clock::now();
    clock::time_point last_shown_ = started_;
};

record record_of(const topic& to, std::string_view line, std::string_view separator) {
    if (separator.empty()) return {to, line};
    const std::size_t at = line.find(separator);
    if (at == std::string_view::npos) return {to, line};
    return {to, line.substr(0, at), line.substr(at + separator.size())};
}

// Waits until the record is accepted, taking in results meanwhile; a signal ends the wait.
void send(producer& to, const record& sent, std::size_t line, tally& counts) {
    send_operation sending = to.send(sent);
    if (!sending.poll()) {
        blocking waiting(std::move(sending));
        while (!waiting.wait_for(50ms)) {
            counts.settle();
            if (caught_signal() != 0 && waiting.cancel()) {
                return counts.refused(line, errc::closed, "interrupted before it was accepted");
            }
        }
        if (const error_code why = waiting.error())
            return counts.refused(line, why, waiting.message().view());
        return counts.sent(line, sent.key.size() + sent.value.size(), waiting.get());
    }
    if (sending.error()) return counts.refused(line, sending.error(), sending.message().view());
    counts.sent(line, sent.key.size() + sent.value.size(), sending.take());
}

}  // namespace

int produce(const std::vector<std::string>& arguments) {
    settings wanted = parse(arguments);
    if (wanted.wants_help) {
        fmt::print("{}", usage);
        return 0;
    }
    int fd = STDIN_FILENO;
    if (wanted.file != "-") {
        fd = open(wanted.file.c_str(), O_RDONLY | O_CLOEXEC);
        if (fd < 0) throw usage_error{fmt::format("{}: {}", wanted.file, std::strerror(errno))};
    }
    catch_signals();
    signal(SIGPIPE, SIG_IGN);
    const std::chrono::seconds drain_timeout = wanted.drain_timeout;
    runtime loops({.shards = wanted.shards});
    producer to = wait(producer::create(loops, std::move(wanted.config)));
    const topic handle = to.topic(wanted.topic);

    tally counts(wanted.is_quiet);
    line_reader lines(fd, signal_descriptor(), [&counts] { counts.settle(); });
    std::size_t line = 0;
    while (caught_signal() == 0) {
        const auto next = lines.next();
        if (!next) break;
        ++line;
        send(to, record_of(handle, *next, wanted.key_separator), line, counts);
    }
    if (lines.error() != 0)
        fmt::print(stderr, "sluice: error: {}: {}\n", wanted.file, std::strerror(lines.error()));

    // A signal leaves what is under way a bounded time; the end of the input leaves it what delivery.timeout.ms leaves it.
    blocking flushing(to.flush());
    clock::time_point give_up = clock::time_point::max();
    while (!flushing.wait_for(50ms)) {
        counts.settle();
        if (caught_signal() != 0 && give_up == clock::time_point::max())
            give_up = clock::now() + drain_timeout;
        if (clock::now() >= give_up) break;
    }
    counts.settle();
    if (!counts.is_settled()) counts.give_up();
    wait(to.close(0s));
    counts.summary();
    if (caught_signal() != 0) return 128 + caught_signal();
    return counts.is_all_acknowledged() && lines.error() == 0 ? 0 : 1;
}

}  // namespace sluice::cli
