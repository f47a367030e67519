// A Boost.Asio server on a pool of threads: coroutines of any of them send, the producer has a loop of its own.
//
//   pool_server PORT TOPIC BOOTSTRAP      each line that it is sent is a record; it answers with the line's number, and
//                                         where the record is stored: "17 orders-2@4711"
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <string>

#include <sluice/producer.hpp>

namespace asio = boost::asio;
using asio::use_awaitable;
using asio::ip::tcp;
using namespace std::chrono_literals;

std::string answer(std::size_t number, const sluice::record_metadata& placed) {
    return std::to_string(number) + ' ' + std::string(placed.topic.view()) + '-' +
           std::to_string(placed.partition) + '@' + std::to_string(placed.offset) + '\n';
}

asio::awaitable<void> serve(tcp::socket client, sluice::producer& producer, sluice::topic topic) {
    std::string text, reply;
    try {
        for (std::size_t number = 1;; ++number) {
            const std::size_t size = co_await asio::async_read_until(
                client, asio::dynamic_buffer(text, 1 << 20), '\n', use_awaitable);
            const std::string_view line(text.data(), size - 1);
            try {
                // Waits for room, and for the acknowledgement; the client is not read meanwhile.
                reply = answer(number, co_await producer.deliver({topic, line}));
            } catch (const boost::system::system_error& failed) {
                reply = std::to_string(number) + " failed: " + failed.code().message() + '\n';
            }
            text.erase(0, size);
            co_await asio::async_write(client, asio::buffer(reply), use_awaitable);
        }
    } catch (const boost::system::system_error&) {
        // The client has gone.
    }
}

asio::awaitable<void> accept_clients(tcp::acceptor& acceptor, sluice::producer& producer,
                                     sluice::topic topic) {
    for (;;) {
        // Each client on a strand of its own, so that the pool serves many at once.
        const auto strand = asio::make_strand(acceptor.get_executor());
        tcp::socket client = co_await acceptor.async_accept(strand, use_awaitable);
        asio::co_spawn(strand, serve(std::move(client), producer, topic), asio::detached);
    }
}

asio::awaitable<void> run(asio::thread_pool& pool, sluice::runtime& loops, char** arguments) {
    sluice::producer_config config;
    config.bootstrap_servers = arguments[3];
    config.linger = 0ms;  // a client waits for each answer
    sluice::producer producer = co_await sluice::producer::create(loops, std::move(config));

    const auto port = static_cast<std::uint16_t>(std::atoi(arguments[1]));
    tcp::acceptor acceptor(pool, {asio::ip::address_v4::loopback(), port});
    std::cout << "listening on port " << acceptor.local_endpoint().port() << std::endl;
    asio::co_spawn(pool, accept_clients(acceptor, producer, producer.topic(arguments[2])), asio::detached);

    asio::signal_set signals(pool, SIGINT, SIGTERM);
    co_await signals.async_wait(use_awaitable);
    acceptor.close();
    co_await producer.close();  // what was accepted is delivered first
    pool.stop();
}

int main(int count, char** arguments) {
    if (count != 4) {
        std::cerr << "usage: pool_server PORT TOPIC BOOTSTRAP\n";
        return 2;
    }
    sluice::runtime loops;  // one loop on a thread of its own; {.shards = 2, .pin = true} for more
    asio::thread_pool pool(4);
    asio::co_spawn(pool, run(pool, loops, arguments), [](std::exception_ptr failed) {
        if (failed) std::rethrow_exception(failed);
    });
    pool.join();
}
