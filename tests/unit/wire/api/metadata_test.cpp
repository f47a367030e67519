#include "wire/api/metadata.hpp"

#include <gtest/gtest.h>

#include "unit/wire/hex.hpp"

namespace sluice::wire {
namespace {

TEST(Metadata, NullAsksForAllTopicsAndEmptyForNone) {
    metadata_request request;
    writer out;
    ASSERT_FALSE(encode(request, 4, out));
    EXPECT_EQ(to_hex(out.gathered()), "ffffffff01");

    request.topics.emplace();
    out.clear();
    ASSERT_FALSE(encode(request, 9, out));
    EXPECT_EQ(to_hex(out.gathered()), "0101000000");
}

TEST(Metadata, Version0CannotAskForAllByNull) {
    writer out;
    EXPECT_EQ(encode(metadata_request{}, 0, out), errc::unsupported_version);
}

TEST(Metadata, ForbiddingTopicCreationNeedsVersion4) {
    metadata_request request;
    request.allow_auto_topic_creation = false;
    writer out;

    EXPECT_EQ(encode(request, 3, out), errc::unsupported_version) << "the topic would be created";
    EXPECT_FALSE(encode(request, 4, out));
}

TEST(Metadata, ATopicWithoutANameNeedsItsId) {
    metadata_request request;
    request.topics.emplace(1);
    writer out;

    EXPECT_EQ(encode(request, 9, out), errc::unsupported_version);
    EXPECT_FALSE(encode(request, 12, out));
}

TEST(Metadata, RefusesAnAnswerThatPromisesMorePartitionsThanItHas) {
    // Version 1: no brokers, no controller, one topic "t" with 16 million partitions in no bytes.
    const auto body = from_hex("00000000 ffffffff 00000001 0000 0001 74 00 00ffffff");
    reader in(body);
    metadata_response answer;

    EXPECT_EQ(decode(answer, 1, in), errc::protocol_error);
    ASSERT_EQ(answer.topics.size(), 1u);
    EXPECT_EQ(answer.topics[0].partitions.capacity(), 0u);
}

}  // namespace
}  // namespace sluice::wire
