// `sluice produce`, as a child process, against a fake cluster.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>

#include "integration/cli/child_program.hpp"
#include "integration/produce_watch.hpp"
#include "integration/resident_memory.hpp"
#include "integration/shard_count.hpp"
#include "loop/loopback.hpp"
#include "sluice/testing/fake_cluster_server.hpp"
#include "wire/api/api_versions.hpp"
#include "wire/frame.hpp"

namespace sluice::testing {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;
using words = std::vector<std::string>;

bool has(std::string_view text, std::string_view part) {
    return text.find(part) != text.npos;
}

struct Produce : ::testing::Test {
    fake_cluster_server kafka;
    produce_watch requests{kafka};

    Produce() {
        kafka.with_cluster([](fake_cluster& cluster) {
            EXPECT_FALSE(cluster.create_topic("orders"));
            EXPECT_FALSE(cluster.create_topic("small", {.max_message_bytes = 2000}));
        });
    }

    words with(const words& more = {}, const std::string& topic = "orders") const {
        words made{
            "produce", "--bootstrap", kafka.bootstrap(), "--shards", std::to_string(usual_shard_count()),
            "--topic", topic};
        made.insert(made.end(), more.begin(), more.end());
        return made;
    }
    std::vector<log_record> stored(const std::string& topic = "orders") {
        return kafka.with_cluster([&topic](fake_cluster& cluster) { return cluster.records(topic, 0); });
    }
    std::vector<std::string> values(const std::string& topic = "orders") {
        std::vector<std::string> made;
        for (const log_record& each : stored(topic)) made.push_back(each.value.value_or("null"));
        return made;
    }
};

// ---- what becomes of the input

TEST_F(Produce, MakesOneRecordOfEachLine) {
    const program_result done = run_program(with(), "first\nsecond \r\n\n\tthe last has no line end");

    EXPECT_EQ(values(), (words{"first", "second \r", "", "\tthe last has no line end"}));
    for (const log_record& each : stored()) EXPECT_EQ(each.key, std::nullopt);
    EXPECT_EQ(done.end, program_end{.status = 0});
}

TEST_F(Produce, CompressesWhenAskedTo) {
    const std::string line(2000, 'x');
    const program_result done =
        run_program(with({"-X", "compression.type=zstd", "-X", "compression.zstd.level=9"}), line + "\n");

    EXPECT_EQ(done.end, program_end{.status = 0}) << done.error_text;
    EXPECT_EQ(values(), words{line});
    EXPECT_EQ(stored().at(0).compression, compression::zstd);
}

TEST_F(Produce, MakesNothingOfNothing) {
    const program_result done = run_program(with());

    EXPECT_EQ(values(), words{});
    EXPECT_EQ(done.end, program_end{.status = 0});
    EXPECT_TRUE(has(done.error_text, "0 records: 0 acknowledged, 0 failed")) << done.error_text;
}

TEST_F(Produce, SumsUpOnStandardErrorForPeople) {
    const program_result done = run_program(with(), "a\nb\n");

    EXPECT_TRUE(done.error_text.starts_with("2 records: 2 acknowledged, 0 failed")) << done.error_text;
    EXPECT_EQ(std::ranges::count(done.error_text, '\n'), 1) << done.error_text;
}

TEST_F(Produce, SumsUpOnStandardOutputForPrograms) {
    const program_result done = run_program(with({"--quiet", "-X", "max.request.size=100"}),
                                            "first\n" + std::string(200, 'x') + "\nlast\n");

    EXPECT_TRUE(done.output.starts_with(
        R"({"records":3,"acknowledged":2,"failed":1,"unknown":0,"bytes":9,"seconds":)"))
        << done.output;
    EXPECT_EQ(std::ranges::count(done.output, '\n'), 1);
    EXPECT_FALSE(has(done.error_text, "records:")) << done.error_text;
}

TEST_F(Produce, SaysNothingWhenItIsToBeQuiet) {
    const program_result done = run_program(with({"--quiet"}), "a\nb\n");

    EXPECT_EQ(done.end, program_end{.status = 0});
    EXPECT_EQ(done.error_text, "");
}

TEST_F(Produce, SplitsLinesAtTheKeySeparator) {
    run_program(with({"--key-separator", "::"}),
                "key::value::more\nno key: here\n::empty key\nempty value::\n");

    const std::vector<log_record> records = stored();
    ASSERT_EQ(records.size(), 4u);
    EXPECT_EQ(records[0].key, "key");
    EXPECT_EQ(records[0].value, "value::more");
    EXPECT_EQ(records[1].key, std::nullopt);
    EXPECT_EQ(records[1].value, "no key: here");
    EXPECT_EQ(records[2].key, "");
    EXPECT_EQ(records[2].value, "empty key");
    EXPECT_EQ(records[3].key, "empty value");
    EXPECT_EQ(records[3].value, "");
}

TEST_F(Produce, ReadsAFile) {
    const std::string path = ::testing::TempDir() + "/lines-" + std::to_string(::getpid());
    std::ofstream(path) << "from\na file\n";

    const program_result done = run_program(with({path}));
    std::remove(path.c_str());

    EXPECT_EQ(values(), (words{"from", "a file"}));
    EXPECT_EQ(done.end, program_end{.status = 0});
}

TEST_F(Produce, HasAsManyShardsAsItIsToldTo) {
    kafka.with_cluster(
        [](fake_cluster& cluster) { EXPECT_FALSE(cluster.create_topic("spread", {.partition_count = 6})); });
    std::string input;
    for (int i = 0; i < 600; ++i) input += fmt::format("{}:{}\n", i % 60, i);

    const std::size_t shard_count = std::max<std::size_t>(usual_shard_count(), 3);
    child_program program(with({"--shards", std::to_string(shard_count), "--key-separator", ":"}, "spread"));
    EXPECT_TRUE(program.write(input));
    while (kafka.with_cluster([](fake_cluster& cluster) {
        std::int64_t stored = 0;
        for (std::int32_t partition = 0; partition < 6; ++partition)
            stored += cluster.end_offset("spread", partition);
        return stored;
    }) < 600) {}
    // Of six partitions each shard has one, as long as there are shards without.
    EXPECT_GE(kafka.connection_count(), std::min<std::size_t>(shard_count, 6))
        << "each has connections of its own";
    program.close_input();

    EXPECT_EQ(program.wait(), program_end{.status = 0});
}

TEST_F(Produce, TakesKafkasConfigurationKeys) {
    const program_result done = run_program(with({"-X", "client.id=tester", "-X", "acks=1"}), "a\n");

    EXPECT_EQ(done.end, program_end{.status = 0});
    EXPECT_EQ(values(), words{"a"});
}

// ---- failures

TEST_F(Produce, TellsTheLineAndTheReasonOfEachRecordThatFailsAndThenExitsWithOne) {
    const std::string large(3000, 'x');      // more than the topic takes
    const std::string too_large(6000, 'x');  // more than max.request.size

    const program_result done = run_program(with({"-X", "max.request.size=5000"}, "small"),
                                            "one\n" + large + "\nthree\n" + too_large + "\nfive\n");

    EXPECT_EQ(done.end, program_end{.status = 1});
    EXPECT_EQ(values("small"), (words{"one", "three", "five"}));
    EXPECT_TRUE(has(done.error_text, "line 2: ")) << done.error_text;
    EXPECT_TRUE(has(done.error_text, "line 4: a record for topic small is ")) << done.error_text;
    EXPECT_TRUE(has(done.error_text, "max.request.size (5000)")) << done.error_text;
    EXPECT_TRUE(has(done.error_text, "5 records: 3 acknowledged, 2 failed")) << done.error_text;
    for (const char* fine : {"line 1:", "line 3:", "line 5:"}) EXPECT_FALSE(has(done.error_text, fine));
}

TEST_F(Produce, SaysWhyNothingCouldBeSentWhereNobodyListens) {
    listener closed;
    const std::string address = closed.address().text();
    closed.close();

    const program_result done = run_program(
        {"produce", "--bootstrap", address, "--topic", "orders", "-X", "max.block.ms=700"}, "a\n");

    EXPECT_EQ(done.end, program_end{.status = 1});
    EXPECT_TRUE(has(done.error_text, "warning")) << done.error_text;
    EXPECT_TRUE(has(done.error_text, "line 1: Topic orders not present in metadata after "))
        << done.error_text;
    EXPECT_TRUE(has(done.error_text, "last connection error: " + address)) << done.error_text;
    EXPECT_TRUE(has(done.error_text, "errno 111")) << done.error_text;
}

TEST_F(Produce, TellsAFailureAlsoWhileTheInputIsSilent) {
    requests.decide([](const request_info&) { return fate::error(broker_errc::message_too_large); });
    child_program running(with());

    running.write("a\n");

    EXPECT_TRUE(running.wait_for_error_text("line 1: ")) << running.error_text();
    running.close_input();
    EXPECT_EQ(running.wait(), program_end{.status = 1});
}

TEST_F(Produce, AMissingFileIsNamedAndNothingIsSent) {
    const program_result done = run_program(with({"/no/such/file"}));

    EXPECT_EQ(done.end, program_end{.status = 2});
    EXPECT_TRUE(has(done.error_text, "sluice: error: /no/such/file: No such file or directory"))
        << done.error_text;
    EXPECT_EQ(values(), words{});
}

TEST_F(Produce, AnInputThatCannotBeReadIsAFailure) {
    const program_result done = run_program(with({"/"}));

    EXPECT_EQ(done.end, program_end{.status = 1});
    EXPECT_TRUE(has(done.error_text, "sluice: error: /: Is a directory")) << done.error_text;
}

// ---- the command line

struct wrong_line {
    words arguments;
    std::string_view culprit;

    friend std::ostream& operator<<(std::ostream& out, const wrong_line& each) { return out << each.culprit; }
};

struct WrongCommandLine : ::testing::TestWithParam<wrong_line> {};

TEST_P(WrongCommandLine, EndsWithTwoAndAHintThatNamesTheCulprit) {
    const program_result done = run_program(GetParam().arguments, "a\n");

    EXPECT_EQ(done.end, program_end{.status = 2});
    EXPECT_EQ(done.output, "");
    EXPECT_TRUE(has(done.error_text, GetParam().culprit)) << done.error_text;
}

const words to_orders{"produce", "--bootstrap", "127.0.0.1:1", "--topic", "orders"};
words to_orders_with(const words& more) {
    words made = to_orders;
    made.insert(made.end(), more.begin(), more.end());
    return made;
}

INSTANTIATE_TEST_SUITE_P(
    , WrongCommandLine,
    ::testing::Values(
        wrong_line{{}, "usage: sluice produce"},
        wrong_line{{"consume"}, "unknown command 'consume' (see --help)"},
        wrong_line{{"produce", "--topic", "orders"}, "--bootstrap is missing (see --help)"},
        wrong_line{{"produce", "--bootstrap", "127.0.0.1:1"}, "--topic is missing (see --help)"},
        wrong_line{to_orders_with({"--tropic", "x"}), "unknown option --tropic (see --help)"},
        wrong_line{to_orders_with({"--key-separator"}), "option --key-separator needs a value (see --help)"},
        wrong_line{to_orders_with({"--quiet=yes"}), "option --quiet takes no value"},
        wrong_line{to_orders_with({"a", "b"}), "one input only; 'b' is a second"},
        wrong_line{to_orders_with({"--drain-timeout", "soon"}),
                   "--drain-timeout: 'soon' is not a whole number"},
        wrong_line{to_orders_with({"--shards", "0"}), "--shards: '0' is not"},
        wrong_line{to_orders_with({"-X", "linger.ms"}), "-X: expected KEY=VALUE, got 'linger.ms'"},
        wrong_line{to_orders_with({"-X", "linger.ms=soon"}), "linger.ms: 'soon' is not allowed"},
        wrong_line{to_orders_with({"-X", "acks=2"}), "acks: '2' is not allowed; expected all, -1, 0 or 1"},
        wrong_line{to_orders_with({"-X", "client.rack=a"}), "client.rack: not implemented yet"},
        wrong_line{to_orders_with({"-X", "compression.type=LZ4"}), "compression.type: 'LZ4' is not allowed"},
        wrong_line{to_orders_with({"-X", "acks=0", "-X", "enable.idempotence=true"}),
                   "acks: enable.idempotence=true needs acks=all"},
        wrong_line{to_orders_with({"-X", "delivery.timeout.ms=10"}),
                   "delivery.timeout.ms: '10' is less than"},
        wrong_line{{"produce", "--bootstrap", "somewhere", "--topic", "orders"},
                   "bootstrap.servers: 'somewhere' has no port; expected host:port"}));

TEST(CommandLine, HelpIsNoError) {
    for (const words& asked : {words{"--help"}, words{"produce", "--help"}, words{"produce", "-h"}}) {
        const program_result done = run_program(asked);
        EXPECT_EQ(done.end, program_end{.status = 0});
        EXPECT_TRUE(has(done.output, "usage: sluice produce")) << done.output;
        EXPECT_EQ(done.error_text, "");
    }
}

TEST(CommandLine, VersionIsWhatBrokersAreTold) {
    listener broker;
    child_program running({"produce", "--bootstrap", broker.address().text(), "--topic", "orders"});
    running.write("a\n");
    const peer connection = broker.accept();
    const std::string prefix = connection.read(wire::frame_prefix_size);
    ASSERT_EQ(prefix.size(), wire::frame_prefix_size);
    const auto size = static_cast<std::size_t>(static_cast<unsigned char>(prefix[3]));  // a small frame
    const std::string frame = connection.read(size);

    wire::reader in(std::as_bytes(std::span(frame)));
    EXPECT_EQ(in.read_int16(), static_cast<std::int16_t>(wire::api_key::api_versions));
    const std::int16_t version = in.read_int16();
    in.read_int32();                        // correlation id
    in.read_string(wire::encoding::plain);  // client id
    in.read_int8();                         // no tagged fields
    wire::api_versions_request announced;
    ASSERT_FALSE(wire::decode(announced, version, in));
    EXPECT_EQ(run_program({"--version"}).output, std::string(announced.client_software_name) + " " +
                                                     std::string(announced.client_software_version) + "\n");
}

// ---- the pipe

TEST_F(Produce, ReadsNoFasterThanTheBrokerTakes) {
    constexpr std::size_t buffer_memory = 1 << 20;
    constexpr std::size_t piece_size = 256 << 10;
    constexpr std::size_t under_way_max = buffer_memory + (3 << 20);  // and what pipes and sockets hold
    requests.decide([](const request_info&) { return fate::delay(4ms); });
    child_program running(with({"-X", "buffer.memory=" + std::to_string(for_usual_shards(buffer_memory))}));
    std::string piece;
    while (piece.size() < piece_size) piece.append(999, 'x').append(1, '\n');

    std::size_t written = 0;
    std::size_t most_under_way = 0;
    while (written < (8u << 20)) {
        ASSERT_TRUE(running.write(piece)) << running.error_text();
        written += piece.size();
        const append_totals taken =
            kafka.with_cluster([](fake_cluster& cluster) { return cluster.totals("orders", 0); });
        const auto stored = static_cast<std::size_t>(taken.record_count) * 1000;
        most_under_way = std::max(most_under_way, written - std::min(written, stored));
    }
    running.close_input();

    EXPECT_EQ(running.wait(), program_end{.status = 0}) << running.error_text();
    EXPECT_GT(most_under_way, buffer_memory / 2) << "the pipe was to be ahead of the broker";
    EXPECT_LT(most_under_way, under_way_max);
    EXPECT_EQ(kafka.with_cluster([](fake_cluster& cluster) { return cluster.end_offset("orders", 0); }),
              static_cast<std::int64_t>(written / 1000));
}

TEST_F(Produce, NeedsLittleMemoryAlsoForMillionsOfTinyLines) {
    [[maybe_unused]] constexpr std::int64_t memory_max = 96 << 20;
    requests.decide([](const request_info&) { return fate::delay(2ms); });
    child_program running(with());
    std::string piece;
    for (int i = 0; i < 50'000; ++i) piece += "y\n";

    std::int64_t most = 0;
    for (int i = 0; i < 40; ++i) {
        ASSERT_TRUE(running.write(piece)) << running.error_text();
        most = std::max(most, memory_bytes("VmHWM:", std::to_string(running.pid())));
    }
    running.close_input();

    EXPECT_EQ(running.wait(), program_end{.status = 0}) << running.error_text();
    std::printf("[ FIGURES  ] 2000000 lines of 2 bytes: at most %lld MiB\n",
                static_cast<long long>(most >> 20));
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    EXPECT_LT(most, memory_max);
#endif
    EXPECT_EQ(kafka.with_cluster([](fake_cluster& cluster) { return cluster.end_offset("orders", 0); }),
              2'000'000);
}

// ---- the terminal

TEST_F(Produce, ShowsItsProgressOnATerminalOnly) {
    child_program on_terminal(with(), error_output::terminal);
    child_program on_pipe(with(), error_output::pipe);
    on_terminal.write("a\n");
    on_pipe.write("a\n");

    EXPECT_TRUE(on_terminal.wait_for_error_text("\r1 acknowledged, 0 failed, 0 under way"))
        << on_terminal.error_text();
    for (child_program* each : {&on_terminal, &on_pipe}) {
        each->write("b\n");
        each->close_input();
        EXPECT_EQ(each->wait(), program_end{.status = 0});
        EXPECT_TRUE(has(each->error_text(), "2 records: 2 acknowledged, 0 failed")) << each->error_text();
    }
    EXPECT_FALSE(has(on_pipe.error_text(), "\r")) << on_pipe.error_text();
    EXPECT_FALSE(has(on_pipe.error_text(), "under way")) << on_pipe.error_text();
}

// ---- signals

struct ProduceSignals : Produce, ::testing::WithParamInterface<int> {};
INSTANTIATE_TEST_SUITE_P(, ProduceSignals, ::testing::Values(SIGINT, SIGTERM), [](const auto& tested) {
    return tested.param == SIGINT ? "Interrupt" : "Terminate";
});

TEST_P(ProduceSignals, EndTheInputAndWhatIsSentIsFlushed) {
    requests.decide([](const request_info&) { return fate::answer_late(200ms); });
    child_program running(with());
    running.write("a\nb\n");
    requests.wait_for_records(2);

    running.send_signal(GetParam());

    EXPECT_EQ(running.wait(), program_end{.status = 128 + GetParam()});
    EXPECT_EQ(values(), (words{"a", "b"}));
    EXPECT_TRUE(has(running.error_text(), "2 records: 2 acknowledged, 0 failed")) << running.error_text();
}

TEST_P(ProduceSignals, AreHeardByWhicheverThreadGetsThem) {
    child_program running(with());
    running.write("a\n");
    requests.wait_for(1);

    running.send_signal_to_another_thread(GetParam());

    EXPECT_EQ(running.wait(), program_end{.status = 128 + GetParam()});
    EXPECT_TRUE(has(running.error_text(), "1 records: 1 acknowledged, 0 failed")) << running.error_text();
}

TEST_P(ProduceSignals, AreObeyedWithinTheDrainTimeoutWhenTheBrokerIsSilent) {
    requests.decide([](const request_info&) { return fate::never_answer(); });
    child_program running(with({"--drain-timeout", "1", "-X", "linger.ms=500"}));
    running.write("a\nb\n");
    requests.wait_for_records(2);
    const auto sent = clock::now();

    running.send_signal(GetParam());

    EXPECT_EQ(running.wait(), program_end{.status = 128 + GetParam()});
    EXPECT_GE(clock::now() - sent, 900ms) << "the records were to have their second";
    EXPECT_LT(clock::now() - sent, 8s);
    EXPECT_TRUE(has(running.error_text(), "line 1: not acknowledged in time; it may be stored"))
        << running.error_text();
    EXPECT_TRUE(has(running.error_text(), "2 records: 0 acknowledged, 0 failed, 2 unknown"))
        << running.error_text();
}

TEST_P(ProduceSignals, EndAWaitForAClusterThatIsNotThere) {
    listener closed;
    const std::string address = closed.address().text();
    closed.close();
    child_program running({"produce", "--bootstrap", address, "--topic", "orders"});
    running.write("a\nb\n");
    ASSERT_TRUE(running.wait_for_error_text("warning")) << running.error_text();
    const auto sent = clock::now();

    running.send_signal(GetParam());

    EXPECT_EQ(running.wait(), program_end{.status = 128 + GetParam()});
    EXPECT_LT(clock::now() - sent, 8s) << "not only after max.block.ms, which is a minute";
    EXPECT_TRUE(has(running.error_text(), "line 1: interrupted before it was accepted"))
        << running.error_text();
}

}  // namespace
}  // namespace sluice::testing
