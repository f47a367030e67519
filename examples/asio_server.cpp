// A Boost.Asio server of one thread, with a loop attached to its io_context: coroutines of the context send.
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>

#include <sluice/attach.hpp>
#include <sluice/producer.hpp>

namespace asio = boost::asio;
using asio::use_awaitable;
using asio::ip::tcp;
using namespace std::chrono_literals;

constexpr auto usage = R"(usage: asio_server PORT TOPIC BOOTSTRAP

Each line that a client sends is a record. The answer is the line's number, and where the record is stored:
"17 orders-2@4711"; or why it is not: "17 failed: ...".

    PORT         to listen on, at 127.0.0.1; 0 is any, and is told
    TOPIC        where the records go
    BOOTSTRAP    brokers of the cluster: HOST:PORT[,HOST:PORT...]

    asio_server 7000 orders localhost:9092
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

asio::awaitable<void> accept_clients(tcp::acceptor& acceptor, sluice::producer& producer,
                                     sluice::topic topic) {
    for (;;) {
        tcp::socket client = co_await acceptor.async_accept(use_awaitable);
        asio::co_spawn(acceptor.get_executor(), serve(std::move(client), producer, topic), asio::detached);
    }
}

void listen_on(tcp::acceptor& acceptor, int port) try {
    acceptor = {acceptor.get_executor(),
                {asio::ip::address_v4::loopback(), static_cast<std::uint16_t>(port)}};
    std::cout << "listening on port " << acceptor.local_endpoint().port() << std::endl;
} catch (const boost::system::system_error& failed) {
    throw std::runtime_error("port " + std::to_string(port) + ": " + failed.code().message());
}

// All it is given lives longer than the context, and so than the coroutines that use it.
asio::awaitable<void> run(asio::io_context& context, sluice::loop& loop, sluice::producer& producer,
                          char** arguments) {
    sluice::producer_config config;
    config.bootstrap_servers = arguments[3];
    config.linger = 0ms;  // a client waits for each answer
    producer = co_await sluice::producer::create(loop, std::move(config));

    tcp::acceptor acceptor(context);
    listen_on(acceptor, std::atoi(arguments[1]));
    asio::co_spawn(context, accept_clients(acceptor, producer, producer.topic(arguments[2])), asio::detached);

    asio::signal_set signals(context, SIGINT, SIGTERM);
    co_await signals.async_wait(use_awaitable);
    acceptor.close();
    co_await producer.close();  // what was accepted is delivered first
    context.stop();
}

int main(int count, char** arguments) try {
    const std::string_view first = count > 1 ? arguments[1] : "";
    if (first == "--help" || first == "-h") {
        std::cout << usage;
        return 0;
    }
    if (count != 4) {
        std::cerr << "asio_server: it takes three arguments (see --help)\n";
        return 2;
    }

    sluice::loop loop;
    sluice::producer producer;
    asio::io_context context(1);  // one thread, which is what a loop can be attached to
    const sluice::attachment attached = sluice::attach(context, loop);
    asio::co_spawn(context, run(context, loop, producer, arguments), [](std::exception_ptr failed) {
        if (failed) std::rethrow_exception(failed);
    });
    context.run();
} catch (const std::exception& failed) {
    std::cerr << "asio_server: " << failed.what() << '\n';
    return 1;
}
