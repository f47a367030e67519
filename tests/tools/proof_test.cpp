// The demonstration's comparison: one that agrees with everything would prove nothing.
#include "demo.d/proof.hpp"

#include <gtest/gtest.h>

#include <unistd.h>

#include <cstdio>
#include <fstream>

namespace sluice::demo {
namespace {

// Two keys, two records each; record 1 and 2 are of key "a".
constexpr const char* lines = "a one\nb two\na three\nb four\n";

class Proof : public testing::Test {
protected:
    Proof() : source_((write(), file())), sent_(source_.size()) {
        for (std::size_t index = 0; index < source_.size(); ++index) {
            sent_.sending(index);
            sent_.accepted(1);
        }
    }
    ~Proof() override { std::remove(file().c_str()); }

    static std::string file() { return testing::TempDir() + "sluice-proof-" + std::to_string(getpid()); }
    static void write() { std::ofstream(file()) << lines; }

    // Key "a" lives in partition 0, "b" in 1.
    void acknowledge(std::size_t index) {
        record_metadata placed;
        placed.partition = source_[index].key == "a" ? 0 : 1;
        placed.offset = index / 2 == 0 ? 0 : 1;
        sent_.completed(index, {}, placed);
    }
    void fail(std::size_t index, outcome what) {
        record_metadata placed;
        placed.outcome = what;
        sent_.completed(index, errc::delivery_timeout, placed);
    }
    void acknowledge_all() {
        for (std::size_t index = 0; index < source_.size(); ++index) acknowledge(index);
    }
    struct stored_record {
        std::int32_t partition;
        std::int64_t offset;
        std::string_view key, value;
    };
    proof::verdict judged(const std::vector<stored_record>& stored) {
        proof judge(source_, sent_);
        for (const stored_record& each : stored)
            judge.stored(each.partition, each.offset, each.key, each.value);
        return judge.finish();
    }

    input source_;
    journal sent_;
};

TEST_F(Proof, HoldsForWhatWasSent) {
    acknowledge_all();
    const proof::verdict found =
        judged({{0, 0, "a", "a one"}, {0, 1, "a", "a three"}, {1, 0, "b", "b two"}, {1, 1, "b", "b four"}});
    EXPECT_EQ(found.violation_count, 0u);
    EXPECT_EQ(found.stored_count, 4u);
    EXPECT_EQ(found.partition_count, 2u);
    EXPECT_EQ(found.key_count, 2u);
}

TEST_F(Proof, NoticesWhatIsMissing) {
    acknowledge_all();
    EXPECT_EQ(judged({{0, 0, "a", "a one"}, {1, 0, "b", "b two"}, {1, 1, "b", "b four"}}).violation_count,
              1u);
    EXPECT_EQ(judged({{0, 0, "a", "a one"}, {0, 1, "a", "a three"}, {1, 0, "b", "b two"}}).violation_count,
              1u);
    EXPECT_EQ(judged({}).violation_count, 4u);
}

TEST_F(Proof, NoticesAnotherContent) {
    acknowledge_all();
    EXPECT_EQ(
        judged({{0, 0, "a", "a one"}, {0, 1, "a", "a thre"}, {1, 0, "b", "b two"}, {1, 1, "b", "b four"}})
            .violation_count,
        1u);
    EXPECT_EQ(
        judged({{0, 0, "a", "a one"}, {0, 1, "c", "a three"}, {1, 0, "b", "b two"}, {1, 1, "b", "b four"}})
            .violation_count,
        2u)
        << "a key that was never sent, and a record that is missing";
}

TEST_F(Proof, NoticesARecordThatIsStoredTwice) {
    acknowledge_all();
    const proof::verdict found = judged({{0, 0, "a", "a one"},
                                         {0, 1, "a", "a three"},
                                         {0, 2, "a", "a three"},
                                         {1, 0, "b", "b two"},
                                         {1, 1, "b", "b four"}});
    EXPECT_EQ(found.violation_count, 1u);
}

TEST_F(Proof, NoticesAnotherOrderThanThatOfSending) {
    record_metadata placed;
    placed.offset = 1;
    placed.partition = 0;
    sent_.completed(0, {}, placed);
    placed.offset = 0;
    sent_.completed(2, {}, placed);
    acknowledge(1);
    acknowledge(3);
    EXPECT_EQ(
        judged({{0, 0, "a", "a three"}, {0, 1, "a", "a one"}, {1, 0, "b", "b two"}, {1, 1, "b", "b four"}})
            .violation_count,
        1u);
}

TEST_F(Proof, AllowsAnUnknownOneToBeStoredOnceOrNot) {
    acknowledge(0);
    acknowledge(1);
    acknowledge(3);
    fail(2, outcome::possibly_persisted);
    const proof::verdict without =
        judged({{0, 0, "a", "a one"}, {1, 0, "b", "b two"}, {1, 1, "b", "b four"}});
    EXPECT_EQ(without.violation_count, 0u);
    EXPECT_EQ(without.unacknowledged, 0u);
    const proof::verdict once =
        judged({{0, 0, "a", "a one"}, {0, 1, "a", "a three"}, {1, 0, "b", "b two"}, {1, 1, "b", "b four"}});
    EXPECT_EQ(once.violation_count, 0u);
    EXPECT_EQ(once.unacknowledged, 1u);
    const proof::verdict twice = judged({{0, 0, "a", "a one"},
                                         {0, 1, "a", "a three"},
                                         {0, 2, "a", "a three"},
                                         {1, 0, "b", "b two"},
                                         {1, 1, "b", "b four"}});
    EXPECT_EQ(twice.violation_count, 1u);
}

TEST_F(Proof, NoticesAStoredRecordThatFailedAsNotStored) {
    acknowledge(0);
    acknowledge(1);
    acknowledge(3);
    fail(2, outcome::not_persisted);
    EXPECT_EQ(
        judged({{0, 0, "a", "a one"}, {0, 1, "a", "a three"}, {1, 0, "b", "b two"}, {1, 1, "b", "b four"}})
            .violation_count,
        1u);
}

}  // namespace
}  // namespace sluice::demo
