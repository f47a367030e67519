// A Boost.Asio server on a pool of threads: coroutines of any of them send, the producer has a loop of its own.
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>

#include <sluice/producer.hpp>
#include <sluice/wait.hpp>

namespace asio = boost::asio;
using asio::use_awaitable;
using asio::ip::tcp;
using namespace std::chrono_literals;

constexpr auto usage = R"(usage: pool_server PORT TOPIC BOOTSTRAP

Each line that a client sends is a record. The answer is the line's number, and where the record is stored:
"17 orders-2@4711"; or why it is not: "17 failed: ...".

    PORT         to listen on, at 127.0.0.1; 0 is any, and is told
    TOPIC        where the records go
    BOOTSTRAP    brokers of the cluster: HOST:PORT[,HOST:PORT...]

    pool_server 7000 orders localhost:9092
)";

constexpr std::size_t line_size_max = 64 * 1024;
constexpr auto as_tuple = asio::experimental::as_tuple(use_awaitable);

// Sends a line, and tells what became of it.
asio::awaitable<std::string> place(sluice::producer& producer, const sluice::topic& topic,
                                   std::string_view line) {
    try {
        // Waits for room, and for the acknowledgement; the client is not read meanwhile.
        const sluice::record_metadata placed = co_await producer.deliver({topic, line});
        co_return std::string(placed.topic.view()) + '-' + std::to_string(placed.partition) + '@' +
            std::to_string(placed.offset);
    } catch (const boost::system::system_error& failed) {
        co_return std::string("failed: ") + failed.what();
    }
}

asio::awaitable<void> serve(tcp::socket client, sluice::producer& producer, sluice::topic topic) {
    std::string text, reply;
    bool is_rest = false;  // of a line that was too long, which was answered already
    for (std::size_t number = 1;;) {
        const auto [failed, size] = co_await asio::async_read_until(
            client, asio::dynamic_buffer(text, line_size_max), '\n', as_tuple);
        const bool is_too_long = failed == asio::error::not_found;
        if (failed && !is_too_long) co_return;  // the client has gone
        if (!is_rest) {
            reply = "failed: the line is longer than " + std::to_string(line_size_max) + " bytes";
            if (!is_too_long) reply = co_await place(producer, topic, {text.data(), size - 1});
            reply = std::to_string(number++) + ' ' + reply + '\n';
            const auto [lost, sent] = co_await asio::async_write(client, asio::buffer(reply), as_tuple);
            if (lost) co_return;
        }
        is_rest = is_too_long;
        text.erase(0, is_too_long ? text.size() : size);
    }
}

// On the acceptor's strand.
asio::awaitable<void> accept_clients(tcp::acceptor& acceptor, asio::thread_pool& pool,
                                     sluice::producer& producer, sluice::topic topic) {
    for (;;) {
        // Each client on a strand of its own, so that the pool serves many at once.
        const auto strand = asio::make_strand(pool);
        tcp::socket client = co_await acceptor.async_accept(strand, use_awaitable);
        asio::co_spawn(strand, serve(std::move(client), producer, topic), asio::detached);
    }
}

void listen_on(tcp::acceptor& acceptor, int port) try {
    acceptor = {acceptor.get_executor(),
                {asio::ip::address_v4::loopback(), static_cast<std::uint16_t>(port)}};
    std::cout << "listening on port " << acceptor.local_endpoint().port() << std::endl;
} catch (const boost::system::system_error& failed) {
    throw std::runtime_error("port " + std::to_string(port) + ": " + failed.code().message());
}

int main(int count, char** arguments) try {
    const std::string_view first = count > 1 ? arguments[1] : "";
    if (first == "--help" || first == "-h") {
        std::cout << usage;
        return 0;
    }
    if (count != 4) {
        std::cerr << "pool_server: it takes three arguments (see --help)\n";
        return 2;
    }

    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, nullptr);  // in the threads to come, too: this one waits for them

    sluice::producer_config config;
    config.bootstrap_servers = arguments[3];
    config.linger = 0ms;    // a client waits for each answer
    sluice::runtime loops;  // one loop on a thread of its own; {.shards = 2, .pin = true} for more
    sluice::producer producer = sluice::wait(sluice::producer::create(loops, std::move(config)));

    // The coroutines of the pool use the producer and the acceptor, so they end first: the pool's threads with join(),
    // and what still waits then with the pool, which is destroyed before the producer.
    asio::thread_pool pool(4);
    tcp::acceptor acceptor(asio::make_strand(pool));
    listen_on(acceptor, std::atoi(arguments[1]));
    asio::co_spawn(acceptor.get_executor(),
                   accept_clients(acceptor, pool, producer, producer.topic(arguments[2])), asio::detached);

    int caught = 0;
    sigwait(&signals, &caught);
    asio::post(acceptor.get_executor(), asio::use_future([&] { acceptor.close(); })).get();
    sluice::wait(producer.close());  // what was accepted is delivered first
    pool.stop();
    pool.join();
} catch (const std::exception& failed) {
    std::cerr << "pool_server: " << failed.what() << '\n';
    return 1;
}
