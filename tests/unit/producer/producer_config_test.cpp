#include "sluice/producer_config.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace sluice {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

constexpr std::int64_t int_max = std::numeric_limits<std::int32_t>::max();
constexpr std::int64_t long_max = std::numeric_limits<std::int64_t>::max();

producer_config valid_config() {
    producer_config config;
    config.bootstrap_servers = "localhost:9092";
    return config;
}

// The key that validate() complains about; empty if there is none.
std::string culprit(producer_config& config) {
    const auto problem = config.validate();
    return problem ? problem->key : std::string();
}

TEST(ProducerConfig, DefaultsAreKafkasAndValid) {
    producer_config config = valid_config();

    EXPECT_EQ(culprit(config), "");

    EXPECT_EQ(config.acks, acks::all);
    EXPECT_TRUE(config.is_idempotent());
    EXPECT_EQ(config.retries, int_max);
    EXPECT_EQ(config.delivery_timeout, 120s);
    EXPECT_EQ(config.linger, 5ms);
    EXPECT_EQ(config.batch_size, 16384);
    EXPECT_EQ(config.buffer_memory, 33554432);
    EXPECT_EQ(config.max_request_size, 1048576);
    EXPECT_EQ(config.max_block, 60s);
    EXPECT_EQ(config.request_timeout, 30s);
    EXPECT_EQ(config.reconnect_backoff_max, 1s);
}

TEST(ProducerConfig, BootstrapServersAreRequired) {
    producer_config config;

    EXPECT_EQ(culprit(config), "bootstrap.servers");
}

// ---- from text

struct number_range {
    const char* key;
    std::int64_t min;
    std::int64_t max;
};

// The ranges of Kafka's definition; -1 of buffers means the system's choice.
const number_range numbers[] = {
    {"batch.size", 0, int_max},
    {"buffer.memory", 0, long_max},
    {"delivery.timeout.ms", 0, int_max},
    {"linger.ms", 0, long_max},
    {"max.block.ms", 0, long_max},
    {"max.in.flight.requests.per.connection", 1, int_max},
    {"max.request.size", 0, int_max},
    {"metadata.max.age.ms", 0, long_max},
    {"metadata.max.idle.ms", 5000, long_max},
    {"receive.buffer.bytes", -1, int_max},
    {"reconnect.backoff.max.ms", 0, long_max},
    {"reconnect.backoff.ms", 0, long_max},
    {"request.timeout.ms", 0, int_max},
    {"retries", 0, int_max},
    {"retry.backoff.max.ms", 0, long_max},
    {"retry.backoff.ms", 0, long_max},
    {"send.buffer.bytes", -1, int_max},
    {"socket.connection.setup.timeout.max.ms", 0, long_max},
    {"socket.connection.setup.timeout.ms", 0, long_max},
};

TEST(ProducerConfig, NumbersAreTakenWithinKafkasRanges) {
    for (const number_range& each : numbers) {
        producer_config config = valid_config();
        EXPECT_FALSE(config.set(each.key, std::to_string(each.min))) << each.key;
        EXPECT_FALSE(config.set(each.key, std::to_string(each.max))) << each.key;
        const auto too_small = config.set(each.key, std::to_string(each.min - 1));
        ASSERT_TRUE(too_small) << each.key;
        EXPECT_EQ(too_small->key, each.key);
        EXPECT_NE(too_small->text.find(std::to_string(each.min - 1)), std::string::npos)
            << "it names the value";
        const std::string larger = each.max == int_max ? "2147483648" : "9223372036854775808";
        EXPECT_TRUE(config.set(each.key, larger)) << each.key;
    }
}

TEST(ProducerConfig, WhatIsNoNumberIsRefused) {
    for (const number_range& each : numbers) {
        for (const char* text : {"", " ", "x", "6000x", "6000.5", "6e3", "0x10", "6000 6000", "--1"}) {
            producer_config config;
            EXPECT_TRUE(config.set(each.key, text)) << each.key << " = '" << text << "'";
        }
    }
}

TEST(ProducerConfig, BlanksAroundAValueDoNotCount) {
    producer_config config;

    EXPECT_FALSE(config.set("linger.ms", " \t 17\n"));
    EXPECT_FALSE(config.set("acks", " 1 "));

    EXPECT_EQ(config.linger, 17ms);
    EXPECT_EQ(config.acks, acks::leader);
}

TEST(ProducerConfig, EveryKeyIsStoredInItsField) {
    producer_config config;
    const std::pair<const char*, const char*> values[] = {
        {"bootstrap.servers", "a:1,b:2"},
        {"client.id", "me"},
        {"acks", "1"},
        {"enable.idempotence", "false"},
        {"batch.size", "101"},
        {"buffer.memory", "102"},
        {"delivery.timeout.ms", "103"},
        {"linger.ms", "104"},
        {"max.block.ms", "105"},
        {"max.in.flight.requests.per.connection", "106"},
        {"max.request.size", "107"},
        {"metadata.max.age.ms", "108"},
        {"metadata.max.idle.ms", "5109"},
        {"receive.buffer.bytes", "110"},
        {"reconnect.backoff.max.ms", "111"},
        {"reconnect.backoff.ms", "112"},
        {"request.timeout.ms", "113"},
        {"retries", "114"},
        {"retry.backoff.max.ms", "115"},
        {"retry.backoff.ms", "116"},
        {"send.buffer.bytes", "117"},
        {"socket.connection.setup.timeout.max.ms", "118"},
        {"socket.connection.setup.timeout.ms", "119"},
    };
    for (const auto& [key, value] : values) EXPECT_FALSE(config.set(key, value)) << key;

    EXPECT_EQ(config.bootstrap_servers, "a:1,b:2");
    EXPECT_EQ(config.client_id, "me");
    EXPECT_EQ(config.acks, acks::leader);
    EXPECT_EQ(config.enable_idempotence, false);
    EXPECT_EQ(config.batch_size, 101);
    EXPECT_EQ(config.buffer_memory, 102);
    EXPECT_EQ(config.delivery_timeout, 103ms);
    EXPECT_EQ(config.linger, 104ms);
    EXPECT_EQ(config.max_block, 105ms);
    EXPECT_EQ(config.max_in_flight_requests_per_connection, 106);
    EXPECT_EQ(config.max_request_size, 107);
    EXPECT_EQ(config.metadata_max_age, 108ms);
    EXPECT_EQ(config.metadata_max_idle, 5109ms);
    EXPECT_EQ(config.receive_buffer, 110);
    EXPECT_EQ(config.reconnect_backoff_max, 111ms);
    EXPECT_EQ(config.reconnect_backoff, 112ms);
    EXPECT_EQ(config.request_timeout, 113ms);
    EXPECT_EQ(config.retries, 114);
    EXPECT_EQ(config.retry_backoff_max, 115ms);
    EXPECT_EQ(config.retry_backoff, 116ms);
    EXPECT_EQ(config.send_buffer, 117);
    EXPECT_EQ(config.socket_connection_setup_timeout_max, 118ms);
    EXPECT_EQ(config.socket_connection_setup_timeout, 119ms);
}

TEST(ProducerConfig, AcksAreAllOrMinusOneOrZeroOrOne) {
    const std::pair<const char*, acks> allowed[] = {
        {"all", acks::all}, {"-1", acks::all}, {"0", acks::none}, {"1", acks::leader}};
    for (const auto& [text, expected] : allowed) {
        producer_config config;
        EXPECT_FALSE(config.set("acks", text));
        EXPECT_EQ(config.acks, expected) << text;
    }
    for (const char* text : {"ALL", "2", "-2", "", "leader"}) {
        producer_config config;
        EXPECT_TRUE(config.set("acks", text)) << text;
        EXPECT_EQ(config.acks, acks::all) << "a refused value changes nothing";
    }
}

TEST(ProducerConfig, BooleansAreInAnyCase) {
    for (const char* text : {"true", "TRUE", "True"}) {
        producer_config config;
        EXPECT_FALSE(config.set("enable.idempotence", text));
        EXPECT_EQ(config.enable_idempotence, true) << text;
    }
    for (const char* text : {"yes", "1", "", "truee"}) {
        producer_config config;
        EXPECT_TRUE(config.set("enable.idempotence", text)) << text;
    }
}

TEST(ProducerConfig, TheLevelIsThatOfTheTypeInUse) {
    producer_config config;
    for (const auto& [key, value] : {std::pair{"compression.gzip.level", "1"},
                                     {"compression.lz4.level", "17"},
                                     {"compression.zstd.level", "-131072"}}) {
        ASSERT_FALSE(config.set(key, value)) << key;
    }
    const auto level_with = [&](const char* type) {
        EXPECT_FALSE(config.set("compression.type", type)) << type;
        return config.compression_level();
    };
    EXPECT_EQ(level_with("gzip"), 1);
    EXPECT_EQ(level_with("snappy"), 0);
    EXPECT_EQ(level_with("lz4"), 17);
    EXPECT_EQ(level_with("zstd"), -131072);
    EXPECT_EQ(level_with("none"), 0);
}

TEST(ProducerConfig, CompressionIsRefusedOutsideOfItsRanges) {
    for (const auto& [key, value] : {std::pair{"compression.type", "LZ4"},
                                     {"compression.type", ""},
                                     {"compression.type", "brotli"},
                                     {"compression.gzip.level", "0"},
                                     {"compression.gzip.level", "10"},
                                     {"compression.gzip.level", "x"},
                                     {"compression.gzip.level", "-2"},
                                     {"compression.lz4.level", "0"},
                                     {"compression.lz4.level", "18"},
                                     {"compression.zstd.level", "-131073"},
                                     {"compression.zstd.level", "23"}}) {
        producer_config config;
        const auto problem = config.set(key, value);
        ASSERT_TRUE(problem) << key << "=" << value;
        EXPECT_EQ(problem->key, key);
        EXPECT_NE(problem->text.find(value), std::string::npos) << problem->text;
    }
}

TEST(ProducerConfig, KeysThatAreNotImplementedAreRefusedByName) {
    for (const char* key : {"client.rack", "transactional.id", "security.protocol", "sasl.mechanism"}) {
        producer_config config;
        const auto problem = config.set(key, "anything");
        ASSERT_TRUE(problem) << key;
        EXPECT_EQ(problem->key, key);
        EXPECT_TRUE(producer_config::is_known(key));
    }
}

TEST(ProducerConfig, KeysThatNobodyKnowsChangeNothing) {
    producer_config config;

    EXPECT_FALSE(config.set("linger", "17"));
    EXPECT_FALSE(config.set("linger", "18"));

    EXPECT_EQ(config.unknown_keys, std::vector<std::string>{"linger"}) << "what create() warns about, once";
    EXPECT_FALSE(producer_config::is_known("linger"));
    EXPECT_TRUE(producer_config::is_known("linger.ms"));
    EXPECT_EQ(config.linger, 5ms);
}

// ---- fields that were set directly

TEST(ProducerConfig, FieldsAreCheckedAsKeysAre) {
    const std::pair<const char*, void (*)(producer_config&)> wrong[] = {
        {"batch.size", [](producer_config& config) { config.batch_size = -1; }},
        {"linger.ms", [](producer_config& config) { config.linger = -1ms; }},
        {"retries", [](producer_config& config) { config.retries = -1; }},
        {"max.in.flight.requests.per.connection",
         [](producer_config& config) { config.max_in_flight_requests_per_connection = 0; }},
        {"metadata.max.idle.ms", [](producer_config& config) { config.metadata_max_idle = 4999ms; }},
        {"request.timeout.ms",
         [](producer_config& config) { config.request_timeout = milliseconds(int_max + 1); }},
        {"delivery.timeout.ms", [](producer_config& config) { config.delivery_timeout = -1ms; }},
        {"reconnect.backoff.max.ms", [](producer_config& config) { config.reconnect_backoff_max = -1ms; }},
        {"send.buffer.bytes", [](producer_config& config) { config.send_buffer = -2; }},
        {"acks", [](producer_config& config) { config.acks = static_cast<acks>(2); }},
        {"buffer.memory", [](producer_config& config) { config.buffer_memory = 1023; }},
        {"compression.type",
         [](producer_config& config) { config.compression_type = static_cast<compression>(5); }},
        {"compression.gzip.level", [](producer_config& config) { config.compression_gzip_level = 0; }},
        {"compression.lz4.level", [](producer_config& config) { config.compression_lz4_level = 18; }},
        {"compression.zstd.level", [](producer_config& config) { config.compression_zstd_level = 23; }},
        {"bootstrap.servers", [](producer_config& config) { config.bootstrap_servers = "localhost"; }},
    };
    for (const auto& [key, spoil] : wrong) {
        producer_config config = valid_config();
        spoil(config);
        EXPECT_EQ(culprit(config), key);
    }
}

TEST(ProducerConfig, WaitsLongerThanALifetimeDoNotOverflow) {
    producer_config config = valid_config();
    for (const char* key : {"linger.ms", "max.block.ms", "metadata.max.age.ms", "metadata.max.idle.ms",
                            "reconnect.backoff.ms", "reconnect.backoff.max.ms", "retry.backoff.ms"}) {
        ASSERT_FALSE(config.set(key, std::to_string(long_max)));
    }

    ASSERT_EQ(culprit(config), "");

    for (const milliseconds each :
         {config.linger, config.max_block, config.metadata_max_age, config.metadata_max_idle,
          config.reconnect_backoff, *config.reconnect_backoff_max, config.retry_backoff}) {
        EXPECT_GT(each, 24h * 365);
        EXPECT_LT(each, milliseconds::max() / 1'000'000) << "fits nanoseconds, which is what the loop counts";
    }
    EXPECT_EQ(config.delivery_timeout, milliseconds(int_max)) << "the sum saturates (combination 9)";
}

// ---- combinations, by their numbers in the table

TEST(ProducerConfig, MoreThanFiveInFlightNeedIdempotenceOffByName_1) {
    producer_config silently_off = valid_config();
    silently_off.acks = acks::leader;
    silently_off.max_in_flight_requests_per_connection = 6;
    producer_config off = valid_config();
    off.enable_idempotence = false;
    off.max_in_flight_requests_per_connection = 1000;
    producer_config five = valid_config();
    five.max_in_flight_requests_per_connection = 5;

    EXPECT_EQ(culprit(silently_off), "max.in.flight.requests.per.connection");
    EXPECT_EQ(culprit(off), "");
    EXPECT_EQ(culprit(five), "");
}

TEST(ProducerConfig, IdempotenceByNameNeedsRetriesAndAllAcks_2_3) {
    for (const acks each : {acks::none, acks::leader}) {
        producer_config config = valid_config();
        config.enable_idempotence = true;
        config.acks = each;
        EXPECT_EQ(culprit(config), "acks");
    }
    producer_config no_retries = valid_config();
    no_retries.enable_idempotence = true;
    no_retries.retries = 0;
    EXPECT_EQ(culprit(no_retries), "retries");
}

TEST(ProducerConfig, OtherwiseAcksAndRetriesSwitchIdempotenceOff_4) {
    producer_config by_acks = valid_config();
    by_acks.acks = acks::none;
    producer_config by_retries = valid_config();
    by_retries.retries = 0;

    EXPECT_EQ(culprit(by_acks), "");
    EXPECT_EQ(culprit(by_retries), "");

    EXPECT_FALSE(by_acks.is_idempotent());
    EXPECT_FALSE(by_retries.is_idempotent());
}

TEST(ProducerConfig, TheDeliveryTimeOutHoldsLingerAndOneRequest_8) {
    producer_config config = valid_config();
    config.linger = 10ms;
    config.request_timeout = 1000ms;
    config.delivery_timeout = 1009ms;
    EXPECT_EQ(culprit(config), "delivery.timeout.ms");

    config.delivery_timeout = 1010ms;

    EXPECT_EQ(culprit(config), "");
}

TEST(ProducerConfig, TheLargestDeliveryTimeOutHoldsEverything_8) {
    producer_config config = valid_config();
    config.linger = milliseconds(int_max);
    config.delivery_timeout = milliseconds(int_max);

    EXPECT_EQ(culprit(config), "") << "the sum saturates";
}

TEST(ProducerConfig, ADeliveryTimeOutThatWasNotSetGrowsToHoldThem_9) {
    producer_config config = valid_config();
    config.linger = 10ms;
    config.request_timeout = 300s;

    EXPECT_EQ(culprit(config), "");

    EXPECT_EQ(config.delivery_timeout, 300s + 10ms);
}

TEST(ProducerConfig, AReconnectBackoffAloneIsConstant_11) {
    producer_config config = valid_config();
    config.reconnect_backoff = 3000ms;
    EXPECT_EQ(culprit(config), "");
    EXPECT_EQ(config.reconnect_backoff_max, 3000ms);

    producer_config both = valid_config();
    both.reconnect_backoff = 3000ms;
    both.reconnect_backoff_max = 2000ms;
    EXPECT_EQ(culprit(both), "");
    EXPECT_EQ(both.reconnect_backoff_max, 2000ms);
}

TEST(ProducerConfig, ValidatingTwiceChangesNothingMore) {
    producer_config config = valid_config();
    config.acks = acks::leader;
    ASSERT_EQ(culprit(config), "");

    EXPECT_EQ(culprit(config), "");

    EXPECT_FALSE(config.is_idempotent());
}

}  // namespace
}  // namespace sluice
