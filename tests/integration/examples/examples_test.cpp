// The examples, as child processes, against a fake cluster: that it holds what they were given, and that they end as
// they should.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <charconv>
#include <chrono>
#include <csignal>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "integration/cli/child_program.hpp"
#include "integration/produce_watch.hpp"
#include "sluice/testing/fake_cluster_server.hpp"

namespace sluice::testing {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;
using words = std::vector<std::string>;

constexpr std::int32_t partition_count = 3;

// One of the examples, which listens by the time that this is made.
class server : public child_program {
public:
    server(const std::string& name, const words& arguments)
        : child_program(std::string(SLUICE_EXAMPLES) + "/" + name, arguments) {
        constexpr std::string_view announcement = "listening on port ";
        EXPECT_TRUE(wait_for_output_text("\n")) << error_text();
        const std::string said = output();
        EXPECT_TRUE(said.starts_with(announcement)) << said;
        const std::string_view number = std::string_view(said).substr(announcement.size());
        std::from_chars(number.data(), number.data() + number.size(), port_);
    }
    tcp::endpoint address() const { return {asio::ip::address_v4::loopback(), port_}; }
    void expect_graceful_end() {
        send_signal(SIGTERM);
        EXPECT_EQ(wait(), program_end{.status = 0}) << error_text();
    }

private:
    std::uint16_t port_ = 0;
};

struct Example : ::testing::Test {
    fake_cluster_server kafka{{.cluster = {.broker_count = 3}}};
    produce_watch requests{kafka};

    Example() {
        kafka.with_cluster([](fake_cluster& cluster) {
            EXPECT_FALSE(cluster.create_topic("orders", {.partition_count = partition_count}));
        });
    }
    std::string stored(std::int32_t partition, std::size_t offset) {
        return kafka.with_cluster([&](fake_cluster& cluster) {
            const auto all = cluster.records("orders", partition);
            return offset < all.size() ? all[offset].value.value_or("null") : "none";
        });
    }
    std::size_t stored_count() {
        return kafka.with_cluster([](fake_cluster& cluster) {
            std::size_t count = 0;
            for (std::int32_t partition = 0; partition < partition_count; ++partition)
                count += cluster.records("orders", partition).size();
            return count;
        });
    }
};

// ---- servers that take lines

struct LineServer : Example, ::testing::WithParamInterface<const char*> {
    // What is said of line 1, 2, ...
    static std::map<std::size_t, std::string> answers_to(const tcp::endpoint& server, const words& lines) {
        tcp::iostream client(server);
        for (const std::string& each : lines) client << each << '\n';
        client.flush();
        std::map<std::size_t, std::string> made;
        std::size_t number = 0;
        for (std::string text; made.size() < lines.size() && client >> number && client >> text;)
            made[number] = text;
        return made;
    }
};
INSTANTIATE_TEST_SUITE_P(, LineServer,
                         ::testing::Values("epoll_server", "uv_server", "asio_server", "pool_server"),
                         [](const auto& tested) { return std::string(tested.param); });

TEST_P(LineServer, StoresEachLineAndAnswersWhere) {
    constexpr std::size_t client_count = 4, line_count = 250;
    server program(GetParam(), {"0", "orders", kafka.bootstrap()});
    std::vector<std::thread> clients;

    for (std::size_t client = 0; client < client_count; ++client) {
        clients.emplace_back([&, client] {
            words lines;
            for (std::size_t i = 0; i < line_count; ++i)
                lines.push_back(fmt::format("client-{}-line-{}", client, i));
            const auto answers = answers_to(program.address(), lines);
            EXPECT_EQ(answers.size(), line_count);
            for (const auto& [number, place] : answers) {
                std::int32_t partition = -1;
                std::size_t offset = 0;
                EXPECT_EQ(std::sscanf(place.c_str(), "orders-%d@%zu", &partition, &offset), 2) << place;
                EXPECT_EQ(stored(partition, offset), lines.at(number - 1));
            }
        });
    }
    for (std::thread& each : clients) each.join();

    program.expect_graceful_end();
    EXPECT_EQ(stored_count(), client_count * line_count);
}

TEST_P(LineServer, OutlivesAClientThatGoesInTheMiddle) {
    requests.decide([](const request_info&) { return fate::delay(50ms); });
    server program(GetParam(), {"0", "orders", kafka.bootstrap()});
    {
        tcp::iostream impatient(program.address());
        impatient << "nobody waits for this\n" << std::flush;
        requests.wait_for_records(1);
    }

    EXPECT_EQ(answers_to(program.address(), {"and then this"}).size(), 1u);

    program.expect_graceful_end();
    EXPECT_EQ(stored_count(), 2u);
}

// ---- the gateway

struct Gateway : Example {
    // A connection, kept.
    struct connection {
        explicit connection(const tcp::endpoint& server) { socket.connect(server); }
        void ask(const std::string& target, std::string body, http::verb how = http::verb::post) {
            http::request<http::string_body> request(how, target, 11);
            request.set(http::field::host, "gateway");
            request.body() = std::move(body);
            request.prepare_payload();
            http::write(socket, request);
        }
        http::response<http::string_body> answer() {
            http::response<http::string_body> made;
            http::read(socket, buffer, made);
            return made;
        }
        asio::io_context context;
        tcp::socket socket{context};
        boost::beast::flat_buffer buffer;
    };
    struct short_answer {
        unsigned status;
        std::string body;
        friend bool operator==(const short_answer&, const short_answer&) = default;
        friend std::ostream& operator<<(std::ostream& out, const short_answer& each) {
            return out << each.status << ' ' << each.body;
        }
    };
    static short_answer ask(connection& over, const std::string& target, std::string body) {
        over.ask(target, std::move(body));
        const auto answered = over.answer();
        return {answered.result_int(), answered.body()};
    }
    words with(const words& more = {}) {
        words made{"0", "2", kafka.bootstrap()};
        made.insert(made.end(), more.begin(), more.end());
        return made;
    }
};

TEST_F(Gateway, StoresEachLineOfABodyAndAnswersWhenAllAreAcknowledged) {
    server program("http_gateway", with());
    std::vector<std::thread> clients;
    for (int client = 0; client < 8; ++client) {
        clients.emplace_back([&, client] {
            connection over(program.address());
            for (int i = 0; i < 20; ++i) {
                const std::string body =
                    fmt::format("client {} request {} a\nclient {} request {} b", client, i, client, i);
                EXPECT_EQ(ask(over, "/topics/orders", body), (short_answer{200, R"({"acknowledged":2})"}));
            }
        });
    }
    for (std::thread& each : clients) each.join();

    program.expect_graceful_end();
    EXPECT_EQ(stored_count(), 8u * 20 * 2);
}

TEST_F(Gateway, SaysWhatItDoesNotTake) {
    server program("http_gateway", with({"max.request.size=200"}));
    connection over(program.address());

    EXPECT_EQ(ask(over, "/", "x").status, 404u);
    over.ask("/topics/orders", "", http::verb::get);
    EXPECT_EQ(over.answer().result_int(), 405u);
    EXPECT_EQ(
        ask(over, "/topics/orders", "small\n" + std::string(500, 'x') + "\nsmall\n"),
        (short_answer{502, R"({"acknowledged":2,"failed":[{"line":2,"error":"the record is too large"}]})"}));
    EXPECT_EQ(ask(over, "/topics/orders", ""), (short_answer{200, R"({"acknowledged":0})"}));
    asio::write(over.socket,
                asio::buffer("POST /topics/orders HTTP/1.1\r\nContent-Length: 2000000\r\n\r\n", 57));
    EXPECT_EQ(over.answer().result_int(), 413u) << "before the body comes";
    program.expect_graceful_end();
}

TEST_F(Gateway, AnswersThatItHasNoRoomWhenTheClusterIsTooSlowAndServesAgainLater) {
    // What is asked in the first seconds is never answered, and sent again after request.timeout.ms.
    const auto slow_until = std::make_shared<std::optional<clock::time_point>>();
    requests.decide([slow_until](const request_info&) {
        if (!*slow_until) *slow_until = clock::now() + 2800ms;
        return clock::now() < **slow_until ? fate::never_answer() : fate::answer();
    });
    server program("http_gateway",
                   with({"buffer.memory=65536", "batch.size=8192", "request.timeout.ms=3000"}));
    connection filling(program.address()), refused(program.address());
    std::string body;
    for (int i = 0; i < 600; ++i) body += std::string(999, 'x') + '\n';

    filling.ask("/topics/orders", body);
    requests.wait_for(1);
    std::string some = body.substr(0, 100'000);
    refused.ask("/topics/orders", some);
    const auto answered = refused.answer();

    EXPECT_EQ(answered.result_int(), 503u) << answered.body();
    EXPECT_EQ(answered[http::field::retry_after], "1");
    EXPECT_EQ(filling.answer().result_int(), 503u);
    EXPECT_EQ(ask(refused, "/topics/orders", "again"), (short_answer{200, R"({"acknowledged":1})"}));
    program.expect_graceful_end();
}

TEST_F(Gateway, AnswersWhatItHasTakenBeforeItEnds) {
    requests.decide([](const request_info&) { return fate::delay(300ms); });
    server program("http_gateway", with());
    connection over(program.address()), idle(program.address());
    over.ask("/topics/orders", "the last one");
    requests.wait_for_records(1);

    program.send_signal(SIGTERM);

    const auto answered = over.answer();
    EXPECT_EQ(answered.body(), R"({"acknowledged":1})");
    EXPECT_FALSE(answered.keep_alive());
    EXPECT_EQ(program.wait(), program_end{.status = 0});
    EXPECT_EQ(stored_count(), 1u);
}

// ---- and the rest

TEST_F(Example, CoroutinesOfAnyTypeSend) {
    child_program program(SLUICE_EXAMPLES "/coroutine_types", words{"orders", kafka.bootstrap()});

    EXPECT_EQ(program.wait(), program_end{.status = 0});
    EXPECT_EQ(program.output(), "1000 by tasks, 1000 by detached coroutines\n");
    EXPECT_EQ(stored_count(), 2000u);
}

}  // namespace
}  // namespace sluice::testing
