// Would the check of the log notice?
#include "integration/kafka/log_check.hpp"

#include <gtest/gtest.h>

namespace sluice::testing {
namespace {

// Two hundred records of ten keys in two partitions, all stored as they should be; tests change that.
struct LogCheck : ::testing::Test {
    const workload sent{200, 10, 1};
    std::vector<sending::receipt> receipts = std::vector<sending::receipt>(sent.record_count());
    std::vector<stored_record> log;

    LogCheck() {
        std::int64_t ends[2] = {0, 0};
        for (std::size_t number = 0; number < sent.record_count(); ++number) {
            const std::int32_t partition = sent.key_index(number) % 2 == 0 ? 0 : 1;
            receipts[number] = {partition, ends[partition]++};
            log.push_back(stored(number, receipts[number]));
        }
    }
    stored_record stored(std::size_t number, const sending::receipt& at) const {
        return {at.partition, at.offset, sent.value(number).size_or_minus_one(), sent.value_checksum(number),
                sent.key(number)};
    }
    std::vector<std::string> differences() const {
        log_check check(sent, receipts);
        for (const stored_record& each : log) check.read(each);
        return check.finish();
    }
    bool is_noticed(const std::string& text) const {
        const auto told = differences();
        return std::ranges::any_of(told,
                                   [&](const std::string& each) { return each.find(text) != each.npos; });
    }
    // The first two records of one key.
    std::pair<std::size_t, std::size_t> two_of_a_key() const {
        for (std::size_t second = 1;; ++second) {
            if (sent.key_index(second) == sent.key_index(0)) return {0, second};
        }
    }
};

TEST_F(LogCheck, IsContentWithALogThatIsAsItShouldBe) {
    EXPECT_EQ(differences(), no_differences);
}

TEST_F(LogCheck, NoticesALostRecord) {
    log.pop_back();

    EXPECT_TRUE(is_noticed("1 acknowledged records are not stored"));
}

TEST_F(LogCheck, NoticesARecordThatIsStoredTwice) {
    log.push_back(log.back());
    log.back().offset = 150;

    EXPECT_TRUE(is_noticed("nobody was told of the record at"));
}

TEST_F(LogCheck, NoticesTwoReceiptsForOnePlace) {
    const auto [first, second] = two_of_a_key();
    receipts[second] = receipts[first];

    EXPECT_TRUE(is_noticed("are both said to be at"));
}

TEST_F(LogCheck, NoticesAnotherValue) {
    log[7].value_checksum ^= 1;

    EXPECT_TRUE(is_noticed("which is not record 7"));
}

TEST_F(LogCheck, NoticesAnotherKey) {
    log[7].key = "key-x";

    EXPECT_TRUE(is_noticed("stands key-x"));
}

TEST_F(LogCheck, NoticesThatTwoRecordsOfAKeyChangedPlaces) {
    const auto [first, second] = two_of_a_key();
    std::swap(receipts[first], receipts[second]);
    log[first] = stored(first, receipts[first]);
    log[second] = stored(second, receipts[second]);

    EXPECT_TRUE(is_noticed("one that was sent before it at"));
}

TEST_F(LogCheck, NoticesAKeyThatMovesToAnotherPartition) {
    const auto [first, second] = two_of_a_key();
    receipts[second] = {1 - receipts[first].partition, 199};
    log[second] = stored(second, receipts[second]);

    EXPECT_TRUE(is_noticed("the one before it in"));
}

}  // namespace
}  // namespace sluice::testing
