#include "counts/send_cases.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "base/random.hpp"
#include "counts/counted_section.hpp"
#include "loop/event_loop.hpp"
#include "micro/instant_reactor.hpp"
#include "producer/create.hpp"
#include "sluice/awaitable.hpp"
#include "sluice/producer.hpp"

namespace sluice::perf {
namespace {

namespace asio = boost::asio;

constexpr std::int32_t partition_count = 12;
constexpr std::uint64_t warm_up_records = 20'000;
constexpr std::size_t value_count = 1000;

// What the cases send: values of 100 bytes, keys of 16, the same in each run.
struct load {
    load() {
        random from(1);
        for (std::size_t i = 0; i < value_count; ++i) {
            std::string& value = values.emplace_back(
                fmt::format(R"({{"order":{},"customer":{},"status":"delivered","total":{}.{:02},"note":")",
                            1'000'000'000 + i, from.below(100'000), from.below(1000), from.below(100)));
            value.resize(98, ' ');
            value += "\"}";
            keys.push_back(fmt::format("customer-{:07}", from.below(10'000'000)));
        }
    }
    record make(const topic& to, std::uint64_t number) const { return {to, values[number % value_count]}; }
    record make_with_key(const topic& to, std::uint64_t number) const {
        return {to, std::string_view(keys[number % value_count]), values[number % value_count]};
    }
    std::vector<std::string> values;
    std::vector<std::string> keys;
};

// Sends records from first to end, in a coroutine on the producer's loop. All that is referred to outlives it.
using send_records = asio::awaitable<void> (*)(producer& to, const topic& handle, const load& sent,
                                               std::uint64_t first, std::uint64_t end);

enum class extent {
    calls,  // the calls alone: the turns between them are not counted
    turns,  // until the broker has the records
};

producer_config defaults() {
    producer_config config;
    config.bootstrap_servers = "127.0.0.1:9092";
    config.seed = 1;
    return config;
}

producer_config without_answers() {
    producer_config config = defaults();
    config.acks = acks::none;  // the broker frees the memory by taking the bytes
    return config;
}

void count_sends(std::uint64_t records, extent counted, const producer_config& config, send_records send) {
    // A turn's worth: in `turns` the flush at its end closes one batch that is not full.
    const std::uint64_t round = counted == extent::calls ? 1000 : 10'000;
    const load sent;
    std::vector<instant_topic> topics{{"counted", partition_count}};
    loop on(std::make_unique<event_loop>(
        std::make_unique<instant_reactor>(std::move(topics), instant_clock::stepping,
                                          instant_answers::produce),
        logger()));
    auto body = [&]() -> asio::awaitable<void> {
        producer_config used = config;
        std::uint64_t failed_count = 0;
        used.on_delivery_error = [&failed_count](const delivery_failure& failed) {
            failed_count += failed.record_count;
        };
        std::vector<event_loop*> loops{&on.events()};  // named: g++ 12 and braced lists in co_await
        producer to = co_await create_with(std::move(loops), std::move(used), make_system_resolver);
        const topic handle = to.topic("counted");
        co_await to.send(sent.make(handle, 0));  // waits for the topic, as no record does afterwards
        for (std::uint64_t done = 0; done < warm_up_records + records;) {
            const bool is_counted = done >= warm_up_records;
            const std::uint64_t first = done;
            done = std::min(done + round, is_counted ? warm_up_records + records : warm_up_records);
            {
                std::unique_ptr<counted_section> section;
                if (is_counted) section = std::make_unique<counted_section>();
                co_await send(to, handle, sent, first, done);
                if (counted == extent::calls) section.reset();
                co_await asio::post(on.get_executor(), asio::use_awaitable);
                co_await to.flush();
            }
        }
        co_await to.close();
        if (failed_count != 0) throw std::runtime_error(fmt::format("{} records failed", failed_count));
    };
    asio::co_spawn(on, std::move(body), [](std::exception_ptr error) {
        if (error) std::rethrow_exception(error);
    });
    on.run();
}

asio::awaitable<void> try_send(producer& to, const topic& handle, const load& sent, std::uint64_t first,
                               std::uint64_t end) {
    for (std::uint64_t i = first; i < end; ++i) {
        auto accepted = to.try_send(sent.make(handle, i));
        if (!accepted) throw std::system_error(accepted.error());
        keep(accepted);
    }
    co_return;
}

asio::awaitable<void> try_send_with_key(producer& to, const topic& handle, const load& sent,
                                        std::uint64_t first, std::uint64_t end) {
    for (std::uint64_t i = first; i < end; ++i) {
        auto accepted = to.try_send(sent.make_with_key(handle, i));
        if (!accepted) throw std::system_error(accepted.error());
        keep(accepted);
    }
    co_return;
}

asio::awaitable<void> await_send(producer& to, const topic& handle, const load& sent, std::uint64_t first,
                                 std::uint64_t end) {
    for (std::uint64_t i = first; i < end; ++i) {
        delivery accepted = co_await to.send(sent.make(handle, i));
        keep(accepted);
    }
}

}  // namespace

void count_try_send(std::uint64_t records) {
    count_sends(records, extent::calls, without_answers(), try_send);
}
void count_co_await_send(std::uint64_t records) {
    count_sends(records, extent::calls, without_answers(), await_send);
}
void count_try_send_with_key(std::uint64_t records) {
    count_sends(records, extent::calls, without_answers(), try_send_with_key);
}
void count_full_path(std::uint64_t records) {
    count_sends(records, extent::turns, defaults(), await_send);
}
void count_full_path_acks_0(std::uint64_t records) {
    count_sends(records, extent::turns, without_answers(), await_send);
}
void count_full_path_lz4(std::uint64_t records) {
    producer_config config = defaults();
    config.compression_type = compression::lz4;
    count_sends(records, extent::turns, config, await_send);
}

}  // namespace sluice::perf
