#include "session/pipeline.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "wire/big_endian.hpp"

namespace sluice {
namespace {

using namespace std::chrono_literals;

struct nobody final : answer_receiver {
    void on_answer(bytes, time_point) override {}
};

pipeline::entry sent(std::int32_t correlation_id, wire::api_key key = wire::api_key::produce,
                     std::int16_t version = 3) {
    pipeline::entry entry;
    entry.correlation_id = correlation_id;
    entry.key = key;
    entry.version = version;
    return entry;
}

// A response: its correlation id, then these bytes.
std::vector<std::byte> response(std::int32_t correlation_id, std::initializer_list<int> rest) {
    std::vector<std::byte> frame(4);
    wire::store_big_endian(frame.data(), correlation_id);
    for (const int each : rest) frame.push_back(static_cast<std::byte>(each));
    return frame;
}

TEST(Pipeline, CorrelationIdsCountFromZero_NET_12) {
    pipeline tested(4);

    EXPECT_EQ(tested.next_correlation_id(), 0);
    EXPECT_EQ(tested.next_correlation_id(), 1);
    EXPECT_EQ(tested.next_correlation_id(), 2);
}

TEST(Pipeline, AnAnswerBelongsToTheOldestRequest_NET_11) {
    pipeline tested(4);
    nobody first_receiver, second_receiver;
    pipeline::entry first = sent(0), second = sent(1);
    first.receiver = &first_receiver;
    second.receiver = &second_receiver;
    tested.push(first);
    tested.push(second);
    bytes body;

    const auto frame = response(0, {7, 8});
    const auto matched = tested.match(frame, body);

    ASSERT_TRUE(matched.has_value());
    EXPECT_EQ(matched->receiver, &first_receiver);
    ASSERT_EQ(body.size(), 2u);
    EXPECT_EQ(body[0], std::byte{7});
    EXPECT_EQ(tested.size(), 1u);
    const auto next = response(1, {});
    EXPECT_EQ(tested.match(next, body)->receiver, &second_receiver);
    EXPECT_TRUE(body.empty());
    EXPECT_TRUE(tested.empty());
}

TEST(Pipeline, AnotherCorrelationIdBreaksTheConnection_NET_11) {
    pipeline tested(4);
    tested.push(sent(0));
    tested.push(sent(1));
    bytes body;

    const auto frame = response(1, {7});

    EXPECT_EQ(tested.match(frame, body).error(), errc::protocol_error)
        << "of the second request, not of the first";
    EXPECT_EQ(tested.size(), 2u) << "both are to be failed";
}

TEST(Pipeline, AnAnswerToNothingBreaksTheConnection) {
    pipeline tested(4);
    bytes body;

    const auto frame = response(0, {7});

    EXPECT_EQ(tested.match(frame, body).error(), errc::protocol_error);
}

TEST(Pipeline, ACutOffHeaderBreaksTheConnection) {
    pipeline tested(4);
    tested.push(sent(0, wire::api_key::produce, 9));  // flexible: its header ends with a tagged section
    bytes body;
    const auto frame = response(0, {});

    EXPECT_EQ(tested.match(bytes(frame).first(3), body).error(), errc::protocol_error);
    EXPECT_EQ(tested.match(frame, body).error(), errc::protocol_error);
    EXPECT_EQ(tested.size(), 1u);
}

TEST(Pipeline, TheHeaderIsThatOfTheRequestsVersion_VER_2) {
    pipeline tested(4);
    tested.push(sent(0, wire::api_key::produce, 9));
    tested.push(sent(1, wire::api_key::produce, 8));
    tested.push(sent(2, wire::api_key::api_versions, 3));
    bytes body;

    const auto flexible = response(0, {0, 7}), plain = response(1, {0, 7}), negotiation = response(2, {0, 7});
    ASSERT_TRUE(tested.match(flexible, body).has_value());
    EXPECT_EQ(body.size(), 1u) << "without the tagged section";
    ASSERT_TRUE(tested.match(plain, body).has_value());
    EXPECT_EQ(body.size(), 2u);
    ASSERT_TRUE(tested.match(negotiation, body).has_value());
    EXPECT_EQ(body.size(), 2u) << "never has one";
}

TEST(Pipeline, TheOldestRequestIsOverdueFirst_NET_13) {
    pipeline tested(2);
    EXPECT_EQ(tested.next_deadline(), never);
    pipeline::entry first = sent(0), second = sent(1);
    first.deadline = time_point{} + 5s;
    second.deadline = time_point{} + 6s;
    tested.push(first);
    tested.push(second);

    EXPECT_TRUE(tested.full());
    EXPECT_EQ(tested.next_deadline(), time_point{} + 5s);
    EXPECT_EQ(tested.pop().correlation_id, 0);
    EXPECT_EQ(tested.next_deadline(), time_point{} + 6s);
    EXPECT_FALSE(tested.full());
}

}  // namespace
}  // namespace sluice
