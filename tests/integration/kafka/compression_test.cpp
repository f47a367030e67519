// Every codec, read back by Kafka's own consumer and by kcat.
#include <gtest/gtest.h>

#include "integration/kafka/kafka_of.hpp"
#include "integration/kafka/log_check.hpp"
#include "integration/kafka/sending.hpp"
#include "integration/kafka/workload.hpp"
#include "integration/shard_count.hpp"
#include "sluice/wait.hpp"

namespace sluice::testing {
namespace {

constexpr std::size_t record_count = 50'000;
constexpr int partition_count = 6;

struct codec_case {
    const char* type;
    const char* level_key;
    const char* level;
    const char* name_in_log;
};

void expect_read_back(real_kafka& kafka, const codec_case& how, const std::string& topic) {
    static const workload all(record_count, 500, 2, workload::content::words);
    kafka.create_topic(topic, partition_count, 1);
    runtime loops({.shards = usual_shard_count()});
    producer_config config;
    config.bootstrap_servers = kafka.bootstrap();
    ASSERT_FALSE(config.set("compression.type", how.type));
    if (how.level_key != nullptr) {
        ASSERT_FALSE(config.set(how.level_key, how.level));
    }
    const auto batch_size = static_cast<std::size_t>(config.batch_size);
    producer to = wait(producer::create(loops, config));
    sending run(loops, to, all, topic);

    run.begin(0, record_count);
    run.join();
    wait(to.close());

    ASSERT_EQ(run.failed_count(), 0u) << run.first_failure();
    log_check check(all, run.receipts());
    kafka.read_back(topic, [&check](const stored_record& each) { check.read(each); });
    EXPECT_EQ(check.finish(), no_differences);

    std::size_t read_count = 0;
    std::size_t size_bytes = 0;
    kafka.read_back_with_kcat(topic, [&](const stored_record& each) {
        ++read_count;
        size_bytes += static_cast<std::size_t>(each.value_size);
    });
    std::size_t sent_bytes = 0;
    for (std::size_t i = 0; i < record_count; ++i) sent_bytes += all.value(i).size();
    EXPECT_EQ(read_count, record_count);
    EXPECT_EQ(size_bytes, sent_bytes);

    const real_kafka::stored_batches stored = kafka.batches(topic);
    // A batch of one short record may go plain.
    for (const auto& [codec, count] : stored.count_by_codec)
        EXPECT_TRUE(codec == how.name_in_log || codec == "none" || codec == "NONE") << codec;
    EXPECT_GT(stored.count_by_codec.at(how.name_in_log), 100);
    EXPECT_GT(stored.size_max, batch_size) << "of a large record";
    kafka.delete_topic(topic);
}

class OneBrokerCodecs : public kafka_of<1>, public ::testing::WithParamInterface<codec_case> {};

TEST_P(OneBrokerCodecs, EveryRecordIsReadBackByKafkaAndByKcat) {
    const codec_case& how = GetParam();
    expect_read_back(*kafka, how, std::string("codec-") + how.type + (how.level != nullptr ? how.level : ""));
}

INSTANTIATE_TEST_SUITE_P(, OneBrokerCodecs,
                         ::testing::Values(codec_case{"gzip", nullptr, nullptr, "gzip"},
                                           codec_case{"gzip", "compression.gzip.level", "9", "gzip"},
                                           codec_case{"snappy", nullptr, nullptr, "snappy"},
                                           codec_case{"lz4", nullptr, nullptr, "lz4"},
                                           codec_case{"lz4", "compression.lz4.level", "12", "lz4"},
                                           codec_case{"zstd", nullptr, nullptr, "zstd"},
                                           codec_case{"zstd", "compression.zstd.level", "9", "zstd"},
                                           codec_case{"zstd", "compression.zstd.level", "-5", "zstd"}));

}  // namespace
}  // namespace sluice::testing
