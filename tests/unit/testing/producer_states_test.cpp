#include "testing/producer_states.hpp"

#include <gtest/gtest.h>

#include "unit/testing/fake_client.hpp"

namespace sluice::testing {
namespace {

constexpr std::int64_t id = 7;
constexpr auto gap = code(broker_errc::out_of_order_sequence_number);

batch_header batch(std::int32_t base_sequence, std::int32_t count = 1, std::int16_t epoch = 0,
                   std::int64_t producer = id) {
    batch_header header;
    header.producer_id = producer;
    header.producer_epoch = epoch;
    header.base_sequence = base_sequence;
    header.record_count = count;
    header.last_offset_delta = count - 1;
    return header;
}

// A log that counts offsets.
struct producer_log {
    producer_states states;
    std::int64_t end = 100;

    std::int16_t check(const batch_header& header, bool accepts_unknown = true) const {
        return states.check(header, accepts_unknown);
    }
    void append(const batch_header& header) {
        EXPECT_EQ(check(header), 0);
        states.remember(header, end, 5000 + end);
        end += header.record_count;
    }
};

TEST(ProducerStates, TakesSequencesInOrder) {
    producer_log log;
    log.append(batch(0, 3));

    EXPECT_EQ(log.check(batch(3)), 0);
    EXPECT_EQ(log.check(batch(4)), gap);
    EXPECT_EQ(log.check(batch(2)), gap) << "overlaps";
    EXPECT_EQ(log.check(batch(0)), gap);
}

TEST(ProducerStates, KnowsTheLastFiveBatchesAgain_IDM_5) {
    producer_log log;
    for (int index = 0; index < 6; ++index) log.append(batch(2 * index, 2));

    EXPECT_EQ(log.states.find_duplicate(batch(0, 2)), nullptr) << "the sixth-last";
    EXPECT_EQ(log.check(batch(0, 2)), gap);
    for (int index = 1; index < 6; ++index) {
        const auto* known = log.states.find_duplicate(batch(2 * index, 2));
        ASSERT_NE(known, nullptr) << index;
        EXPECT_EQ(known->base_offset, 100 + 2 * index);
        EXPECT_EQ(known->max_timestamp, 5100 + 2 * index);
    }
}

TEST(ProducerStates, ADuplicateIsTheSameRange) {
    producer_log log;
    log.append(batch(0, 2));
    log.append(batch(2, 2));

    EXPECT_EQ(log.states.find_duplicate(batch(0, 4)), nullptr);
    EXPECT_EQ(log.states.find_duplicate(batch(2, 1)), nullptr);
    EXPECT_EQ(log.states.find_duplicate(batch(2, 2, 1)), nullptr) << "of another epoch";
    EXPECT_EQ(log.states.find_duplicate(batch(2, 2, 0, id + 1)), nullptr) << "of another producer";
    EXPECT_NE(log.states.find_duplicate(batch(2, 2)), nullptr);
}

TEST(ProducerStates, AnOldEpochIsFenced) {
    producer_log log;
    log.append(batch(0, 1, 3));

    EXPECT_EQ(log.check(batch(1, 1, 2)), code(broker_errc::invalid_producer_epoch));
    EXPECT_EQ(log.check(batch(0, 1, 2)), code(broker_errc::invalid_producer_epoch));
}

TEST(ProducerStates, ANewEpochBeginsWithZeroAndForgetsTheOldOne) {
    producer_log log;
    log.append(batch(0, 2));

    EXPECT_EQ(log.check(batch(2, 1, 1)), gap);
    log.append(batch(0, 2, 1));
    EXPECT_EQ(log.states.find_duplicate(batch(0, 2, 0)), nullptr);
    EXPECT_EQ(log.check(batch(0, 2, 0)), code(broker_errc::invalid_producer_epoch));
    EXPECT_EQ(log.check(batch(2, 1, 1)), 0);
}

TEST(ProducerStates, SequencesWrapToZero_RB_9) {
    producer_log log;
    log.append(batch(2147483646, 4));

    EXPECT_NE(log.states.find_duplicate(batch(2147483646, 4)), nullptr);
    EXPECT_EQ(log.check(batch(2)), 0);
    EXPECT_EQ(log.check(batch(3)), gap);

    producer_log up_to_the_last;
    up_to_the_last.append(batch(2147483647, 1));
    EXPECT_EQ(up_to_the_last.check(batch(0)), 0);
}

TEST(ProducerStates, UnknownProducersMayBeginAnywhereSinceKip360) {
    const producer_log log;

    EXPECT_EQ(log.check(batch(17, 1, 4)), 0);
    EXPECT_EQ(log.check(batch(17, 1, 4), false), code(broker_errc::unknown_producer_id));
    EXPECT_EQ(log.check(batch(0, 1, 4), false), 0);
}

TEST(ProducerStates, BatchesWithoutAProducerAreNobodys) {
    producer_log log;
    const batch_header nobody = batch(-1, 1, -1, -1);

    log.append(nobody);
    log.append(nobody);

    EXPECT_EQ(log.states.find_duplicate(nobody), nullptr);
}

TEST(ProducerStates, ForgetsWhatIsBeforeAnOffset) {
    producer_log log;
    log.append(batch(0, 2));             // 100, 101
    log.append(batch(2, 2));             // 102, 103
    log.append(batch(0, 1, 0, id + 1));  // 104

    log.states.forget_before(102);
    EXPECT_EQ(log.states.find_duplicate(batch(0, 2)), nullptr);
    EXPECT_NE(log.states.find_duplicate(batch(2, 2)), nullptr);
    EXPECT_EQ(log.check(batch(4), false), 0) << "still known";

    log.states.forget_before(104);
    EXPECT_EQ(log.check(batch(4), false), code(broker_errc::unknown_producer_id));
    EXPECT_EQ(log.check(batch(1, 1, 0, id + 1), false), 0);
}

TEST(ProducerStates, ForgetsAll) {
    producer_log log;
    log.append(batch(0, 2));

    log.states.forget_all();

    EXPECT_EQ(log.check(batch(9)), 0);
    EXPECT_EQ(log.states.find_duplicate(batch(0, 2)), nullptr);
}

}  // namespace
}  // namespace sluice::testing
