// many_partitions: what partitions cost that are merely there: CPU per record of the few that are in use, and memory of an
// idle one.
#include <fmt/format.h>
#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <cstdio>
#include <ctime>
#include <exception>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "cli/options.hpp"
#include "loop/event_loop.hpp"
#include "micro/instant_reactor.hpp"
#include "producer/create.hpp"
#include "sluice/awaitable.hpp"
#include "sluice/producer.hpp"

namespace {

namespace asio = boost::asio;
using namespace sluice;
using namespace sluice::perf;

constexpr const char* usage =
    R"(What partitions cost that are merely there, on one shard, against a broker inside the program that takes all at once (acks=0).

usage: many_partitions [options]
  --partitions N[,..]   a case each (1,100,10000,100000)
  --active N            partitions in use, of the topic with many and of the one with few (12)
  --records N           for one measurement (100000)
  --repeat N            measurements of each topic, in turn (15)
  -h, --help

Each case has a process of its own. It sends to a topic with --active partitions, then one record to each of the N partitions of
another topic (3 replicas each); what memory grows by when all is idle again is theirs. Then it sends records of 100 bytes to the first
topic and to as many partitions of the second, in turn, 1,000 in a turn of the loop, partitions named in turn, and takes the thread's
CPU time, turns included. One line of JSON on stdout for each case: medians in ns; `ratio` is the median of the ratios of neighbours,
`ratio_min` and `ratio_max` the least and the most. Bytes per partition: `heap` is what malloc has given out, of it `heap_of_metadata` before the
first record of each, `heap_of_queue` after; `resident` is what the kernel counts.
)";

struct settings {
    std::vector<std::int32_t> partitions{1, 100, 10'000, 100'000};
    std::int32_t active = 12;
    std::uint64_t records = 100'000;
    std::size_t repeat = 15;
    bool help = false;
};

settings parse(const std::vector<std::string>& arguments) {
    using cli::number;
    settings made;
    cli::options known;
    known.flag("--help", [&] { made.help = true; });
    known.flag("-h", [&] { made.help = true; });
    known.value("--partitions", [&](std::string_view text) {
        made.partitions.clear();
        for (;;) {
            const std::size_t comma = text.find(',');
            made.partitions.push_back(
                static_cast<std::int32_t>(number("--partitions", text.substr(0, comma), 1, 1'000'000)));
            if (comma == std::string_view::npos) return;
            text.remove_prefix(comma + 1);
        }
    });
    known.value("--active", [&](std::string_view text) {
        made.active = static_cast<std::int32_t>(number("--active", text, 1, 100'000));
    });
    known.value("--records", [&](std::string_view text) {
        made.records = static_cast<std::uint64_t>(number("--records", text, 1000, 1'000'000'000));
    });
    known.value("--repeat", [&](std::string_view text) {
        made.repeat = static_cast<std::size_t>(number("--repeat", text, 1, 10'000));
    });
    if (const auto rest = known.parse(arguments); !rest.empty())
        throw cli::usage_error{fmt::format("'{}' is no option (see --help)", rest.front())};
    return made;
}

double cpu_ns() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

struct memory_in_use {
    double resident = 0;
    double heap = 0;

    static memory_in_use now() {
        malloc_trim(0);  // what was freed is not in use
        memory_in_use made;
        const struct mallinfo2 of = mallinfo2();
        made.heap = static_cast<double>(of.uordblks) + static_cast<double>(of.hblkhd);
        std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen("/proc/self/statm", "r"),
                                                             std::fclose);
        unsigned long pages = 0;
        if (!file || std::fscanf(file.get(), "%*u %lu", &pages) != 1)
            throw std::system_error(errno, std::generic_category(), "/proc/self/statm");
        made.resident = static_cast<double>(pages) * static_cast<double>(::sysconf(_SC_PAGESIZE));
        return made;
    }
};

double median(std::vector<double> of) {
    std::sort(of.begin(), of.end());
    const std::size_t half = of.size() / 2;
    return of.size() % 2 == 1 ? of[half] : (of[half - 1] + of[half]) / 2;
}

constexpr std::uint64_t sends_per_turn = 1000;

class many_partitions {
public:
    many_partitions(const settings& asked, std::int32_t partitions)
        : asked_(asked), partitions_(partitions), active_(std::min(asked.active, partitions)) {
        std::vector<instant_topic> topics{{"few", asked.active, 3}, {"many", partitions, 3}};
        on_ = std::make_unique<loop>(
            std::make_unique<event_loop>(std::make_unique<instant_reactor>(std::move(topics)), logger()));
    }

    void run() {
        asio::co_spawn(*on_, measure(), [](std::exception_ptr error) {
            if (error) std::rethrow_exception(error);
        });
        on_->run();
    }

private:
    asio::awaitable<void> measure() {
        producer_config config;
        config.bootstrap_servers = "127.0.0.1:9092";
        config.acks = acks::none;  // the instant broker frees the memory by taking the bytes
        config.seed = 1;
        std::vector<event_loop*> loops{&on_->events()};  // named: g++ 12 and braced lists in co_await
        to_ = co_await create_with(std::move(loops), std::move(config), make_system_resolver);
        few_ = to_.topic("few");
        many_ = to_.topic("many");

        // What batches and requests need is kept for the next ones: it is there before the partitions are looked at.
        co_await send_few();
        const memory_in_use before = memory_in_use::now();
        co_await send_one(&many_, 0);
        co_await to_.flush();
        const memory_in_use known = memory_in_use::now();
        for (std::int32_t i = 1; i < partitions_; ++i) {
            co_await send_one(&many_, i);
            if (i % asked_.active == 0) co_await to_.flush();
        }
        co_await to_.flush();
        const memory_in_use used = memory_in_use::now();

        co_await send_many();
        std::vector<double> few;
        std::vector<double> many;
        std::vector<double> ratios;
        for (std::size_t i = 0; i < asked_.repeat; ++i) {
            few.push_back(co_await send_few());
            many.push_back(co_await send_many());
            ratios.push_back(many.back() / few.back());
        }
        co_await to_.close();

        const auto each = [&](double bytes) { return bytes / partitions_; };
        fmt::print(
            R"({{"partitions": {}, "active": {}, "records": {}, "repeat": {}, "few_cpu_ns": {:.1f}, "many_cpu_ns": {:.1f}, )"
            R"("ratio": {:.3f}, "ratio_min": {:.3f}, "ratio_max": {:.3f}, "resident": {:.1f}, "heap": {:.1f}, )"
            R"("heap_of_metadata": {:.1f}, "heap_of_queue": {:.1f}}})"
            "\n",
            partitions_, active_, asked_.records, asked_.repeat, median(few), median(many), median(ratios),
            *std::min_element(ratios.begin(), ratios.end()), *std::max_element(ratios.begin(), ratios.end()),
            each(used.resident - before.resident), each(used.heap - before.heap),
            each(known.heap - before.heap), each(used.heap - known.heap));
        std::fflush(stdout);
    }

    asio::awaitable<void> send_one(const topic* handle, std::int32_t partition) {
        record sent(*handle, value_);
        sent.partition = partition;
        co_await to_.send(sent);
    }

    asio::awaitable<double> send_few() { return send_all(&few_, asked_.active, 1); }
    // To partitions that lie far from each other.
    asio::awaitable<double> send_many() { return send_all(&many_, active_, partitions_ / active_); }

    // CPU ns per record until the broker has them all.
    asio::awaitable<double> send_all(const topic* handle, std::int32_t count, std::int32_t distance) {
        const double started = cpu_ns();
        record sent(*handle, value_);
        std::int32_t next = 0;
        for (std::uint64_t i = 0; i < asked_.records; ++i) {
            sent.partition = next * distance;
            if (++next == count) next = 0;
            co_await to_.send(sent);
            if ((i + 1) % sends_per_turn == 0) co_await asio::post(on_->get_executor(), asio::use_awaitable);
        }
        co_await to_.flush();
        co_return (cpu_ns() - started) / static_cast<double>(asked_.records);
    }

    settings asked_;
    std::int32_t partitions_;
    std::int32_t active_;
    std::string value_ = std::string(100, 'v');
    std::unique_ptr<loop> on_;
    producer to_;
    topic few_;
    topic many_;
};

// In a child process: what an earlier case freed would serve the next one.
void run_case(const settings& asked, std::int32_t partitions) {
    const pid_t child = ::fork();
    if (child < 0) throw std::system_error(errno, std::generic_category(), "fork");
    if (child == 0) {
        int status = 1;
        try {
            many_partitions of(asked, partitions);
            of.run();
            status = 0;
        } catch (const std::exception& failed) {
            fmt::print(stderr, "many_partitions: {} partitions: {}\n", partitions, failed.what());
        }
        ::_exit(status);
    }
    int status = 0;
    if (::waitpid(child, &status, 0) != child)
        throw std::system_error(errno, std::generic_category(), "waitpid");
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        throw std::runtime_error(fmt::format("the case with {} partitions failed", partitions));
}

}  // namespace

int main(int count, char** values) {
    try {
        const settings asked = parse(std::vector<std::string>(values + 1, values + count));
        if (asked.help) {
            fmt::print("{}", usage);
            return 0;
        }
        for (const std::int32_t partitions : asked.partitions) run_case(asked, partitions);
        return 0;
    } catch (const cli::usage_error& wrong) {
        fmt::print(stderr, "many_partitions: {}\n", wrong.text);
        return 2;
    } catch (const std::exception& failed) {
        fmt::print(stderr, "many_partitions: {}\n", failed.what());
        return 1;
    }
}
