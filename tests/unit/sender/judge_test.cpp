#include "sender/judge.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "base/broker_error.hpp"

namespace sluice {
namespace {

using action = verdict::action;

constexpr auto acknowledge = action::acknowledge;
constexpr auto retry = action::retry;
constexpr auto split = action::split;
constexpr auto fail = action::fail;

// The rows of group ERR: without idempotence, and with it.
struct row {
    int code;
    bool wants_metadata;
    action plain;
    action idempotent;
    bool is_fatal = false;  // with idempotence
};

const row rows[] = {
    {0, false, acknowledge, acknowledge},
    {-1, false, fail, fail},
    {2, false, retry, retry},
    {3, true, retry, retry},
    {5, true, retry, retry},
    {6, true, retry, retry},
    {7, false, retry, retry},
    {8, false, fail, fail},
    {9, true, retry, retry},
    {13, true, retry, retry},
    {14, false, retry, retry},
    {15, false, retry, retry},
    {16, false, retry, retry},
    {17, false, fail, fail},
    {18, false, fail, fail},
    {19, false, retry, retry},
    {20, false, retry, retry},
    {21, false, fail, fail},
    {29, false, fail, fail},
    {31, false, fail, fail, true},
    {32, false, fail, fail},
    {35, false, fail, fail, true},
    {42, false, fail, fail},
    {43, false, fail, fail},
    {44, false, fail, fail},
    {45, false, fail, retry},
    {46, false, acknowledge, acknowledge},
    {47, false, fail, fail},
    {48, false, fail, fail},
    {49, false, fail, fail, true},
    {51, false, retry, retry},
    {53, false, fail, fail, true},
    {56, true, retry, retry},
    {59, false, fail, retry},
    {72, true, retry, retry},
    {74, true, retry, retry},
    {75, false, retry, retry},
    {76, false, fail, fail},
    {87, false, fail, fail},
    {89, false, retry, retry},
    {90, false, fail, fail, true},
    {100, true, retry, retry},
    {103, true, retry, retry},
    {120, false, fail, fail},
};

std::set<int> codes_of_rows() {
    std::set<int> codes{10};  // it has two rows, see below
    for (const row& each : rows) codes.insert(each.code);
    return codes;
}

TEST(Judge, DecidesEveryRowOfTheTable_ERR) {
    for (const row& each : rows) {
        for (const std::int32_t record_count : {1, 7}) {
            SCOPED_TRACE("code " + std::to_string(each.code) + ", " + std::to_string(record_count) +
                         " records");
            const verdict plain = judge(static_cast<std::int16_t>(each.code), false, record_count);
            const verdict idempotent = judge(static_cast<std::int16_t>(each.code), true, record_count);

            EXPECT_EQ(plain.what, each.plain);
            EXPECT_EQ(idempotent.what, each.idempotent);
            EXPECT_EQ(plain.wants_metadata, each.wants_metadata);
            EXPECT_EQ(idempotent.wants_metadata, each.wants_metadata);
            EXPECT_FALSE(plain.is_fatal) << "the producer goes on";
            EXPECT_EQ(idempotent.is_fatal, each.is_fatal);
        }
    }
}

TEST(Judge, OnlySeveralRecordsCanBeSplit_SPL_1) {
    for (const bool is_idempotent : {false, true}) {
        EXPECT_EQ(judge(10, is_idempotent, 2).what, split);
        EXPECT_EQ(judge(10, is_idempotent, 1).what, fail);
        EXPECT_FALSE(judge(10, is_idempotent, 1).is_fatal);
    }
}

TEST(Judge, CodesThatKafkaDoesNotHaveAreUnknownServerErrors) {
    for (const std::int16_t code :
         {std::int16_t{-2}, std::int16_t{137}, std::int16_t{999}, std::int16_t{-32768}}) {
        const verdict made = judge(code, true, 1);

        EXPECT_EQ(made.what, fail) << code;
        EXPECT_TRUE(made.may_be_stored) << code;
    }
}

// The table of group ERR ends with "other: treated as UNKNOWN_SERVER_ERROR"; retriable kinds are retried all the same.
TEST(Judge, OtherCodesFailUnlessTheyAreOfARetriableKind) {
    const std::set<int> in_table = codes_of_rows();
    int looked_at = 0;
    for (const broker_error& each : broker_error_table()) {
        if (in_table.contains(each.code)) continue;
        const verdict made = judge(each.code, true, 1);
        EXPECT_EQ(made.what, each.is(broker_error::retriable) ? retry : fail) << each.name;
        EXPECT_FALSE(made.is_fatal) << each.name;
        EXPECT_FALSE(made.may_be_stored) << each.name;
        ++looked_at;
    }
    EXPECT_EQ(looked_at, 138 - static_cast<int>(in_table.size()));
}

// After these errors the record may be in the log: sending it again under another sequence could store it twice.
TEST(Judge, KnowsWhichErrorsComeAfterTheAppend) {
    const std::set<int> after_append{-1, 7, 20, 56};
    for (const broker_error& each : broker_error_table()) {
        EXPECT_EQ(judge(each.code, true, 1).may_be_stored, after_append.contains(each.code)) << each.name;
    }
}

TEST(Judge, MarksWhatTheLedgerWantsToKnow_IDM_9_IDM_10) {
    for (const broker_error& each : broker_error_table()) {
        EXPECT_EQ(judge(each.code, true, 1).is_out_of_order, each.code == 45) << each.name;
        EXPECT_EQ(judge(each.code, true, 1).is_unknown_producer, each.code == 59) << each.name;
    }
}

}  // namespace
}  // namespace sluice
