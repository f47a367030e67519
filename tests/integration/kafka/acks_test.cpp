// Other promises than the usual one: acks 0 and 1, and acks all without idempotence, in order by one request in flight.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "integration/kafka/kafka_of.hpp"
#include "integration/kafka/log_check.hpp"
#include "integration/kafka/sending.hpp"
#include "integration/kafka/workload.hpp"
#include "integration/shard_count.hpp"
#include "sluice/wait.hpp"

namespace sluice::testing {
namespace {

constexpr std::size_t record_count = 100'000;
constexpr std::uint32_t key_count = 500;
constexpr int partition_count = 6;

class OneBrokerAcks : public kafka_of<1> {
protected:
    static const workload& records() {
        static const workload made(record_count, key_count, 3);
        return made;
    }

    static constexpr const char* probe_key = "ready?";

    // A broker may know of a partition later than the tool that made it; to acks=0 it answers that by closing the connection,
    // and what was under way is lost. So each partition has stored a record before.
    static void wait_until_ready(runtime& loops, const std::string& bootstrap, const std::string& topic) {
        producer_config config;
        config.bootstrap_servers = bootstrap;
        producer to = wait(producer::create(loops, config));
        for (std::int32_t partition = 0; partition < partition_count; ++partition) {
            record probe(topic, probe_key, "");
            probe.partition = partition;
            wait(to.deliver(probe));
        }
        wait(to.close());
    }

    // Sends all, closes, and gives what the senders were told.
    std::vector<sending::receipt> send_all(const std::string& topic, const char* acks) {
        kafka->create_topic(topic, partition_count, 1);
        runtime loops({.shards = usual_shard_count()});
        if (std::string_view(acks) == "0") wait_until_ready(loops, kafka->bootstrap(), topic);
        producer_config config;
        config.bootstrap_servers = kafka->bootstrap();
        EXPECT_FALSE(config.set("acks", acks));
        EXPECT_FALSE(config.set("enable.idempotence", "false"));
        EXPECT_FALSE(config.set("max.in.flight.requests.per.connection", "1"));
        producer to = wait(producer::create(loops, config));
        sending run(loops, to, records(), topic);
        run.begin(0, record_count);
        run.join();
        wait(to.close());
        EXPECT_EQ(run.failed_count(), 0u) << run.first_failure();
        return run.receipts();
    }

    void expect_stored_as_told(const std::string& topic, const char* acks) {
        const std::vector<sending::receipt> receipts = send_all(topic, acks);
        log_check check(records(), receipts);
        kafka->read_back(topic, [&check](const stored_record& each) { check.read(each); });
        EXPECT_EQ(check.finish(), no_differences);
        kafka->delete_topic(topic);
    }
};

TEST_F(OneBrokerAcks, OneStoresAllOnceAndInOrder_ACC_22) {
    expect_stored_as_told("acks-1", "1");
}

TEST_F(OneBrokerAcks, AllWithoutIdempotenceStoresAllOnceAndInOrder_ACC_22) {
    expect_stored_as_told("acks-all", "all");
}

// Nobody is told where a record is; nothing goes wrong here, so each is there, once and in the order of its key.
TEST_F(OneBrokerAcks, ZeroTellsNoOffsetAndStoresAllTheSame_SND_19) {
    const std::vector<sending::receipt> receipts = send_all("acks-0", "0");
    std::map<std::string, std::vector<std::size_t>, std::less<>> numbers_of;
    for (std::size_t i = 0; i < record_count; ++i) {
        ASSERT_EQ(receipts[i].offset, -1) << "acks=0 has no answer that could tell";
        ASSERT_GE(receipts[i].partition, 0);
        numbers_of[std::string(records().key(i))].push_back(i);
    }

    std::map<std::string, std::size_t, std::less<>> read_of;
    std::size_t read_count = 0;
    kafka->read_back("acks-0", [&](const stored_record& each) {
        if (each.key == probe_key) return;
        ++read_count;
        const auto sent = numbers_of.find(each.key);
        ASSERT_NE(sent, numbers_of.end()) << "nobody sent key " << each.key;
        const std::size_t place = read_of[std::string(each.key)]++;
        ASSERT_LT(place, sent->second.size()) << "too many records of key " << each.key;
        const std::size_t number = sent->second[place];
        EXPECT_EQ(each.value_checksum, records().value_checksum(number)) << number;
        EXPECT_EQ(each.partition, receipts[number].partition) << number;
    });
    EXPECT_EQ(read_count, record_count);
    kafka->delete_topic("acks-0");
}

}  // namespace
}  // namespace sluice::testing
