// `sluice-sink`, as a child process, with our own producer.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>

#include "integration/cli/child_program.hpp"
#include "integration/client/client_fixture.hpp"
#include "unit/testing/differential/blocking_client.hpp"
#include "wire/api/api_versions.hpp"
#include "wire/api/produce.hpp"
#include "wire/frame.hpp"

namespace sluice::testing {
namespace {

using words = std::vector<std::string>;

// A request without a topic, which is acknowledged all the same.
wire::produce_request produce_nothing() {
    wire::produce_request made;
    made.acks = 1;
    return made;
}

class sink {
public:
    explicit sink(const words& options) : program_(options) {
        EXPECT_TRUE(program_.wait_for_output_text("\n")) << program_.error_text();
        const std::string text = program_.output();
        bootstrap_ = text.substr(0, text.find('\n'));
    }
    const std::string& bootstrap() const { return bootstrap_; }
    // Its last words.
    std::string end() {
        program_.send_signal(SIGTERM);
        EXPECT_EQ(program_.wait(), program_end{.status = 0});
        const std::string text = program_.output();
        return text.substr(text.find('\n') + 1);
    }

private:
    child_program program_;
    std::string bootstrap_;
};

TEST(SinkProgram, AcknowledgesAndCountsWhatAProducerSends) {
    constexpr int record_count = 20'000;
    sink broker({"--brokers", "2", "--topics", "orders:3", "--partitions", "5"});
    client sending(broker.bootstrap());
    for (int i = 0; i < record_count; ++i) wait(sending.to.send(record("orders", fmt::format("{:>100}", i))));
    wait(sending.to.flush());
    EXPECT_EQ(wait(sending.to.partitions_for("orders")).size(), 3u);
    EXPECT_EQ(wait(sending.to.partitions_for("others")).size(), 5u);
    std::int64_t last_offset = -1;
    for (int i = 0; i < 3; ++i) {
        record one("others", "value");
        one.partition = 4;
        last_offset = wait(sending.to.deliver(one)).offset;
    }
    EXPECT_EQ(last_offset, 2) << "offsets count up";
    wait(sending.to.close());

    const std::string said = broker.end();
    EXPECT_TRUE(has(said, fmt::format(R"("records":{},)", record_count + 3))) << said;
    EXPECT_TRUE(has(said, fmt::format(R"("topics":{{"orders":{},"others":3}}}})", record_count))) << said;
    EXPECT_TRUE(has(said, R"("errors":0,)")) << said;
}

// Ten minutes late, which no test waits for: another connection is served at once.
TEST(SinkProgram, AnswersLateWithoutHoldingUpOthers) {
    sink broker({"--delay-ms", "600000"});
    wire::writer produce, versions;
    ASSERT_FALSE(wire::write_request(produce, produce_nothing(), 9, 1, "a test"));
    ASSERT_FALSE(wire::write_request(versions, wire::api_versions_request{}, 0, 2, "a test"));
    blocking_client late(broker.bootstrap()), prompt(broker.bootstrap());

    ASSERT_TRUE(late.send(produce.gathered()));
    EXPECT_TRUE(prompt.call(versions.gathered()).has_value());
    EXPECT_TRUE(has(broker.end(), R"("requests":1,)"));
    EXPECT_FALSE(late.receive().has_value()) << "it was not answered";
}

TEST(SinkProgram, AnswersLateInOrder) {
    constexpr auto delay = std::chrono::milliseconds(20);
    sink broker({"--delay-ms", std::to_string(delay.count())});
    wire::writer requests;
    for (std::int32_t id = 0; id < 3; ++id)
        ASSERT_FALSE(wire::write_request(requests, produce_nothing(), 9, id, "a test"));
    ASSERT_FALSE(wire::write_request(requests, wire::api_versions_request{}, 0, 3, "a test"));
    blocking_client connection(broker.bootstrap());

    const auto begin = clock::now();
    ASSERT_TRUE(connection.send(requests.gathered()));
    for (std::int32_t id = 0; id < 4; ++id) {
        const auto answer = connection.receive();
        ASSERT_TRUE(answer.has_value());
        EXPECT_EQ(wire::load_big_endian<std::int32_t>(answer->data()), id);
        EXPECT_GE(clock::now() - begin, delay);
    }
}

TEST(SinkProgram, ExplainsItselfAndRefusesWhatItDoesNotKnow) {
    const program_result help = run_program({"--help"});
    EXPECT_EQ(help.end, program_end{.status = 0});
    EXPECT_TRUE(has(help.output, "usage:"));
    for (const words& bad : {words{"--no-such-option"}, words{"--port", "65536"}, words{"--topics", "orders"},
                             words{"--partitions", "0"}, words{"orders"}}) {
        const program_result refused = run_program(bad);
        EXPECT_EQ(refused.end, program_end{.status = 2}) << bad[0];
        EXPECT_TRUE(has(refused.error_text, "error: ")) << bad[0];
    }
}

}  // namespace
}  // namespace sluice::testing
