#include "cluster/metadata_keeper.hpp"

#include <gtest/gtest.h>

#include "unit/cluster/metadata_answer.hpp"

namespace sluice {
namespace {

using namespace std::chrono_literals;
using names = std::vector<std::string_view>;

constexpr std::int16_t newest = 12;

time_point at(duration since_start) {
    return time_point{} + 1h + since_start;
}

metadata_limits steady_limits() {
    metadata_limits limits;
    limits.max_age = 300s;
    limits.max_idle = 100s;
    limits.retry_backoff = 100ms;  // constant, hence without jitter
    limits.retry_backoff_max = 100ms;
    return limits;
}

metadata_answer orders(std::int32_t epoch = 5) {
    metadata_answer answer;
    answer.topic("orders", 1).partition(1, epoch);
    return answer;
}

struct fixture {
    explicit fixture(const metadata_limits& limits = steady_limits()) : keeper(limits, 1) {}

    // Asks and answers.
    metadata_keeper::question ask(const metadata_answer& answer, time_point now) {
        const metadata_keeper::question asked = keeper.start(now);
        keeper.on_response(answer.response, newest, now);
        return asked;
    }
    metadata_keeper keeper;
};

TEST(MetadataKeeper, AsksNothingUntilATopicIsWanted_MDW_1) {
    fixture on;
    EXPECT_EQ(on.keeper.next_due(), never);

    on.keeper.request_update();

    EXPECT_EQ(on.keeper.next_due(), never);
}

TEST(MetadataKeeper, AsksForANewTopicAtOnce_MDW_11) {
    fixture on;
    on.keeper.want("orders", at(0s));

    EXPECT_LE(on.keeper.next_due(), at(0s));
    const auto question = on.keeper.start(at(0s));

    EXPECT_EQ(question.topics, names{"orders"});
    EXPECT_FALSE(question.is_partial) << "the first is a full one";
    EXPECT_EQ(on.keeper.next_due(), never) << "one request at a time";
    EXPECT_TRUE(on.keeper.is_under_way());
    EXPECT_TRUE(on.keeper.on_response(orders().response, newest, at(1s)));
    EXPECT_NE(on.keeper.current()->find_topic("orders"), nullptr);
    EXPECT_FALSE(on.keeper.is_under_way());
    EXPECT_EQ(on.keeper.next_due(), at(1s) + 300s) << "metadata.max.age.ms after the success (MD-1)";
}

TEST(MetadataKeeper, AsksForFurtherNewTopicsByThemselves_MDW_11_MD_3) {
    fixture on;
    on.keeper.want("orders", at(0s));
    on.ask(orders(), at(0s));
    on.keeper.want("zebras", at(1s));
    on.keeper.want("apples", at(1s));

    EXPECT_LE(on.keeper.next_due(), at(1s));
    const auto question = on.keeper.start(at(1s));

    EXPECT_TRUE(question.is_partial);
    EXPECT_EQ(question.topics, (names{"apples", "zebras"})) << "sorted, and not those known";
    on.keeper.on_response(metadata_answer().topic("apples").partition(1, 0).response, newest, at(1s));
    EXPECT_NE(on.keeper.current()->find_topic("orders"), nullptr) << "MD-13";
    EXPECT_EQ(on.keeper.next_due(), at(0s) + 300s) << "counted from the last full success";
}

TEST(MetadataKeeper, ATopicWantedWhileItIsAskedForIsNotNewTwice_MD_19) {
    fixture on;
    on.keeper.want("orders", at(0s));
    on.keeper.start(at(0s));
    on.keeper.want("orders", at(0s));
    on.keeper.want("late", at(0s));
    on.keeper.on_response(orders().response, newest, at(0s));

    const auto question = on.keeper.start(at(0s));

    EXPECT_EQ(question.topics, names{"late"}) << "wanted while the request was under way";
    EXPECT_TRUE(question.is_partial);
}

TEST(MetadataKeeper, RefreshesEverythingAfterMaxAge_MD_1) {
    fixture on;
    on.keeper.want("orders", at(0s));
    on.ask(orders(), at(0s));
    on.keeper.want("orders", at(299s));
    ASSERT_EQ(on.keeper.next_due(), at(300s));

    const auto question = on.ask(orders(), at(300s));

    EXPECT_FALSE(question.is_partial);
    EXPECT_EQ(question.topics, names{"orders"});
    EXPECT_EQ(on.keeper.next_due(), at(600s));
}

TEST(MetadataKeeper, ANewTopicWhenARefreshIsDueIsPartOfIt) {
    fixture on;
    on.keeper.want("orders", at(0s));
    on.ask(orders(), at(0s));
    on.keeper.want("orders", at(300s));
    on.keeper.want("new", at(300s));

    const auto question = on.keeper.start(at(300s));

    EXPECT_FALSE(question.is_partial);
    EXPECT_EQ(question.topics, (names{"new", "orders"}));
}

TEST(MetadataKeeper, ARequestedUpdateComesAfterTheBackoff_MDW_11) {
    fixture on;
    on.keeper.want("orders", at(0s));
    on.ask(orders(), at(0s));

    on.keeper.request_update();

    EXPECT_EQ(on.keeper.next_due(), at(0s) + 100ms) << "retry.backoff.ms after the last one";
    const auto question = on.ask(orders(6), at(1s));
    EXPECT_FALSE(question.is_partial);
    EXPECT_EQ(on.keeper.next_due(), at(1s) + 300s) << "requested once, done once";
}

TEST(MetadataKeeper, AnUpdateRequestedDuringAPartialOneIsStillToCome) {
    fixture on;
    on.keeper.want("orders", at(0s));
    on.ask(orders(), at(0s));
    on.keeper.want("new", at(1s));
    on.keeper.start(at(1s));
    on.keeper.request_update();
    on.keeper.on_response(metadata_answer().topic("new").partition(1, 0).response, newest, at(1s));

    EXPECT_EQ(on.keeper.next_due(), at(1s) + 100ms);
    EXPECT_FALSE(on.keeper.start(at(2s)).is_partial);
}

TEST(MetadataKeeper, FailuresAreTriedAgainAfterTheBackoff_MD_5) {
    fixture on;
    on.keeper.want("orders", at(0s));
    on.keeper.start(at(0s));

    on.keeper.on_failure(at(2s));

    EXPECT_EQ(on.keeper.next_due(), at(2s) + 100ms) << "counted from the failure, new topic or not";
    on.keeper.want("new", at(2s));
    EXPECT_EQ(on.keeper.next_due(), at(2s) + 100ms) << "nobody answers anyway";
    const auto question = on.ask(orders(), at(3s));
    EXPECT_EQ(question.topics, (names{"new", "orders"}));
}

TEST(MetadataKeeper, APartialRequestThatFailedIsAskedAgain) {
    fixture on;
    on.keeper.want("orders", at(0s));
    on.ask(orders(), at(0s));
    on.keeper.want("new", at(1s));
    on.keeper.start(at(1s));
    on.keeper.on_failure(at(1s));

    EXPECT_EQ(on.keeper.next_due(), at(1s) + 100ms);
    EXPECT_EQ(on.keeper.start(at(2s)).topics, names{"new"});
}

TEST(MetadataKeeper, ARefreshThatFailedIsTriedAgainAfterTheBackoff_MD_5) {
    fixture on;
    on.keeper.want("orders", at(0s));
    on.ask(orders(), at(0s));
    on.keeper.want("orders", at(300s));
    EXPECT_FALSE(on.keeper.start(at(300s)).is_partial);

    on.keeper.on_failure(at(301s));

    EXPECT_EQ(on.keeper.next_due(), at(301s) + 100ms) << "overdue as it is";
}

TEST(MetadataKeeper, AMaxAgeOfZeroStillKeepsToTheBackoff) {
    metadata_limits limits = steady_limits();
    limits.max_age = 0s;
    fixture on(limits);
    on.keeper.want("orders", at(0s));

    on.ask(orders(), at(1s));

    EXPECT_EQ(on.keeper.next_due(), at(1s) + 100ms);
}

TEST(MetadataKeeper, AnAnswerWithoutBrokersIsAFailure_MD_7) {
    fixture on;
    on.keeper.want("orders", at(0s));
    on.ask(orders(), at(0s));
    const auto before = on.keeper.current();
    on.keeper.request_update();
    on.keeper.start(at(1s));

    EXPECT_FALSE(on.keeper.on_response(wire::metadata_response{}, newest, at(1s)));

    EXPECT_EQ(on.keeper.current(), before) << "old data is kept";
    EXPECT_EQ(on.keeper.next_due(), at(1s) + 100ms);
}

duration wait_after(const metadata_keeper& keeper, time_point now) {
    return keeper.next_due() - now;
}

TEST(MetadataKeeper, TheBackoffGrowsWhileNobodyAnswers_MD_5) {
    metadata_limits limits = steady_limits();
    limits.retry_backoff_max = 1000ms;
    fixture on(limits);
    on.keeper.want("orders", at(0s));
    time_point now = at(0s);
    const std::chrono::milliseconds expected[] = {100ms, 200ms, 400ms, 800ms, 1000ms, 1000ms};
    for (const std::chrono::milliseconds wait : expected) {
        on.keeper.start(now);
        on.keeper.on_failure(now);

        EXPECT_GE(wait_after(on.keeper, now), wait * 8 / 10 - 1ms);
        EXPECT_LE(wait_after(on.keeper, now), std::min<duration>(wait * 12 / 10, 1000ms));
        now = on.keeper.next_due();
    }

    on.ask(orders(), now);
    on.keeper.request_update();

    EXPECT_LE(wait_after(on.keeper, now), 120ms) << "an answer with news starts anew";
}

TEST(MetadataKeeper, TheBackoffGrowsWhileAnswersBringNothingNew_MD_6) {
    metadata_limits limits = steady_limits();
    limits.retry_backoff_max = 1000ms;
    fixture on(limits);
    on.keeper.want("orders", at(0s));
    on.ask(orders(), at(0s));
    time_point now = at(0s);
    const std::chrono::milliseconds expected[] = {100ms, 100ms, 200ms, 400ms};
    for (const std::chrono::milliseconds wait : expected) {
        on.keeper.request_update();
        EXPECT_GE(wait_after(on.keeper, now), wait * 8 / 10 - 1ms);
        EXPECT_LE(wait_after(on.keeper, now), wait * 12 / 10);
        now = on.keeper.next_due();
        on.ask(orders(), now);
    }

    on.keeper.request_update();
    now = on.keeper.next_due();
    on.ask(orders(6), now);
    on.keeper.request_update();

    EXPECT_LE(wait_after(on.keeper, now), 120ms) << "a newer epoch is progress";
}

TEST(MetadataKeeper, AnAnswerThatMayHealAsksAgain_MD_8) {
    fixture on;
    on.keeper.want("orders", at(0s));

    on.ask(metadata_answer().failed_topic("orders", 5), at(0s));

    EXPECT_EQ(on.keeper.next_due(), at(0s) + 100ms);
}

TEST(MetadataKeeper, ATopicThatIsIdleForLongIsDropped_MD_4) {
    fixture on;
    on.keeper.want("orders", at(0s));
    on.keeper.want("used", at(0s));
    on.ask(orders().topic("used").partition(1, 0), at(0s));
    on.keeper.want("used", at(250s));

    on.ask(orders().topic("used").partition(1, 0), at(300s));

    EXPECT_EQ(on.keeper.wanted_count(), 1u);
    on.keeper.request_update();
    EXPECT_EQ(on.keeper.start(at(301s)).topics, names{"used"});
}

TEST(MetadataKeeper, ATopicIsKeptAsLongAsItIsNewHoweverOld_MD_4) {
    fixture on;
    on.keeper.want("orders", at(0s));
    on.ask(orders(), at(0s));
    on.keeper.want("orders", at(299s));
    on.keeper.start(at(300s));
    on.keeper.want("late", at(150s));  // not part of the request

    on.keeper.on_response(orders().response, newest, at(300s));

    EXPECT_EQ(on.keeper.start(at(300s)).topics, names{"late"});
}

TEST(MetadataKeeper, WhenNoTopicIsLeftNothingIsAsked_MDW_1) {
    fixture on;
    on.keeper.want("orders", at(0s));
    on.ask(orders(), at(0s));
    on.ask(orders(), at(300s));

    EXPECT_EQ(on.keeper.wanted_count(), 0u);
    EXPECT_EQ(on.keeper.next_due(), never);
}

TEST(MetadataKeeper, AHintMakesANewSnapshotAtOnce_MD_14) {
    fixture on;
    on.keeper.want("orders", at(0s));
    on.ask(orders(5), at(0s));
    leader_hint hint;
    hint.topic = "orders";
    hint.partition = 0;
    hint.leader = 2;
    hint.leader_epoch = 6;

    EXPECT_TRUE(on.keeper.on_hint(hint));
    EXPECT_EQ(on.keeper.current()->find_topic("orders")->partitions[0].leader, 2);

    EXPECT_FALSE(on.keeper.on_hint(hint)) << "known by now";
}

}  // namespace
}  // namespace sluice
