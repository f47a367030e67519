#include "exactly_once/sequence_ledger.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <limits>
#include <memory>
#include <vector>

#include "base/random.hpp"

namespace sluice {
namespace {

using fate = sequenced::fate;

constexpr producer_identity first_epoch{7, 0};
constexpr producer_identity second_epoch{7, 1};

struct batch_of : sequenced {
    explicit batch_of(std::int32_t count) { record_count = count; }
    std::int32_t last_sequence() const { return sequence_after(base_sequence, record_count - 1); }
};

TEST(SequenceLedger, CountsRecordsFromZeroPerPartition_IDM_2) {
    sequence_ledger ledger;
    batch_of first(3), second(5);

    ledger.on_send(first, first_epoch);
    ledger.on_stored(first);
    ledger.on_send(second, first_epoch);

    EXPECT_EQ(first.base_sequence, 0);
    EXPECT_EQ(second.base_sequence, 3);
    EXPECT_EQ(second.last_sequence(), 7);
    EXPECT_EQ(ledger.next_sequence(), 8);
}

TEST(SequenceLedger, WrapsToZeroAfterTheLargestInteger_RB_9) {
    constexpr std::int32_t largest = std::numeric_limits<std::int32_t>::max();
    sequence_ledger ledger;
    batch_of almost_all(largest), crossing(3), after(1);
    ledger.on_send(almost_all, first_epoch);
    ledger.on_stored(almost_all);

    ledger.on_send(crossing, first_epoch);
    ledger.on_send(after, first_epoch);

    EXPECT_EQ(crossing.base_sequence, largest);
    EXPECT_EQ(crossing.last_sequence(), 1);
    EXPECT_EQ(after.base_sequence, 2);
    EXPECT_TRUE(sequence_ledger::is_before(crossing, after)) << "by distance, not as plain integers";
    ledger.on_stored(crossing);
    ledger.on_stored(after);
    EXPECT_EQ(ledger.next_sequence(), 3);
}

TEST(SequenceLedger, SendsNothingWithoutAProducerId_ACC_19b) {
    sequence_ledger ledger;
    batch_of fresh(1);
    EXPECT_FALSE(ledger.may_send(fresh, producer_identity{}));
    EXPECT_TRUE(ledger.may_send(fresh, first_epoch));
}

TEST(SequenceLedger, ARetryKeepsItsSequenceAndWaitsForEarlierOnes_IDM_5_ACC_19e) {
    sequence_ledger ledger;
    ledger.introduce(first_epoch);
    batch_of first(2), second(2);
    ledger.on_send(first, first_epoch);
    ledger.on_send(second, first_epoch);

    ledger.on_no_answer(first);
    ledger.on_no_answer(second);

    EXPECT_TRUE(ledger.may_send(first, first_epoch));
    EXPECT_FALSE(ledger.may_send(second, first_epoch)) << "the first is not resolved";
    ledger.on_send(first, first_epoch);
    EXPECT_EQ(first.base_sequence, 0);
    ledger.on_stored(first);
    EXPECT_TRUE(ledger.may_send(second, first_epoch));
    ledger.on_send(second, first_epoch);
    EXPECT_EQ(second.base_sequence, 2);
    ledger.on_stored(second);  // DUPLICATE_SEQUENCE_NUMBER (IDM-6)
    EXPECT_TRUE(ledger.is_idle());
    EXPECT_FALSE(ledger.wants_new_epoch());
}

TEST(SequenceLedger, TheFirstBatchGoesAloneUntilItIsStored) {
    sequence_ledger ledger;
    batch_of first(2), second(1), third(1);
    ledger.on_send(first, first_epoch);
    EXPECT_FALSE(ledger.may_send(second, first_epoch))
        << "a broker that does not know us would take it for the first";

    ledger.on_not_stored(first);  // NOT_ENOUGH_REPLICAS, say
    EXPECT_FALSE(ledger.may_send(second, first_epoch));
    ledger.on_send(first, first_epoch);
    ledger.on_stored(first);

    ASSERT_TRUE(ledger.may_send(second, first_epoch));
    ledger.on_send(second, first_epoch);
    EXPECT_TRUE(ledger.may_send(third, first_epoch));
    ledger.on_stored(second);
}

TEST(SequenceLedger, NothingFreshFollowsABatchThatMayBeStored) {
    sequence_ledger ledger;
    batch_of lost(1), fresh(1);
    ledger.on_send(lost, first_epoch);
    ledger.on_no_answer(lost);
    ledger.on_send(lost, first_epoch);

    EXPECT_FALSE(ledger.may_send(fresh, first_epoch)) << "five of them, and the broker has forgotten `lost`";

    ledger.on_stored(lost);
    EXPECT_TRUE(ledger.may_send(fresh, first_epoch));
}

TEST(SequenceLedger, OutOfOrderBehindAnOpenBatchIsOnlyRetried_IDM_9) {
    sequence_ledger ledger;
    ledger.introduce(first_epoch);
    batch_of first(1), second(1);
    ledger.on_send(first, first_epoch);
    ledger.on_send(second, first_epoch);
    ledger.on_not_stored(first);  // NOT_ENOUGH_REPLICAS, say

    ledger.on_out_of_order(second);

    EXPECT_FALSE(ledger.wants_new_epoch()) << "it waits for the first";
    EXPECT_EQ(second.known, fate::not_stored);
}

TEST(SequenceLedger, OutOfOrderOfTheOldestWantsANewEpoch_IDM_9) {
    sequence_ledger ledger;
    batch_of acked(1), lost_by_broker(4);
    ledger.on_send(acked, first_epoch);
    ledger.on_stored(acked);
    ledger.on_send(lost_by_broker, first_epoch);

    ledger.on_out_of_order(lost_by_broker);

    EXPECT_TRUE(ledger.wants_new_epoch());
    EXPECT_FALSE(ledger.may_send(lost_by_broker, first_epoch));
    ASSERT_TRUE(ledger.take_up(second_epoch));
    EXPECT_FALSE(lost_by_broker.has_sequence());
    ledger.on_send(lost_by_broker, second_epoch);
    EXPECT_EQ(lost_by_broker.base_sequence, 0);
    EXPECT_EQ(lost_by_broker.identity, second_epoch);
    ledger.on_stored(lost_by_broker);
}

TEST(SequenceLedger, ARefusedBatchWantsANewEpochAndLaterOnesAreStampedAnew_IDM_8_IDM_12) {
    sequence_ledger ledger;
    ledger.introduce(first_epoch);
    batch_of refused(3), later(2), fresh(1);
    ledger.on_send(refused, first_epoch);
    ledger.on_send(later, first_epoch);
    ledger.on_not_stored(refused);
    ledger.on_failed(refused);  // INVALID_RECORD

    EXPECT_TRUE(ledger.wants_new_epoch());
    EXPECT_FALSE(ledger.is_quiet()) << "the later one is on the wire";
    EXPECT_FALSE(ledger.take_up(second_epoch));
    EXPECT_FALSE(ledger.may_send(fresh, first_epoch));

    ledger.on_out_of_order(later);
    ASSERT_TRUE(ledger.take_up(second_epoch));
    ledger.on_send(later, second_epoch);
    EXPECT_EQ(later.base_sequence, 0);
    ledger.on_stored(later);
}

TEST(SequenceLedger, WhatMayBeStoredIsAskedAboutUnderTheOldEpochFirst) {
    sequence_ledger ledger;
    ledger.introduce(first_epoch);
    batch_of lost(1), refused(1);
    ledger.on_send(lost, first_epoch);
    ledger.on_send(refused, first_epoch);
    ledger.on_no_answer(lost);
    ledger.on_not_stored(refused);
    ledger.on_failed(refused);

    EXPECT_TRUE(ledger.wants_new_epoch());
    EXPECT_FALSE(ledger.take_up(second_epoch)) << "stamped anew it could be stored twice";
    ASSERT_TRUE(ledger.may_send(lost, second_epoch));
    ledger.on_send(lost, second_epoch);
    EXPECT_EQ(lost.identity, first_epoch);
    ledger.on_stored(lost);

    EXPECT_TRUE(ledger.take_up(second_epoch));
}

TEST(SequenceLedger, BehindAnOldestThatIsNotStoredNothingIsStored) {
    sequence_ledger ledger;
    ledger.introduce(first_epoch);
    batch_of oldest(1), lost(1);
    ledger.on_send(oldest, first_epoch);
    ledger.on_send(lost, first_epoch);
    ledger.on_no_answer(lost);
    ledger.on_out_of_order(oldest);

    EXPECT_TRUE(ledger.is_quiet()) << "the broker takes no sequence after a gap";
    EXPECT_TRUE(ledger.take_up(second_epoch));
    EXPECT_FALSE(lost.has_sequence());
    EXPECT_TRUE(lost.was_lost) << "but its first attempt may still be under way";
}

TEST(SequenceLedger, GivingUpWhatMayBeStoredLeavesAHole_IDM_14) {
    sequence_ledger ledger;
    ledger.introduce(first_epoch);
    batch_of given_up(2), later(2), fresh(1);
    ledger.on_send(given_up, first_epoch);
    ledger.on_send(later, first_epoch);
    ledger.on_no_answer(given_up);
    ledger.on_failed(given_up);  // delivery.timeout.ms

    EXPECT_TRUE(ledger.has_hole());
    EXPECT_FALSE(ledger.may_send(fresh, first_epoch)) << "ACC-19 d";
    ledger.on_stored(later);

    EXPECT_FALSE(ledger.has_hole()) << "the later one was taken, so the hole is stored";
    EXPECT_FALSE(ledger.wants_new_epoch());
    EXPECT_TRUE(ledger.may_send(fresh, first_epoch));
}

TEST(SequenceLedger, AHoleThatNobodyCanTellAboutWantsANewEpoch_IDM_15) {
    sequence_ledger ledger;
    batch_of given_up(2);
    ledger.on_send(given_up, first_epoch);
    ledger.on_no_answer(given_up);

    ledger.on_failed(given_up);

    EXPECT_TRUE(ledger.wants_new_epoch());
    EXPECT_TRUE(ledger.take_up(second_epoch));
    EXPECT_EQ(ledger.next_sequence(), 0);
}

TEST(SequenceLedger, AHoleBehindWhichTheOldestIsOutOfOrderWasNotStored) {
    sequence_ledger ledger;
    ledger.introduce(first_epoch);
    batch_of given_up(2), later(2);
    ledger.on_send(given_up, first_epoch);
    ledger.on_send(later, first_epoch);
    ledger.on_no_answer(given_up);
    ledger.on_failed(given_up);

    ledger.on_out_of_order(later);

    EXPECT_TRUE(ledger.wants_new_epoch());
    EXPECT_TRUE(ledger.take_up(second_epoch));
}

TEST(SequenceLedger, AnAnswerToAnEarlierBatchSaysNothingAboutTheHole) {
    sequence_ledger ledger;
    ledger.introduce(first_epoch);
    batch_of earlier(1), given_up(1), later(1);
    ledger.on_send(earlier, first_epoch);
    ledger.on_send(given_up, first_epoch);
    ledger.on_send(later, first_epoch);
    ledger.on_no_answer(given_up);
    ledger.on_failed(given_up);

    ledger.on_stored(earlier);
    EXPECT_TRUE(ledger.has_hole());

    ledger.on_stored(later);
    EXPECT_FALSE(ledger.has_hole());
}

TEST(SequenceLedger, ExpiryBeforeAnyAttemptLeavesNoTrace_IDM_16) {
    sequence_ledger ledger;
    batch_of never_sent(1);

    ledger.on_failed(never_sent);

    EXPECT_FALSE(ledger.wants_new_epoch());
    EXPECT_FALSE(ledger.has_hole());
}

TEST(SequenceLedger, PartsOfASplitBatchTakeItsSequences_SPL_4) {
    sequence_ledger ledger;
    ledger.introduce(first_epoch);
    batch_of whole(10), later(1), left(4), middle(1), right(5);
    ledger.on_send(whole, first_epoch);
    ledger.on_send(later, first_epoch);
    ledger.on_not_stored(whole);  // MESSAGE_TOO_LARGE
    ledger.on_out_of_order(later);

    sequenced* parts[] = {&left, &middle, &right};
    ledger.replace(whole, parts);

    EXPECT_FALSE(whole.is_tracked());
    EXPECT_EQ(left.base_sequence, 0);
    EXPECT_EQ(middle.base_sequence, 4);
    EXPECT_EQ(right.base_sequence, 5);
    EXPECT_TRUE(ledger.may_send(left, first_epoch));
    EXPECT_FALSE(ledger.may_send(later, first_epoch));
    for (sequenced* part : parts) {
        ledger.on_send(*part, first_epoch);
        ledger.on_stored(*part);
    }
    EXPECT_TRUE(ledger.may_send(later, first_epoch));
    ledger.on_send(later, first_epoch);
    ledger.on_stored(later);
}

TEST(SequenceLedger, PartsStayBehindWhatWasSentBeforeTheWhole_SPL_4) {
    sequence_ledger ledger;
    ledger.introduce(first_epoch);
    batch_of earlier(2), whole(3), later(1), left(1), right(2);
    for (sequenced* each : {&earlier, &whole, &later}) ledger.on_send(*each, first_epoch);
    ledger.on_not_stored(earlier);
    ledger.on_not_stored(whole);  // MESSAGE_TOO_LARGE
    ledger.on_not_stored(later);

    sequenced* parts[] = {&left, &right};
    ledger.replace(whole, parts);

    batch_of* expected[] = {&earlier, &left, &right, &later};
    for (batch_of* oldest : expected) {
        for (batch_of* each : expected) {
            EXPECT_EQ(each->is_tracked() && ledger.may_send(*each, first_epoch), each == oldest);
        }
        ledger.on_send(*oldest, first_epoch);
        ledger.on_stored(*oldest);
    }
    EXPECT_EQ(ledger.next_sequence(), 6);
}

TEST(SequenceLedger, AnswersMayComeInAnyOrder) {
    sequence_ledger ledger;
    ledger.introduce(first_epoch);
    batch_of first(1), second(1), third(1);
    for (sequenced* each : {&first, &second, &third}) ledger.on_send(*each, first_epoch);

    ledger.on_stored(second);
    EXPECT_FALSE(second.is_tracked());
    EXPECT_TRUE(third.is_tracked());
    ledger.on_stored(third);
    EXPECT_TRUE(first.is_tracked());
    ledger.on_stored(first);

    EXPECT_TRUE(ledger.is_idle());
    EXPECT_EQ(ledger.next_sequence(), 3);
}

TEST(SequenceLedger, AnUnknownProducerIdWithALogStartWantsANewEpoch_IDM_10) {
    sequence_ledger ledger;
    batch_of sent(1);
    ledger.on_send(sent, first_epoch);
    ledger.on_unknown_producer(sent, -1);
    EXPECT_FALSE(ledger.wants_new_epoch()) << "no log start offset: ask again";

    ledger.on_send(sent, first_epoch);
    ledger.on_unknown_producer(sent, 100);
    EXPECT_TRUE(ledger.wants_new_epoch());
    EXPECT_TRUE(ledger.take_up(second_epoch));
}

TEST(SequenceLedger, AnotherPartitionsNewEpochIsTakenUpWhenIdle_IDM_12) {
    sequence_ledger ledger;
    batch_of open(1), fresh(1);
    ledger.on_send(open, first_epoch);

    EXPECT_FALSE(ledger.may_send(fresh, second_epoch)) << "ACC-19 c";
    ledger.on_stored(open);
    ASSERT_TRUE(ledger.may_send(fresh, second_epoch));
    ledger.on_send(fresh, second_epoch);

    EXPECT_EQ(fresh.identity, second_epoch);
    EXPECT_EQ(fresh.base_sequence, 0);
    ledger.on_stored(fresh);
}

// A broker's log of one partition, with the rules of ProducerAppendInfo: sequences without gaps per epoch, a new epoch
// starts at 0, and the last five batches are recognised. A producer that it does not know may begin anywhere (KIP-360).
class broker_log {
public:
    enum class answer { stored, duplicate, out_of_order };
    answer append(const batch_of& batch, int content) {
        if (batch.identity != identity_) {
            if (batch.base_sequence != 0 && identity_.is_valid()) return answer::out_of_order;
            identity_ = batch.identity;
            window_.clear();
        } else {
            for (const auto& [first, last] : window_) {
                if (first == batch.base_sequence && last == batch.last_sequence()) return answer::duplicate;
            }
            const std::int32_t expected = window_.empty() ? 0 : sequence_after(window_.back().second, 1);
            if (batch.base_sequence != expected) return answer::out_of_order;
        }
        window_.emplace_back(batch.base_sequence, batch.last_sequence());
        if (window_.size() > 5) window_.pop_front();
        contents.push_back(content);
        return answer::stored;
    }
    std::vector<int> contents;

private:
    producer_identity identity_;
    std::deque<std::pair<std::int32_t, std::int32_t>> window_;
};

struct numbered_batch : batch_of {
    numbered_batch(std::int32_t count, int content_) : batch_of(count), content(content_) {}
    int content;
    bool is_given_up = false;
};

// Many partitions' lives: requests lost before or after the append, refusals, expiry, at random. Whatever happens,
// nothing is stored twice, order is kept, and what was acknowledged is stored.
TEST(SequenceLedger, NothingIsStoredTwiceOrOutOfOrderWhateverIsLost) {
    for (std::uint64_t seed = 1; seed <= 1000; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        random randomness(seed);
        sequence_ledger ledger;
        broker_log log;
        producer_identity current = first_epoch;
        std::deque<std::unique_ptr<numbered_batch>> queue;  // oldest first; on the wire or waiting
        std::deque<std::pair<numbered_batch*, int>>
            wire;  // sent; 0 arrives, 1 lost before, 2 lost after the append
        std::vector<int> acknowledged;
        int made = 0;
        const auto remove = [&](numbered_batch* gone) {
            std::erase_if(queue, [gone](const auto& each) { return each.get() == gone; });
        };

        for (int step = 0; step < 400 || !queue.empty(); ++step) {
            ASSERT_LT(step, 5000) << "stuck with " << queue.size() << " batches";
            const bool is_ending = step >= 400;
            const std::uint64_t dice = randomness.below(100);
            if (ledger.wants_new_epoch() && ledger.is_quiet()) {
                ++current.epoch;
                ASSERT_TRUE(ledger.take_up(current));
            }
            if (dice < 25 && !is_ending && queue.size() < 12) {
                queue.push_back(
                    std::make_unique<numbered_batch>(1 + static_cast<int>(randomness.below(3)), ++made));
            } else if (dice < 60 && wire.size() < 5) {
                for (const auto& each : queue) {  // the head of what is not on the wire
                    if (each->known == fate::on_the_wire) continue;
                    if (!ledger.may_send(*each, current)) break;
                    ledger.on_send(*each, current);
                    wire.emplace_back(each.get(), is_ending ? 0 : static_cast<int>(randomness.below(8)));
                    break;
                }
            } else if (dice < 95 && !wire.empty()) {
                const auto [batch, what] = wire.front();
                wire.pop_front();
                if (what == 1) {
                    ledger.on_no_answer(*batch);
                } else if (what == 3 && !is_ending) {
                    ledger.on_not_stored(*batch);
                    if (randomness.below(2) == 0) batch->is_given_up = true;  // refused for good
                } else {
                    const auto answer = log.append(*batch, batch->content);
                    if (what == 2) {
                        ledger.on_no_answer(*batch);
                    } else if (answer == broker_log::answer::out_of_order) {
                        ledger.on_out_of_order(*batch);
                    } else {
                        ledger.on_stored(*batch);
                        acknowledged.push_back(batch->content);
                        remove(batch);
                        continue;
                    }
                }
                if (what == 1 && randomness.below(4) == 0) batch->is_given_up = true;  // expired
                if (batch->is_given_up) {
                    ledger.on_failed(*batch);
                    remove(batch);
                }
            }
        }

        for (std::size_t i = 1; i < log.contents.size(); ++i) {
            ASSERT_LT(log.contents[i - 1], log.contents[i]) << "twice, or out of order";
        }
        for (int content : acknowledged) {
            ASSERT_TRUE(std::find(log.contents.begin(), log.contents.end(), content) != log.contents.end());
        }
        ASSERT_TRUE(ledger.is_idle());
    }
}

}  // namespace
}  // namespace sluice
