#include "wire/negotiated_versions.hpp"

#include <gtest/gtest.h>

namespace sluice::wire {
namespace {

negotiated_versions with(std::vector<api_version> api_keys) {
    api_versions_response answer;
    answer.api_keys = std::move(api_keys);
    return negotiated_versions(answer);
}

TEST(NegotiatedVersions, TakesTheHighestVersionThatBothHave_VER_5) {
    const negotiated_versions versions = with({{3, 0, 9}, {18, 0, 99}, {22, 2, 3}});

    EXPECT_EQ(versions.version_for(api_key::metadata), 9) << "the broker's newest";
    EXPECT_EQ(versions.version_for(api_key::api_versions), 5) << "our newest";
    EXPECT_EQ(versions.version_for(api_key::init_producer_id), 3);
}

TEST(NegotiatedVersions, HasNoneWhereTheRangesDoNotMeet_VER_5) {
    const negotiated_versions versions = with({{3, 14, 20}, {0, 0, 2}});

    EXPECT_EQ(versions.version_for(api_key::metadata), std::nullopt) << "too new a broker";
    EXPECT_EQ(versions.version_for(api_key::produce), std::nullopt) << "too old a broker";
}

TEST(NegotiatedVersions, AMissingKeyIsNotSupported_VER_6) {
    EXPECT_EQ(with({{3, 0, 9}}).version_for(api_key::init_producer_id), std::nullopt);
    EXPECT_EQ(negotiated_versions().version_for(api_key::produce), std::nullopt);
    EXPECT_EQ(with({{1, 0, 17}}).version_for(static_cast<api_key>(1)), std::nullopt)
        << "Fetch is none of ours";
}

TEST(NegotiatedVersions, NeverPicksProduceBelow3_VER_9) {
    const negotiated_versions versions = with({{0, 0, 13}});

    EXPECT_EQ(versions.common_range(api_key::produce), (version_range{3, 13}));
    EXPECT_EQ(versions.version_for(api_key::produce, 2), std::nullopt);
}

TEST(NegotiatedVersions, ObeysTheCallersCap_VER_7) {
    const negotiated_versions versions = with({{0, 0, 13}, {26, 3, 5}, {24, 0, 5}});

    EXPECT_EQ(versions.version_for(api_key::produce, 11), 11) << "transactions of the first kind";
    EXPECT_EQ(versions.version_for(api_key::produce, 99), 13);
    EXPECT_EQ(versions.version_for(api_key::end_txn, 2), std::nullopt) << "below what the broker has";
    EXPECT_EQ(versions.version_for(api_key::add_partitions_to_txn), 3) << "4 and 5 are between brokers";
}

TEST(NegotiatedVersions, AnEntryThatContradictsItselfSaysNothing) {
    const negotiated_versions versions = with({{3, 9, 4}, {0, -5, -1}, {22, -3, 4}});

    EXPECT_EQ(versions.version_for(api_key::metadata), std::nullopt);
    EXPECT_EQ(versions.version_for(api_key::produce), std::nullopt);
    EXPECT_EQ(versions.version_for(api_key::init_producer_id), 4);
}

TEST(NegotiatedVersions, OfTwoEntriesTheLaterHolds) {
    EXPECT_EQ(with({{3, 0, 9}, {3, 0, 5}}).version_for(api_key::metadata), 5);
}

TEST(NegotiatedVersions, KeepsFinalizedFeatures_VER_8) {
    api_versions_response answer;
    {
        const std::string name = "transaction.version";  // the answer's views do not outlive its frame
        answer.finalized_features.push_back({name, 2, 1});
        answer.finalized_features_epoch = 17;
        const negotiated_versions versions(answer);
        answer.finalized_features.clear();

        EXPECT_EQ(versions.finalized_features_epoch(), 17);
        ASSERT_EQ(versions.finalized_features().size(), 1u);
        EXPECT_EQ(versions.finalized_level("transaction.version"), 2);
        EXPECT_EQ(versions.finalized_level("metadata.version"), 0);
    }
}

TEST(NegotiatedVersions, FeaturesWithoutAnEpochDoNotCount) {
    api_versions_response answer;
    answer.finalized_features.push_back({"transaction.version", 2, 1});
    const negotiated_versions versions(answer);

    EXPECT_EQ(versions.finalized_features_epoch(), -1);
    EXPECT_EQ(versions.finalized_level("transaction.version"), 0);
}

}  // namespace
}  // namespace sluice::wire
