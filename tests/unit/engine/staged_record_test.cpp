#include "engine/staged_record.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "engine/topic_registry.hpp"
#include "unit/engine/loop_on_fake.hpp"

namespace sluice {
namespace {

using state = staged_record::state;

// What a result block and a staged record need around them: a loop, a topic, blocks.
struct fixture {
    loop_on_fake on;
    topic_registry registry{1, nullptr};
    slab_ptr<result_block> blocks = slab<result_block>::create();

    staged_record& make(const record& copied) {
        return *staged_record::make(copied, record_content_size(copied), *registry.find_or_add("orders"));
    }
    result_block& block(std::int32_t partition = 3) {
        return *blocks->make(*blocks, shared_text("orders"), partition);
    }
    // Shares one record of a block, on the loop.
    staged_record& share(result_block& of, std::uint32_t index) {
        of.add_reference();  // the delivery's, which goes over
        const event_loop::scope here(on.loop);
        return *staged_record::share(of, index, 1700, 1, 2);
    }
    // Gives the block its result, and wakes who waits for it, as a shard does.
    void finish(result_block& done, batch_result result) {
        done.finish(std::move(result));
        const event_loop::scope here(on.loop);
        on.loop.post_all(done.waiters());
        on.run();
    }
};

record record_of(bytes_view key, bytes_view value) {
    record made;
    made.topic = "orders";
    made.key = key;
    made.value = value;
    return made;
}

batch_result stored_at(std::int64_t base_offset) {
    batch_result result;
    result.outcome = outcome::persisted;
    result.base_offset = base_offset;
    return result;
}

// Both references: the caller's and the shard's.
void let_go(staged_record& of) {
    of.drop_reference();
    of.drop_reference();
}

TEST(StagedRecord, HoldsACopyOfItsOwn) {
    fixture on;
    std::string key = "key", value = "value", header_name = "name", header_value = "h";
    const header headers[] = {{header_name, header_value}, {"null", std::nullopt}, {"", ""}};
    record sent = record_of(key, value);
    sent.headers = headers;
    sent.partition = 4;
    sent.timestamp = 1700;
    staged_record& staged = on.make(sent);

    for (std::string* each : {&key, &value, &header_name, &header_value}) each->assign(each->size(), '-');

    const record_parts parts = staged.parts();
    EXPECT_EQ(parts.key, bytes_view("key"));
    EXPECT_EQ(parts.value, bytes_view("value"));
    ASSERT_EQ(parts.headers.size(), 3u);
    EXPECT_EQ(parts.headers[0].key, "name");
    EXPECT_EQ(parts.headers[0].value, bytes_view("h"));
    EXPECT_TRUE(parts.headers[1].value.is_null());
    EXPECT_EQ(parts.headers[2].value, bytes_view(""));
    EXPECT_EQ(parts.timestamp, 1700);
    EXPECT_EQ(staged.partition, 4);
    EXPECT_EQ(staged.key_size, 3);
    EXPECT_EQ(staged.value_size, 5);
    EXPECT_EQ(staged.content_size(), record_content_size(parts));
    EXPECT_EQ(staged.size_bytes(), staged_record::block_size) << "what it costs of the ingress";
    let_go(staged);
}

TEST(StagedRecord, WhatDoesNotFitIntoItsBlockCostsMore) {
    fixture on;
    const std::string value(5000, 'v');
    staged_record& staged = on.make(record_of("key", value));

    EXPECT_EQ(staged.size_bytes(), staged_record::block_size + 3 + 5000);
    EXPECT_EQ(staged.parts().key, bytes_view("key"));
    EXPECT_EQ(staged.parts().value, bytes_view(value));
    let_go(staged);
}

TEST(StagedRecord, ALongNameDoesNotDriveTheRecordOutOfItsBlock) {
    fixture on;
    const std::string value(140, 'v');
    const record sent = record_of(std::nullopt, value);
    for (const std::size_t name_size : {1u, 60u, 249u}) {
        staged_record& staged = *staged_record::make(sent, record_content_size(sent),
                                                     *on.registry.find_or_add(std::string(name_size, 'n')));
        EXPECT_EQ(staged.size_bytes(), staged_record::block_size) << name_size;
        EXPECT_EQ(staged.topic_name().view().size(), name_size);
        let_go(staged);
    }
}

TEST(StagedRecord, NullAndEmptyStayDifferent) {
    fixture on;
    staged_record& nulls = on.make(record_of(std::nullopt, std::nullopt));
    staged_record& empties = on.make(record_of("", ""));

    EXPECT_TRUE(nulls.parts().key.is_null());
    EXPECT_TRUE(nulls.parts().value.is_null());
    EXPECT_EQ(nulls.key_size, -1);
    EXPECT_FALSE(empties.parts().key.is_null());
    EXPECT_FALSE(empties.parts().value.is_null());
    EXPECT_EQ(empties.value_size, 0);
    let_go(nulls);
    let_go(empties);
}

// Copied behind the record, in its block; or shared, where there is no room.
TEST(StagedRecord, NamesItsTopicAtAnyTimeHoweverLongTheName_SND_9) {
    fixture on;
    for (const std::size_t name_size : {1u, 40u, 100u, 249u, 5000u}) {
        for (const std::size_t value_size : {0u, 100u, 130u, 2000u}) {
            const std::string name(name_size, 'n'), value(value_size, 'v');
            const record sent = record_of(std::nullopt, value);
            staged_record& staged =
                *staged_record::make(sent, record_content_size(sent), *on.registry.find_or_add(name));
            EXPECT_EQ(staged.topic_name().view(), name) << value_size;
            EXPECT_EQ(staged.parts().value, bytes_view(value)) << name_size;
            staged.free_bytes();
            EXPECT_EQ(staged.topic_name().view(), name) << value_size;

            result_block& block = *on.blocks->make(*on.blocks, shared_text(name), 3);
            staged.mark_accepted();
            staged.loop = &on.on.loop;
            staged.block = &block;  // with its maker's reference
            block.wait(staged);
            on.finish(block, stored_at(1));
            EXPECT_EQ(staged.metadata().topic.view(), name) << value_size;
            staged.drop_reference();
        }
    }
}

TEST(StagedRecord, IsEitherWithdrawnOrDecided) {
    fixture on;
    staged_record& withdrawn = on.make(record_of("k", "v"));
    staged_record& accepted = on.make(record_of("k", "v"));
    staged_record& refused = on.make(record_of("k", "v"));
    ASSERT_EQ(withdrawn.current_state(), state::waiting);

    EXPECT_TRUE(withdrawn.try_withdraw());
    EXPECT_FALSE(withdrawn.try_decide(state::accepted));
    EXPECT_EQ(withdrawn.current_state(), state::withdrawn);

    EXPECT_TRUE(accepted.try_decide(state::accepted));
    EXPECT_FALSE(accepted.try_withdraw()) << "the shard was quicker";
    EXPECT_FALSE(accepted.try_decide(state::refused)) << "an accepted record stays accepted";
    EXPECT_EQ(accepted.current_state(), state::accepted);

    EXPECT_TRUE(refused.try_decide(state::refused));
    EXPECT_FALSE(refused.try_withdraw());
    EXPECT_EQ(refused.current_state(), state::refused);
    for (staged_record* each : {&withdrawn, &accepted, &refused}) let_go(*each);
}

TEST(StagedRecord, WhatIsPaidForIsAcceptedFromTheStart) {
    fixture on;
    staged_record& staged = on.make(record_of("k", "v"));

    staged.mark_accepted();

    EXPECT_FALSE(staged.try_withdraw());
    let_go(staged);
}

TEST(StagedRecord, KnowsWhenItsCallerHasGone) {
    fixture on;
    staged_record& staged = on.make(record_of("k", "v"));
    EXPECT_FALSE(staged.is_caller_gone());

    staged.drop_reference();

    EXPECT_TRUE(staged.is_caller_gone());
    staged.drop_reference();  // frees it: the address sanitizer would tell
}

// ---- a delivery that travels

TEST(StagedRecord, ASharedDeliveryGetsTheResultOfItsBatch_SND_20) {
    fixture on;
    result_block& block = on.block();
    staged_record& shared = on.share(block, 2);
    EXPECT_EQ(shared.event.level(), 0);

    on.finish(block, stored_at(40));

    EXPECT_EQ(shared.event.level(), staged_record::finished);
    const record_metadata placed = shared.metadata();
    EXPECT_EQ(placed.topic.view(), "orders");
    EXPECT_EQ(placed.partition, 3);
    EXPECT_EQ(placed.offset, 42);
    EXPECT_EQ(placed.timestamp, 1700);
    EXPECT_EQ(placed.serialized_key_size, 1);
    EXPECT_EQ(placed.serialized_value_size, 2);
    EXPECT_EQ(placed.outcome, outcome::persisted);
    EXPECT_TRUE(shared.is_caller_gone()) << "the shard has let go: one reference is left";
    shared.drop_reference();
    block.drop_reference();
    EXPECT_EQ(on.blocks->live_count(), 0u);
}

TEST(StagedRecord, ABatchThatIsDoneAlreadyIsSharedAtOnce) {
    fixture on;
    result_block& block = on.block();
    batch_result result = stored_at(40);
    result.log_append_time = 99;
    block.finish(std::move(result));

    staged_record& shared = on.share(block, 1);

    EXPECT_EQ(shared.event.level(), staged_record::finished);
    EXPECT_EQ(shared.metadata().offset, 41);
    EXPECT_EQ(shared.metadata().timestamp, 99) << "the broker's (RB-13)";
    shared.drop_reference();
    block.drop_reference();
    EXPECT_EQ(on.blocks->live_count(), 0u);
}

TEST(StagedRecord, ASharedDeliveryFollowsItsRecordThroughASplit_SPL_3) {
    fixture on;
    result_block& whole = on.block();
    result_block& left = on.block();
    result_block& right = on.block();
    staged_record& shared = on.share(whole, 5);
    const result_block::part parts[] = {{0, &left}, {3, &right}};
    whole.split(parts);

    on.finish(right, stored_at(100));

    EXPECT_EQ(shared.event.level(), staged_record::finished);
    EXPECT_EQ(shared.metadata().offset, 102);
    shared.drop_reference();
    for (result_block* each : {&whole, &left, &right}) each->drop_reference();
    EXPECT_EQ(on.blocks->live_count(), 0u);
}

TEST(StagedRecord, AFailureNamesTheRecordAndNothingElse_SND_9) {
    fixture on;
    result_block& block = on.block();
    staged_record& shared = on.share(block, 2);
    batch_result failure;
    failure.error = errc::delivery_timeout;
    failure.outcome = outcome::possibly_persisted;
    failure.message = shared_text("too late");
    failure.base_offset = 17;

    on.finish(block, std::move(failure));

    EXPECT_EQ(shared.error(), errc::delivery_timeout);
    const record_metadata failed = shared.metadata();
    EXPECT_EQ(failed.topic.view(), "orders");
    EXPECT_EQ(failed.partition, 3);
    EXPECT_EQ(failed.offset, -1);
    EXPECT_EQ(failed.timestamp, -1);
    EXPECT_EQ(failed.serialized_key_size, -1);
    EXPECT_EQ(failed.outcome, outcome::possibly_persisted);
    EXPECT_EQ(failed.message.view(), "too late");
    shared.drop_reference();
    block.drop_reference();
}

TEST(StagedRecord, WhenTheLoopEndsFirstTheRecordMayBeStored) {
    fixture on;
    result_block& block = on.block();
    staged_record& shared = on.share(block, 0);
    block.finish(stored_at(1));
    {
        const event_loop::scope here(on.on.loop);
        on.on.loop.post_all(block.waiters());
    }

    on.on.loop.end();  // before the turn that would have told

    EXPECT_EQ(shared.event.level(), staged_record::finished);
    EXPECT_EQ(shared.error(), errc::closed);
    EXPECT_EQ(shared.metadata().outcome, outcome::possibly_persisted);
    shared.drop_reference();
    block.drop_reference();
    EXPECT_EQ(on.blocks->live_count(), 0u);
}

TEST(StagedRecord, WhoWaitsForTheResultIsWoken) {
    fixture on;
    result_block& block = on.block();
    staged_record& shared = on.share(block, 0);
    loop_on_fake elsewhere;
    noting_completion done;
    remote_signal* signal = nullptr;
    {
        const event_loop::scope here(elsewhere.loop);
        shared.event.start(staged_record::finished, done, signal);
    }

    on.finish(block, stored_at(1));
    elsewhere.run();

    EXPECT_EQ(done.seen, std::vector<std::string>{"run"});
    EXPECT_EQ(done.seen_on, &elsewhere.loop);
    shared.drop_reference();
    block.drop_reference();
}

}  // namespace
}  // namespace sluice
