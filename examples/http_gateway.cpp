// An HTTP ingestion gateway, one thread per core: each thread runs a loop with its own acceptor (SO_REUSEPORT), its
// connections (Boost.Beast), and its shard of the producer.
//
// A connection is not read while its records wait for room: overload is back-pressure first, and 503 after a while.
#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/experimental/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <future>
#include <iostream>
#include <list>
#include <optional>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include <sluice/loop_stream.hpp>
#include <sluice/loop_timer.hpp>
#include <sluice/producer.hpp>
#include <sluice/wait.hpp>

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using namespace std::chrono_literals;
using request = http::request<http::string_body>;
using response = http::response<http::string_body>;

constexpr auto usage = R"(usage: http_gateway PORT CORES BOOTSTRAP [KEY=VALUE...]

POST /topics/TOPIC: each line of the body is a record. Answered when all are acknowledged: 200 {"acknowledged":N}; else
502, or 503 if there was no room for them in time, with {"acknowledged":N,"failed":[{"line":L,"error":TEXT},...]}

    PORT         to listen on, at 127.0.0.1; 0 is any, and is told
    CORES        how many threads, each with a loop and a shard of the producer
    BOOTSTRAP    brokers of the cluster: HOST:PORT[,HOST:PORT...]
    KEY=VALUE    of Kafka's producer configuration, as linger.ms=0

    http_gateway 7000 2 localhost:9092
)";

constexpr auto room_within = 2s;
constexpr std::size_t body_size_max = 1 << 20;
constexpr auto as_tuple = asio::experimental::as_tuple(asio::use_awaitable);

struct failure {
    std::size_t line;
    sluice::error_code why;
};

response answer(const request& asked, http::status status, std::string body) {
    response made(status, asked.version());
    made.set(http::field::content_type, "application/json");
    if (status == http::status::service_unavailable) made.set(http::field::retry_after, "1");
    made.keep_alive(asked.keep_alive());
    made.body() = std::move(body);
    made.prepare_payload();
    return made;
}

response answer(const request& asked, std::size_t acknowledged, const std::vector<failure>& failed) {
    std::string body = "{\"acknowledged\":" + std::to_string(acknowledged);
    bool is_overload = false;
    for (const failure& each : failed) {
        body += &each == &failed.front() ? ",\"failed\":[" : ",";
        body += "{\"line\":" + std::to_string(each.line) + ",\"error\":\"" + each.why.message() + "\"}";
        is_overload = is_overload || each.why == sluice::errc::call_timeout;
    }
    body += failed.empty() ? "}" : "]}";
    return answer(asked,
                  failed.empty() ? http::status::ok
                  : is_overload  ? http::status::service_unavailable
                                 : http::status::bad_gateway,
                  std::move(body));
}

// Takes the first line off a body.
std::string_view take_line(std::string_view& body) {
    const std::string_view line = body.substr(0, body.find('\n'));
    body.remove_prefix(std::min(body.size(), line.size() + 1));
    return line;
}

// A thread's loop, and all that lives on it. Nothing of it is ever locked.
class core {
public:
    core(sluice::loop& loop, sluice::producer& producer) : loop_(loop), producer_(producer) {}

    // At the same port as the other cores. Gives it, where 0 asked for any.
    asio::awaitable<tcp::endpoint> listen(tcp::endpoint at) {
        acceptor_.emplace(loop_, at);
        co_return acceptor_->local_endpoint();
    }
    // From any thread. It is over when end() was called, and every request that had come was answered.
    std::future<void> start() { return asio::co_spawn(loop_, run(), asio::use_future); }
    void end() {
        asio::post(loop_, [this] { stop_reading(); });
    }

private:
    struct connection {
        sluice::loop_stream client;
        bool is_idle = true;  // no byte of a request has come
    };

    asio::awaitable<void> run() {
        for (;;) {
            auto [failed, client] = co_await acceptor_->async_accept(as_tuple);
            if (is_ending_) break;
            if (!failed) asio::co_spawn(loop_, serve(std::move(client)), asio::detached);
        }
        sluice::loop_timer timer(loop_);
        while (!connections_.empty()) co_await timer.wait_for(5ms, asio::use_awaitable);
    }
    void stop_reading() {
        is_ending_ = true;
        acceptor_->close();
        for (connection& each : connections_) {
            if (each.is_idle) each.client.close();
        }
    }

    asio::awaitable<void> serve(sluice::loop_stream client) {
        const auto here = connections_.insert(connections_.end(), {std::move(client)});
        beast::flat_buffer buffer;
        while (!is_ending_) {
            http::request_parser<http::string_body> parser;
            parser.body_limit(body_size_max);
            here->is_idle = buffer.size() == 0;
            auto [failed, size] = co_await http::async_read_header(here->client, buffer, parser, as_tuple);
            here->is_idle = false;
            if (!failed) {
                std::tie(failed, size) = co_await http::async_read(here->client, buffer, parser, as_tuple);
            }
            const bool is_too_large = failed == http::error::body_limit;
            if (failed && !is_too_large) break;
            response reply = answer(parser.get(), http::status::payload_too_large, "{}");
            if (!is_too_large) reply = co_await take(parser.get());
            if (is_too_large || is_ending_) reply.keep_alive(false);
            const auto [lost, sent] = co_await http::async_write(here->client, reply, as_tuple);
            if (lost || !reply.keep_alive()) break;
        }
        connections_.erase(here);
    }

    asio::awaitable<response> take(const request& asked) {
        const std::string_view target(asked.target().data(), asked.target().size());
        if (!target.starts_with("/topics/")) co_return answer(asked, http::status::not_found, "{}");
        if (asked.method() != http::verb::post)
            co_return answer(asked, http::status::method_not_allowed, "{}");
        const std::string_view topic = target.substr(std::string_view("/topics/").size());

        const auto deadline = std::chrono::steady_clock::now() + room_within;
        std::vector<sluice::delivery> accepted;
        std::vector<failure> failed;
        for (std::string_view body = asked.body(); !body.empty();) {
            const std::string_view value = take_line(body);
            try {
                accepted.push_back(co_await producer_.send({topic, value}, deadline));
            } catch (const sluice::error& refused) {
                accepted.emplace_back();  // none
                failed.push_back({accepted.size(), refused.code()});
            }
        }
        std::size_t acknowledged = 0;
        for (std::size_t i = 0; i < accepted.size(); ++i) {
            if (accepted[i].is_empty()) continue;
            const auto [why, placed] = co_await std::move(accepted[i])(as_tuple);
            if (why) {
                failed.push_back({i + 1, why});
            } else {
                ++acknowledged;
            }
        }
        co_return answer(asked, acknowledged, failed);
    }

    sluice::loop& loop_;
    sluice::producer& producer_;
    std::optional<sluice::loop_acceptor> acceptor_;
    std::list<connection> connections_;
    bool is_ending_ = false;
};

int main(int count, char** arguments) try {
    const std::string_view first = count > 1 ? arguments[1] : "";
    if (first == "--help" || first == "-h") {
        std::cout << usage;
        return 0;
    }
    if (count < 4) {
        std::cerr << "http_gateway: it takes three arguments at least (see --help)\n";
        return 2;
    }
    sluice::producer_config config;
    config.bootstrap_servers = arguments[3];
    for (int i = 4; i < count; ++i) {
        const std::string_view option = arguments[i];
        const std::size_t equals = std::min(option.find('='), option.size());
        const std::string_view value = option.substr(std::min(equals + 1, option.size()));
        if (const auto problem = config.set(option.substr(0, equals), value)) {
            std::cerr << "http_gateway: " << problem->key << ": " << problem->text << '\n';
            return 2;
        }
    }
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, nullptr);  // in the threads to come, too: this one waits for them

    // The loops are ours, each on a thread of ours; the producer spans them all. However this ends, it ends in the
    // opposite order: no more work, so the threads end; what lived on the loops; the loops.
    std::list<sluice::loop> loops(static_cast<std::size_t>(std::max(1, std::atoi(arguments[2]))));
    sluice::producer producer;
    std::list<core> cores;
    std::vector<std::jthread> threads;
    std::vector<asio::executor_work_guard<sluice::loop::executor_type>> work;
    std::vector<sluice::loop*> all;
    for (sluice::loop& each : loops) {
        all.push_back(&each);
        work.emplace_back(each.get_executor());
        threads.emplace_back([&each] { each.run(); });
    }
    producer = sluice::wait(sluice::producer::create(all, std::move(config)));

    tcp::endpoint at(asio::ip::address_v4::loopback(), static_cast<std::uint16_t>(std::atoi(arguments[1])));
    for (sluice::loop& each : loops) {
        at = asio::co_spawn(each, cores.emplace_back(each, producer).listen(at), asio::use_future).get();
    }
    std::vector<std::future<void>> running;
    for (core& each : cores) running.push_back(each.start());
    std::cout << "listening on port " << at.port() << std::endl;

    int caught = 0;
    sigwait(&signals, &caught);
    for (core& each : cores) each.end();
    for (std::future<void>& each : running) each.get();
    sluice::wait(producer.close());
} catch (const std::exception& failed) {
    std::cerr << "http_gateway: " << failed.what() << '\n';
    return 1;
}
