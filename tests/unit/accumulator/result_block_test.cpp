#include "accumulator/result_block.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sluice {
namespace {

// Says its name when it is woken.
struct named_waiter : completion {
    named_waiter(std::vector<std::string>& said_, std::string name_, std::uint32_t index_)
        : completion(&say), said(&said_), name(std::move(name_)) {
        index = index_;
    }
    static void say(task& self, fate) {
        auto& mine = static_cast<named_waiter&>(static_cast<completion&>(self));
        mine.said->push_back(mine.name);
    }
    std::vector<std::string>* said;
    std::string name;
};

struct fixture {
    slab_ptr<result_block> blocks = slab<result_block>::create();
    std::vector<std::string> said;

    result_block& make() { return *blocks->make(*blocks, shared_text("orders"), 3); }
    void wake(result_block& block) {
        while (!block.waiters().empty()) {
            task& next = block.waiters().front();
            block.waiters().pop_front();
            next.run();
        }
    }
};

using words = std::vector<std::string>;

TEST(ResultBlock, GivesEachRecordItsOffsetAndItsOwnTimestamp_SND_20) {
    fixture on;
    result_block& block = on.make();
    batch_result result;
    result.outcome = outcome::persisted;
    result.base_offset = 100;

    block.finish(std::move(result));

    const record_metadata third = block.metadata(2, 1700, 4, -1);
    EXPECT_EQ(third.topic.view(), "orders");
    EXPECT_EQ(third.partition, 3);
    EXPECT_EQ(third.offset, 102);
    EXPECT_EQ(third.timestamp, 1700);
    EXPECT_EQ(third.serialized_key_size, 4);
    EXPECT_EQ(third.serialized_value_size, -1);
    EXPECT_EQ(third.outcome, outcome::persisted);
    block.drop_reference();
}

TEST(ResultBlock, TheBrokersAppendTimeOverridesTheRecordsTimestamp_RB_13) {
    fixture on;
    result_block& block = on.make();
    batch_result result;
    result.base_offset = 0;
    result.log_append_time = 0;  // a time like any other: only -1 means none

    block.finish(std::move(result));

    EXPECT_EQ(block.metadata(0, 1700, 0, 0).timestamp, 0);
    block.drop_reference();
}

TEST(ResultBlock, AnUnknownBaseOffsetIsUnknownForEveryRecord_SND_20) {
    fixture on;
    result_block& block = on.make();
    batch_result duplicate;
    duplicate.outcome = outcome::persisted;
    duplicate.base_offset = -1;

    block.finish(std::move(duplicate));

    EXPECT_EQ(block.metadata(0, 1, 1, 1).offset, -1);
    EXPECT_EQ(block.metadata(7, 1, 1, 1).offset, -1);
    block.drop_reference();
}

TEST(ResultBlock, AFailureNamesTheRecordAndNothingElse_SND_9) {
    fixture on;
    result_block& block = on.make();
    batch_result result;
    result.error = errc::delivery_timeout;
    result.outcome = outcome::possibly_persisted;
    result.base_offset = 17;
    result.message = shared_text("too late");

    block.finish(std::move(result));

    const record_metadata failed = block.metadata(1, 1700, 4, 5);
    EXPECT_EQ(failed.topic.view(), "orders");
    EXPECT_EQ(failed.partition, 3);
    EXPECT_EQ(failed.offset, -1);
    EXPECT_EQ(failed.timestamp, -1);
    EXPECT_EQ(failed.serialized_key_size, -1);
    EXPECT_EQ(failed.serialized_value_size, -1);
    EXPECT_EQ(failed.outcome, outcome::possibly_persisted);
    EXPECT_EQ(failed.message.view(), "too late");
    block.drop_reference();
}

TEST(ResultBlock, WakesInTheOrderOfTheRecordsNotOfTheWaiting_SND_24) {
    fixture on;
    result_block& block = on.make();
    named_waiter third(on.said, "third", 2), first(on.said, "first", 0), second(on.said, "second", 1);
    named_waiter second_too(on.said, "second too", 1);
    block.wait(third);
    block.wait(first);
    block.wait(second);
    block.wait(second_too);

    block.finish({});
    on.wake(block);

    EXPECT_EQ(on.said, (words{"first", "second", "second too", "third"}));
    block.drop_reference();
}

TEST(ResultBlock, AWaiterThatDiesIsNotWoken) {
    fixture on;
    result_block& block = on.make();
    named_waiter survivor(on.said, "survivor", 1);
    {
        named_waiter cancelled(on.said, "cancelled", 0);
        block.wait(cancelled);
        block.wait(survivor);
    }

    block.finish({});
    on.wake(block);

    EXPECT_EQ(on.said, words{"survivor"});
    block.drop_reference();
}

TEST(ResultBlock, ASplitMovesEachWaiterToThePartThatHasItsRecord_SPL_3) {
    fixture on;
    result_block& whole = on.make();
    result_block& left = on.make();
    result_block& right = on.make();
    named_waiter first(on.said, "0", 0), third(on.said, "2", 2), fourth(on.said, "3", 3),
        last(on.said, "9", 9);
    whole.wait(last);
    whole.wait(first);
    whole.wait(fourth);
    whole.wait(third);

    const result_block::part parts[] = {{0, &left}, {3, &right}};
    whole.split(parts);

    EXPECT_TRUE(whole.is_split());
    EXPECT_FALSE(whole.is_done());
    EXPECT_TRUE(whole.waiters().empty());
    EXPECT_EQ(fourth.index, 0u) << "the first record of its part";
    EXPECT_EQ(last.index, 6u);
    EXPECT_EQ(whole.find(2).block, &left);
    EXPECT_EQ(whole.find(2).first_index, 2u);
    EXPECT_EQ(whole.find(3).block, &right);
    EXPECT_EQ(whole.find(3).first_index, 0u);
    EXPECT_EQ(whole.find(1000).first_index, 997u);
    right.finish({});
    on.wake(right);
    EXPECT_EQ(on.said, (words{"3", "9"}));
    left.finish({});
    on.wake(left);
    EXPECT_EQ(on.said, (words{"3", "9", "0", "2"}));
    for (result_block* each : {&whole, &left, &right}) each->drop_reference();
    EXPECT_EQ(on.blocks->live_count(), 0u);
}

TEST(ResultBlock, ADeliveryFindsItsRecordThroughTwoSplits) {
    fixture on;
    result_block& whole = on.make();
    result_block& left = on.make();
    result_block& right = on.make();
    result_block& middle = on.make();
    result_block& end = on.make();
    const result_block::part first_cut[] = {{0, &left}, {4, &right}};
    whole.split(first_cut);
    const result_block::part second_cut[] = {{0, &middle}, {2, &end}};
    right.split(second_cut);

    result_block::part at{7, &whole};
    while (at.block->is_split()) at = at.block->find(at.first_index);

    EXPECT_EQ(at.block, &end);
    EXPECT_EQ(at.first_index, 1u);
    for (result_block* each : {&whole, &left, &right, &middle, &end}) each->drop_reference();
    EXPECT_EQ(on.blocks->live_count(), 0u);
}

TEST(ResultBlock, DroppedDeliveriesAreCountedOnAcrossASplit) {
    fixture on;
    result_block& whole = on.make();
    result_block& left = on.make();
    result_block& right = on.make();
    for (int i = 0; i < 5; ++i) whole.note_dropped();

    const result_block::part parts[] = {{0, &left}, {3, &right}};
    whole.split(parts);

    EXPECT_EQ(left.dropped_count(), 3u) << "of 5 records all were dropped";
    EXPECT_EQ(right.dropped_count(), 2u);
    for (result_block* each : {&whole, &left, &right}) each->drop_reference();
}

TEST(ResultBlock, PartsLiveAsLongAsTheWholeIsHeld) {
    fixture on;
    result_block& whole = on.make();
    result_block& part = on.make();
    const result_block::part parts[] = {{0, &part}};
    whole.split(parts);

    part.drop_reference();  // its batch is done with it
    EXPECT_EQ(on.blocks->live_count(), 2u);

    whole.drop_reference();
    EXPECT_EQ(on.blocks->live_count(), 0u);
}

TEST(ResultBlock, OutlivesTheShardThatMadeIt) {
    fixture on;
    result_block& kept = on.make();
    result_block& other = on.make();
    batch_result result;
    result.base_offset = 9;
    kept.finish(std::move(result));
    kept.add_reference();

    on.blocks.reset();  // the shard is gone
    other.drop_reference();
    kept.drop_reference();

    EXPECT_EQ(kept.metadata(1, 0, 0, 0).offset, 10);
    kept.drop_reference();  // frees the slab too: the address sanitizer would tell
}

}  // namespace
}  // namespace sluice
