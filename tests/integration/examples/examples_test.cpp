// The examples, as child processes, against a fake cluster: that it holds what they were given, and that they end as
// they should.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <atomic>
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
#include <sstream>
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

// The clients go on until the server is gone, also when it has begun to refuse their lines.
TEST_P(LineServer, EndsUnderLoadAndHasStoredWhatItAnswered) {
    constexpr int client_count = 8, lines_at_once = 50;
    std::string lines;
    for (int i = 0; i < lines_at_once; ++i) lines += "one more\n";
    for (int round = 1; round <= 5; ++round) {
        const std::size_t stored_before = stored_count();
        server program(GetParam(), {"0", "orders", kafka.bootstrap()});
        std::atomic<std::size_t> placed_count = 0;
        std::vector<std::thread> clients;
        for (int client = 0; client < client_count; ++client) {
            clients.emplace_back([&] {
                tcp::iostream to(program.address());
                for (std::string answer; to << lines << std::flush;) {
                    for (int i = 0; i < lines_at_once && std::getline(to, answer); ++i)
                        if (answer.find(" orders-") != answer.npos) ++placed_count;
                }
            });
        }
        requests.wait_for_records(static_cast<std::int64_t>(stored_before) + 500);

        program.expect_graceful_end();

        for (std::thread& each : clients) each.join();
        EXPECT_GE(stored_count() - stored_before, placed_count);
        EXPECT_GT(placed_count, 0u);
    }
}

// Answers that fill the connection's buffers many times over.
TEST_P(LineServer, AnswersEachLineOfAClientThatReadsLateAndReadsNoFurtherMeanwhile) {
    constexpr std::size_t line_count = 8000;
    const std::string topic(249, 't');
    kafka.with_cluster([&](fake_cluster& cluster) { EXPECT_FALSE(cluster.create_topic(topic)); });
    const auto stored = [&] {
        return kafka.with_cluster([&](fake_cluster& cluster) { return cluster.end_offset(topic, 0); });
    };
    server program(GetParam(), {"0", topic, kafka.bootstrap()});
    asio::io_context context;
    tcp::socket client(context);
    client.open(tcp::v4());
    client.set_option(asio::socket_base::receive_buffer_size(4096));
    const int segment_size = 536;  // small buffers at the other end, too
    EXPECT_EQ(setsockopt(client.native_handle(), IPPROTO_TCP, TCP_MAXSEG, &segment_size, sizeof segment_size),
              0);
    client.connect(program.address());

    std::thread writing([&] {
        std::string lines;
        for (std::size_t i = 0; i < line_count; ++i) lines += "x\n";
        asio::write(client, asio::buffer(lines));
    });
    std::int64_t before = -1, seen = 0;
    for (seen = stored(); seen == 0 || seen != before; seen = stored()) {
        before = seen;
        std::this_thread::sleep_for(500ms);
    }
    EXPECT_LT(seen, static_cast<std::int64_t>(line_count)) << "it goes on though nobody reads its answers";
    const timeval patience{.tv_sec = 20, .tv_usec = 0};  // a lost answer never comes
    setsockopt(client.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    std::vector<bool> is_answered(line_count + 1);
    std::string answers;
    for (std::size_t count = 0; count < line_count;) {
        char bytes[16 * 1024];
        const ssize_t size = ::recv(client.native_handle(), bytes, sizeof bytes, 0);
        if (size <= 0) break;
        answers.append(bytes, static_cast<std::size_t>(size));
        count += static_cast<std::size_t>(std::count(bytes, bytes + size, '\n'));
    }
    writing.join();

    std::istringstream lines(answers);
    std::size_t number = 0;
    for (std::string place; lines >> number >> place;) {
        EXPECT_TRUE(place.starts_with(topic + "-0@")) << place;
        if (number <= line_count) is_answered[number] = true;
    }
    EXPECT_EQ(std::count(is_answered.begin() + 1, is_answered.end(), true),
              static_cast<std::ptrdiff_t>(line_count));
    program.expect_graceful_end();
}

TEST_P(LineServer, RefusesALineThatDoesNotEndAndServesTheNextOne) {
    server program(GetParam(), {"0", "orders", kafka.bootstrap()});
    tcp::iostream client(program.address());
    const std::string piece(10'000, 'x');
    std::string refusal, next;

    client << "short\n" << piece << std::flush;
    for (int i = 0; i < 50; ++i) client << piece;
    client.flush();
    std::string first;
    std::getline(client, first);
    client.expires_after(30s);
    std::getline(client, refusal);
    client << piece << "\nand on\n" << std::flush;
    std::getline(client, next);

    EXPECT_TRUE(first.starts_with("1 orders-")) << first;
    EXPECT_EQ(refusal, "2 failed: the line is longer than 65536 bytes");
    EXPECT_TRUE(next.starts_with("3 orders-")) << next;
    program.expect_graceful_end();
    EXPECT_EQ(stored_count(), 2u);
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

// ---- what goes wrong at the start: one line, and status 1

struct NoStart : Example, ::testing::WithParamInterface<const char*> {
    words arguments(const std::string& port, const std::string& bootstrap) const {
        const std::string_view name = GetParam();
        if (name == "coroutine_types") return {"orders", bootstrap};
        return {port, name == "http_gateway" ? "2" : "orders", bootstrap};
    }
    // What the program says before it ends.
    std::string refusal(const words& arguments) const {
        child_program program(std::string(SLUICE_EXAMPLES) + "/" + GetParam(), arguments);
        EXPECT_EQ(program.wait(), program_end{.status = 1}) << program.error_text();
        EXPECT_EQ(program.output(), "");
        return program.error_text();
    }
};
INSTANTIATE_TEST_SUITE_P(, NoStart,
                         ::testing::Values("epoll_server", "uv_server", "asio_server", "pool_server",
                                           "http_gateway", "coroutine_types"),
                         [](const auto& tested) { return std::string(tested.param); });

TEST_P(NoStart, NamesTheBootstrapServerThatCannotBeResolvedAndWhy) {
    const std::string no_name = std::string(70, 'x') + ".invalid:9092";  // longer than a label may be

    const std::string said = refusal(arguments("0", no_name));

    const std::string begin = fmt::format("{}: bootstrap.servers: {}: ", GetParam(), no_name);
    EXPECT_TRUE(said.starts_with(begin)) << said;
    EXPECT_GT(said.size(), begin.size() + 5) << "and why: " << said;
    EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
}

TEST_P(NoStart, NamesThePortThatIsInUse) {
    if (GetParam() == std::string_view("coroutine_types")) GTEST_SKIP() << "it listens nowhere";
    asio::io_context context;
    const tcp::acceptor taken(context, {asio::ip::address_v4::loopback(), 0});
    const std::string port = std::to_string(taken.local_endpoint().port());

    const std::string said = refusal(arguments(port, kafka.bootstrap()));

    EXPECT_TRUE(said.starts_with(fmt::format("{}: ", GetParam()))) << said;
    EXPECT_NE(said.find(port), said.npos) << said;
    EXPECT_NE(said.find("ddress already in use"), said.npos) << said;
    EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
}

// ---- and the rest

struct Help : ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(, Help,
                         ::testing::Values("epoll_server", "uv_server", "asio_server", "pool_server",
                                           "http_gateway", "coroutine_types", "sluice-demo"),
                         [](const auto& tested) {
                             std::string name = tested.param;
                             std::replace(name.begin(), name.end(), '-', '_');
                             return name;
                         });

TEST_P(Help, TellsTheArgumentsAndACommandToTry) {
    const std::string path = std::string(SLUICE_EXAMPLES) + "/" + GetParam();
    for (const char* option : {"--help", "-h"}) {
        child_program program(path, words{option});
        EXPECT_EQ(program.wait(), program_end{.status = 0});
        EXPECT_EQ(program.error_text(), "");
        const std::string said = program.output();
        EXPECT_NE(said.find(fmt::format("usage: {} ", GetParam())), said.npos) << said;
        EXPECT_NE(said.find(fmt::format("\n    {} ", GetParam())), said.npos) << "an example: " << said;
    }
}

TEST_P(Help, IsWhatAWrongCommandLineIsReferredTo) {
    child_program program(std::string(SLUICE_EXAMPLES) + "/" + GetParam(), words{"--no-such-option"});

    EXPECT_EQ(program.wait(), program_end{.status = 2});
    EXPECT_EQ(program.output(), "");
    EXPECT_NE(program.error_text().find("--help"), std::string::npos) << program.error_text();
}

TEST_F(Example, CoroutinesOfAnyTypeSend) {
    child_program program(SLUICE_EXAMPLES "/coroutine_types", words{"orders", kafka.bootstrap()});

    EXPECT_EQ(program.wait(), program_end{.status = 0});
    EXPECT_EQ(program.output(), "1000 by tasks, 1000 by detached coroutines\n");
    EXPECT_EQ(stored_count(), 2000u);
}

}  // namespace
}  // namespace sluice::testing
