#include "wire/api_key.hpp"

#include <gtest/gtest.h>

namespace sluice::wire {
namespace {

TEST(ApiKey, KnowsNamesAndRanges) {
    EXPECT_EQ(name_of(api_key::init_producer_id), "InitProducerId");
    EXPECT_EQ(find_api(std::int16_t{28})->name, "TxnOffsetCommit");
    EXPECT_EQ(find_api(api_key::produce)->versions, (version_range{3, 13}));
    EXPECT_EQ(find_api(std::int16_t{1}), nullptr) << "Fetch is not for producers";
    EXPECT_EQ(name_of(static_cast<api_key>(1)), "?");
}

TEST(ApiKey, KnowsWhichVersionsAreFlexible) {
    EXPECT_FALSE(is_flexible(api_key::produce, 8));
    EXPECT_TRUE(is_flexible(api_key::produce, 9));
    EXPECT_FALSE(is_flexible(api_key::sasl_handshake, 1));
    EXPECT_TRUE(is_flexible(api_key::push_telemetry, 0));
    EXPECT_FALSE(is_flexible(static_cast<api_key>(1), 17)) << "unknown";
}

TEST(VersionRange, IntersectsToNothingWhereThereIsNothingInCommon) {
    constexpr version_range ours{3, 9};
    EXPECT_EQ(ours.intersection({0, 7}), (version_range{3, 7}));
    EXPECT_TRUE(ours.intersection({10, 12}).is_empty());
    EXPECT_TRUE(ours.contains(3));
    EXPECT_FALSE(ours.contains(10));
}

}  // namespace
}  // namespace sluice::wire
