#include "engine/partitions_query.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "engine/producer_core.hpp"
#include "unit/cluster/metadata_answer.hpp"
#include "unit/net/scripted_reactor.hpp"
#include "unit/net/scripted_resolver.hpp"
#include "wire/api/api_versions.hpp"
#include "wire/big_endian.hpp"
#include "wire/frame.hpp"

namespace sluice {
namespace {

using namespace std::chrono_literals;

constexpr std::int16_t metadata_version = 8;

producer_config config_of() {
    producer_config config;
    config.bootstrap_servers = "broker:9092";
    config.max_block = 10s;
    config.seed = 1;
    config.log = [](log_level, std::string_view) {};
    EXPECT_FALSE(config.validate());
    return config;
}

// A producer of one shard, and the other end of its only connection, which the test plays.
struct fixture {
    fixture() {
        const auto make_resolver = [this](event_loop&) {
            auto made = std::make_unique<scripted_resolver>();
            names = made.get();
            return made;
        };
        core = std::make_shared<producer_core>(config_of(), std::vector<event_loop*>{&loop}, make_resolver);
        core->start([this](error_code why, const std::string&) { is_started = !why; });
        turn();
    }
    ~fixture() {
        close();
        core.reset();
    }
    void close() {
        if (std::exchange(is_closed, true)) return;
        bool is_over = false;
        core->close(0s, [&] { is_over = true; });
        turn();
        EXPECT_TRUE(is_over);
    }

    // Turns until nothing is wanted at once; names are known.
    void turn() {
        do {
            while (loop.run_ready()) {}
        } while (answer_names());
    }
    bool answer_names() {
        if (core->current_state() == producer_core::state::closed)
            return false;  // the names have ended with the shard
        if (names == nullptr || names->asked().empty()) return false;
        names->answer({"10.0.0.1"});
        return true;
    }
    void advance(duration span) {
        io.now += span;
        turn();
    }

    void ask(std::string_view topic) {
        ask_partitions(*core, topic, [this](error_code why, shared_text text, const topic_node* known) {
            answers.push_back(
                {why, std::string(text.view()), known == nullptr ? -1 : known->partition_count()});
        });
        turn();
    }

    // The broker's side: takes the request that is being sent, and answers it.
    template <class Response>
    void reply(const Response& response, std::int16_t version) {
        io.sent.clear();
        ASSERT_NE(io.sending, nullptr);
        io.take();
        turn();
        const auto correlation_id = wire::load_big_endian<std::int32_t>(as_bytes(io.sent).data() + 8);
        wire::writer out;
        ASSERT_FALSE(wire::write_response(out, response, version, correlation_id));
        const std::vector<std::byte> frame = out.gathered();
        for (bytes left = frame; !left.empty();) {
            left = left.subspan(io.give(left));
            turn();
        }
    }
    void connect() {
        ASSERT_NE(io.connecting, nullptr);
        io.end(*io.connecting, 0);
        turn();
        wire::api_versions_response versions;
        versions.api_keys.push_back(
            {static_cast<std::int16_t>(wire::api_key::metadata), 0, metadata_version});
        reply(versions, 5);
    }

    struct told {
        error_code why;
        std::string text;
        std::int32_t partition_count;
    };
    scripted_reactor::state io;
    event_loop loop{std::make_unique<scripted_reactor>(io), logger([](log_level, std::string_view) {})};
    scripted_resolver* names = nullptr;
    std::shared_ptr<producer_core> core;
    std::vector<told> answers;
    bool is_started = false;
    bool is_closed = false;
};

TEST(PartitionsQuery, AnswersWhenTheTopicIsKnown_MDW_15) {
    fixture on;
    ASSERT_TRUE(on.is_started);
    on.ask("orders");
    EXPECT_TRUE(on.answers.empty());
    on.connect();

    on.reply(metadata_answer().topic("orders").partition(1, 0).partition(2, 0).response, metadata_version);

    ASSERT_EQ(on.answers.size(), 1u);
    EXPECT_FALSE(on.answers[0].why);
    EXPECT_EQ(on.answers[0].partition_count, 2);

    on.ask("orders");
    ASSERT_EQ(on.answers.size(), 2u) << "known by now: no wait (MDW-4)";
    EXPECT_EQ(on.answers[1].partition_count, 2);
}

TEST(PartitionsQuery, ErrorsThatNothingHealsEndTheWait_MDW_9) {
    for (const auto code : {broker_errc::topic_authorization_failed, broker_errc::invalid_topic_exception}) {
        fixture on;
        on.ask("orders");
        on.connect();

        on.reply(metadata_answer().failed_topic("orders", static_cast<std::int16_t>(code)).response,
                 metadata_version);

        ASSERT_EQ(on.answers.size(), 1u);
        EXPECT_EQ(on.answers[0].why, code);
        EXPECT_NE(on.answers[0].text.find("orders"), std::string::npos) << "it names the topic";
    }
}

TEST(PartitionsQuery, OtherErrorsEndItByTimeOnly_MDW_10_MDW_6_MDW_7) {
    fixture on;
    on.ask("orders");
    on.connect();
    on.reply(metadata_answer().failed_topic("orders", 5).response, metadata_version);
    EXPECT_TRUE(on.answers.empty());

    on.advance(10s - 1ns);
    EXPECT_TRUE(on.answers.empty());
    on.advance(1ns);

    ASSERT_EQ(on.answers.size(), 1u);
    EXPECT_EQ(on.answers[0].why, errc::metadata_timeout);
    EXPECT_EQ(on.answers[0].text.find("Topic orders not present in metadata after 10000 ms"), 0u)
        << on.answers[0].text;
    EXPECT_NE(on.answers[0].text.find(make_error_code(broker_errc::leader_not_available).message()),
              std::string::npos)
        << "and why";
}

TEST(PartitionsQuery, WithoutABrokerItEndsByTime_MDW_6) {
    fixture on;
    on.ask("orders");

    on.advance(10s);

    ASSERT_EQ(on.answers.size(), 1u);
    EXPECT_EQ(on.answers[0].why, errc::metadata_timeout);
}

TEST(PartitionsQuery, NeedsATopic) {
    fixture on;

    on.ask("");

    ASSERT_EQ(on.answers.size(), 1u);
    EXPECT_EQ(on.answers[0].why, errc::invalid_record);
}

TEST(PartitionsQuery, ClosingEndsTheWait_MDW_13) {
    fixture on;
    on.ask("orders");

    on.close();

    ASSERT_EQ(on.answers.size(), 1u);
    EXPECT_EQ(on.answers[0].why, errc::closed);

    on.ask("orders");
    ASSERT_EQ(on.answers.size(), 2u) << "at once";
    EXPECT_EQ(on.answers[1].why, errc::closed);
}

}  // namespace
}  // namespace sluice
