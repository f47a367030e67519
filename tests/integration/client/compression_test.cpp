// Compression, from the configuration to the broker's log.
#include <optional>

#include "integration/client/client_fixture.hpp"
#include "sluice/testing/fake_cluster_server.hpp"

namespace sluice::testing {
namespace {

class CompressedTopic : public ::testing::TestWithParam<compression> {};

producer_config compressing(compression type) {
    producer_config made;
    made.compression_type = type;
    return made;
}

// Its number, and then words.
std::string numbered(std::size_t number, std::size_t size) {
    std::string made = std::to_string(number) + ' ';
    while (made.size() < size) made += "and so on ";
    return made;
}

TEST_P(CompressedTopic, HasTheRecordsInOrderAndNoOtherCodec_RB_8) {
    constexpr std::size_t count = 3000;
    fake_cluster_server kafka;
    kafka.with_cluster([](fake_cluster& cluster) { EXPECT_FALSE(cluster.create_topic("t")); });
    client with(kafka.bootstrap(), compressing(GetParam()));
    for (std::size_t i = 0; i < count; ++i) {
        // Now and then one that is compressed over many turns.
        const std::string value = numbered(i, i % 500 == 499 ? 700'000 : 20 + i % 300);
        wait(with.to.send(record("t", value)));
    }

    wait(with.to.flush());

    const auto stored = kafka.with_cluster([](fake_cluster& cluster) { return cluster.records("t", 0); });
    ASSERT_EQ(stored.size(), count);
    std::size_t compressed_count = 0;
    for (std::size_t i = 0; i < count; ++i) {
        EXPECT_TRUE(stored[i].value.value_or("").starts_with(std::to_string(i) + ' ')) << i;
        compressed_count += stored[i].compression == GetParam();
        EXPECT_TRUE(stored[i].compression == GetParam() || stored[i].compression == compression::none) << i;
    }
    EXPECT_GT(compressed_count, count * 9 / 10);
    wait(with.to.close());
}

INSTANTIATE_TEST_SUITE_P(, CompressedTopic,
                         ::testing::Values(compression::gzip, compression::snappy, compression::lz4,
                                           compression::zstd),
                         [](const auto& of) { return std::string(to_string(of.param)); });

TEST(Zstd, FailsAtOnceWithKafkasErrorAtABrokerThatIsTooOld_CMP_5) {
    server_config old;
    old.cluster.profile = broker_profile::kafka_2_1();
    old.cluster.profile.offer(0, 0, 6);  // Produce
    fake_cluster_server kafka(old);
    kafka.with_cluster([](fake_cluster& cluster) { EXPECT_FALSE(cluster.create_topic("t")); });
    client with(kafka.bootstrap(), compressing(compression::zstd));
    const auto begin = clock::now();

    const ended sent = end_of(with.to.deliver(record("t", std::string(1000, 'x'))));

    EXPECT_LT(clock::now() - begin, 20s) << "not only after delivery.timeout.ms";
    EXPECT_EQ(sent.error, broker_errc::unsupported_compression_type);
    EXPECT_TRUE(has(sent.text, "too old for compression.type=zstd")) << sent.text;
    EXPECT_TRUE(has(sent.text, "version 6")) << sent.text;
    wait(with.to.close());
}

}  // namespace
}  // namespace sluice::testing
