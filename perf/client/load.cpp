#include "client/load.hpp"

#include <fmt/format.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <chrono>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "client/payload.hpp"
#include "client/usage_meter.hpp"
#include "sluice/loop_timer.hpp"
#include "sluice/producer.hpp"
#include "sluice/runtime.hpp"
#include "sluice/wait.hpp"

namespace sluice::perf {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

// What went wrong, from whichever thread: counted, and the first one told.
class error_count {
public:
    void add(std::uint64_t records, std::string_view text) {
        if (count_.fetch_add(records) == 0) fmt::print(stderr, "sluice-perf: {}\n", text);
    }
    std::uint64_t get() const noexcept { return count_.load(); }

private:
    std::atomic<std::uint64_t> count_{0};
};

// This thread to the so many-th core that the process may use; round and round.
void pin_to(std::size_t index) {
    cpu_set_t usable;
    if (sched_getaffinity(getpid(), sizeof usable, &usable) != 0) return;
    std::vector<int> cpus;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (CPU_ISSET(cpu, &usable)) cpus.push_back(cpu);
    }
    cpu_set_t own;
    CPU_ZERO(&own);
    CPU_SET(cpus[index % cpus.size()], &own);
    if (pthread_setaffinity_np(pthread_self(), sizeof own, &own) != 0)
        fmt::print(stderr, "sluice-perf: a thread cannot be pinned\n");
}

// One thread's part of a phase: records [next, end), and what it saw. Other threads only read `sent`.
struct alignas(64) share {
    std::uint64_t first = 0;
    std::uint64_t next = 0;
    std::uint64_t end = 0;
    std::uint64_t rate = 0;  // records/s of all shares together; 0: as fast as possible
    std::uint64_t share_count = 1;
    payload::cursor values;
    std::uint64_t next_timed = 0;  // the number of the record that is timed next
    std::atomic<std::uint64_t> sent{0};
    std::uint64_t senders = 0;  // coroutines that sent something

    // How far it may have come in the so many-th millisecond.
    std::uint64_t limit_at(std::uint64_t tick) const noexcept {
        return std::min(end, first + rate * (tick + 1) / 1000 / share_count);
    }
    void note_progress() noexcept { sent.store(next - first, std::memory_order_relaxed); }
    std::mutex latency_mutex;  // of samples: their acknowledgements may come on another thread
    log_linear_histogram latency;
};

class load {
public:
    explicit load(const settings& asked)
        : asked_(asked),
          payload_(asked.payload, asked.value_size),
          runtime_(runtime_options{asked.shards, asked.is_pinned && !asked.is_foreign,
                                   loop_options{asked.reactor, stderr_log()}}) {
        // A foreign caller has the first core, the shards those behind it.
        for (std::size_t i = 0; asked.is_pinned && asked.is_foreign && i < asked.shards; ++i)
            asio::post(*runtime_.loops()[i], [i] { pin_to(i + 1); });
        producer_config config = asked.config;
        config.on_delivery_error = [this](const delivery_failure& failed) {
            errors_.add(failed.record_count,
                        fmt::format("{} record(s) of {}-{} failed: {}", failed.record_count,
                                    failed.topic.view(), failed.partition, failed.message.view()));
        };
        producer_ = wait(producer::create(runtime_, std::move(config)));
        topic_ = producer_.topic(asked.topic);
    }

    load_result run() {
        if (asked_.warmup > 0) phase("warm-up", 0, asked_.warmup, 0);
        const std::uint64_t failed_before = errors_.get();
        const usage_meter before = usage_meter::now();
        phase("measuring", asked_.warmup, asked_.records, asked_.rate);
        const usage_meter after = usage_meter::now();
        load_result result;
        result.wall_s = std::chrono::duration<double>(after.wall - before.wall).count();
        result.cpu_s = after.cpu_s - before.cpu_s;
        wait(producer_.close());
        result.rss_mb = usage_meter::peak_rss_mb();
        result.errors = errors_.get();
        result.acknowledged = asked_.records - std::min(asked_.records, result.errors - failed_before);
        for (const std::unique_ptr<share>& each : shares_) result.latency.merge(each->latency);
        return result;
    }

private:
    // ---- one record

    // The next record of a share, and whether it is to be timed.
    record take_next(share& of, bool& is_timed) const noexcept {
        const std::uint64_t number = of.next++;
        record made(topic_, of.values.next());
        is_timed = number == of.next_timed;
        if (is_timed) of.next_timed += asked_.sample;
        if (asked_.key_size != 0) made.key = keys_.key(number);
        if (asked_.partitions > 0) {
            made.partition = static_cast<std::int32_t>(number / asked_.chunk %
                                                       static_cast<std::uint64_t>(asked_.partitions));
        }
        return made;
    }
    // The numbers go on from the warm-up to the run, whose records alone are timed.
    std::uint64_t first_timed_from(std::uint64_t number) const noexcept {
        if (asked_.sample == 0 || number < asked_.warmup) return UINT64_MAX;
        const std::uint64_t passed = (number - asked_.warmup + asked_.sample - 1) / asked_.sample;
        return asked_.warmup + passed * asked_.sample;
    }
    // Awaits the acknowledgement beside the load.
    void time(delivery accepted, clock::time_point started, share& of) {
        std::move(accepted)([this, started, &of](error_code error, const record_metadata&) {
            const auto took = clock::now() - started;
            if (error) return errors_.add(1, error.message());
            const std::lock_guard guard(of.latency_mutex);
            of.latency.add(took);
        });
    }

    // ---- on the shards' own loops

    // Sends until the share is empty, or up to `limit`.
    asio::awaitable<void> send_up_to(share* of, std::uint64_t limit) {
        while (of->next < limit) {
            bool is_timed = false;
            const record made = take_next(*of, is_timed);
            if (is_timed) {
                const auto started = clock::now();
                delivery accepted = co_await producer_.send(made);
                time(std::move(accepted), started, *of);
                continue;
            }
            if (asked_.uses_try_send) {
                if (producer_.try_send(made)) continue;
            }
            co_await producer_.send(made);
        }
        of->note_progress();
    }

    asio::awaitable<void> send_share(loop* on, share* of) {
        if (of->next < of->end) ++of->senders;
        try {
            if (of->rate == 0) {
                while (of->next < of->end) co_await send_up_to(of, std::min(of->end, of->next + 10'000));
                co_return;
            }
            loop_timer timer(*on);
            const auto started = clock::now();
            for (std::uint64_t tick = 0; of->next < of->end; ++tick) {
                co_await timer.wait_until(started + tick * 1ms, asio::use_awaitable);
                co_await send_up_to(of, of->limit_at(tick));
            }
        } catch (const std::exception& failed) {
            give_up(*of, failed);
        }
    }

    void give_up(share& of, const std::exception& why) {
        const std::uint64_t left = of.end - of.next + 1;  // with the one that failed
        of.next = of.end;
        errors_.add(left, why.what());
    }

    // ---- from a thread on no loop

    void send_all_foreign(share& of) {
        if (asked_.is_pinned) pin_to(0);
        try {
            const auto started = clock::now();
            for (std::uint64_t tick = 0; of.next < of.end; ++tick) {
                if (of.rate != 0) std::this_thread::sleep_until(started + tick * 1ms);
                const std::uint64_t limit =
                    of.rate == 0 ? std::min(of.end, of.next + 10'000) : of.limit_at(tick);
                while (of.next < limit) send_foreign(of);
                of.note_progress();
            }
        } catch (const std::exception& failed) {
            give_up(of, failed);
        }
    }

    void send_foreign(share& of) {
        bool is_timed = false;
        const record made = take_next(of, is_timed);
        const auto started = is_timed ? clock::now() : clock::time_point();
        send_operation sending = producer_.send(made);
        delivery accepted = sending.poll() ? sluice::detail::get(sending) : wait(std::move(sending));
        if (is_timed) time(std::move(accepted), started, of);
    }

    // ---- phases

    void phase(std::string_view name, std::uint64_t first, std::uint64_t records, std::uint64_t rate) {
        const std::size_t count = asked_.is_foreign ? 1 : asked_.shards;
        while (shares_.size() < count) shares_.push_back(std::make_unique<share>());
        std::vector<std::future<void>> running;
        for (std::size_t i = 0; i < count; ++i) {
            share& of = *shares_[i];
            of.first = of.next = first + records * i / count;
            of.end = first + records * (i + 1) / count;
            of.values = payload::cursor(payload_, of.first);
            of.next_timed = first_timed_from(of.first);
            of.sent = 0;
            of.senders = 0;
            of.rate = rate;
            of.share_count = count;
            if (asked_.is_foreign) {
                running.push_back(std::async(std::launch::async, [this, &of] { send_all_foreign(of); }));
                continue;
            }
            // At a rate one coroutine paces the bursts; else they take turns.
            const std::size_t coroutines = rate == 0 ? asked_.coroutines : 1;
            loop* on = runtime_.loops()[i];
            for (std::size_t c = 0; c < coroutines; ++c) {
                running.push_back(asio::co_spawn(*on, send_share(on, &of), asio::use_future));
            }
        }
        progress shown(*this, name, records);
        for (std::future<void>& each : running) {
            while (each.wait_until(shown.next()) != std::future_status::ready) shown.show();
            each.get();
        }
        blocking flushing(producer_.flush());
        while (!flushing.wait_for(1s)) shown.show();
        flushing.get();
        tell_senders(name);
    }

    void tell_senders(std::string_view name) const {
        if (asked_.is_foreign)
            return fmt::print(stderr, "{}: sent by a thread on no loop, {} shard(s)\n", name, asked_.shards);
        std::uint64_t senders = 0;
        for (const std::unique_ptr<share>& each : shares_) senders += each->senders;
        fmt::print(stderr, "{}: sent by {} coroutine(s) on {} shard(s)\n", name, senders, shares_.size());
    }

    class progress {
    public:
        progress(const load& of, std::string_view name, std::uint64_t records)
            : of_(of), name_(name), records_(records) {}
        clock::time_point next() const noexcept { return next_; }
        void show() {
            const auto now = clock::now();
            std::uint64_t sent = 0;
            for (const std::unique_ptr<share>& each : of_.shares_)
                sent += each->sent.load(std::memory_order_relaxed);
            const double seconds = std::chrono::duration<double>(now - shown_).count();
            fmt::print(stderr, "{}: {} of {} records accepted, {:.0f} records/s\n", name_, sent, records_,
                       static_cast<double>(sent - before_) / seconds);
            before_ = sent;
            shown_ = now;
            next_ = now + 1s;
        }

    private:
        const load& of_;
        std::string_view name_;
        std::uint64_t records_;
        std::uint64_t before_ = 0;
        clock::time_point shown_ = clock::now();
        clock::time_point next_ = shown_ + 1s;
    };

    const settings& asked_;
    payload payload_;
    keys keys_;
    error_count errors_;
    std::vector<std::unique_ptr<share>> shares_;
    runtime runtime_;
    producer producer_;
    topic topic_;
};

}  // namespace

load_result run_load(const settings& asked) {
    load made(asked);
    return made.run();
}

}  // namespace sluice::perf
