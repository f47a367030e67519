#include "wire/api/produce.hpp"

#include <gtest/gtest.h>

#include "unit/wire/hex.hpp"

namespace sluice::wire {
namespace {

TEST(Produce, NamesATopicByNameOrById) {
    produce_request request;
    topic_produce_data& topic = request.topic_data.emplace_back();
    topic.name = "t";
    topic.topic_id.octets[15] = std::byte{9};
    writer by_name, by_id;

    ASSERT_FALSE(encode(request, 12, by_name));
    ASSERT_FALSE(encode(request, 13, by_id));

    EXPECT_EQ(to_hex(by_name.gathered()), "00000000000000020274010000");
    EXPECT_EQ(to_hex(by_id.gathered()),
              "00000000000000020000000000000000000000000000000901"
              "0000");
}

TEST(Produce, SendsTheChunksOfABatchInPlace) {
    const std::vector<std::byte> header(61, std::byte{1});
    const std::vector<std::byte> first_chunk(4096, std::byte{2});
    const std::vector<std::byte> second_chunk(500, std::byte{3});
    const std::vector<bytes> batch{header, first_chunk, second_chunk};
    produce_request request;
    topic_produce_data& topic = request.topic_data.emplace_back();
    topic.name = "t";
    topic.partition_data.emplace_back().records = records(std::span<const bytes>(batch));
    writer out;
    ASSERT_FALSE(encode(request, 9, out));

    std::vector<iovec> pieces;
    out.pieces(pieces);

    ASSERT_EQ(pieces.size(), 4u) << "fields and header, two chunks, tagged sections";
    EXPECT_EQ(pieces[1].iov_base, first_chunk.data());
    EXPECT_EQ(pieces[2].iov_base, second_chunk.data());

    const std::vector<std::byte> whole = out.gathered();
    reader in(whole);
    produce_request back;
    ASSERT_FALSE(decode(back, 9, in));
    EXPECT_EQ(back.topic_data[0].partition_data[0].records.size(), 61u + 4096 + 500);
}

TEST(Produce, ReadsALeaderHint) {
    produce_response response;
    partition_produce_response& partition =
        response.responses.emplace_back().partition_responses.emplace_back();
    partition.error_code = 6;
    partition.current_leader = {2, 17};
    node_endpoint& node = response.node_endpoints.emplace_back();
    node.node_id = 2;
    node.host = "b";
    writer out;
    EXPECT_EQ(encode(response, 9, out), errc::unsupported_version) << "hints are v10+";
    ASSERT_FALSE(encode(response, 10, out));

    const std::vector<std::byte> body = out.gathered();
    reader in(body);
    produce_response back;
    ASSERT_FALSE(decode(back, 10, in));
    EXPECT_EQ(back.responses[0].partition_responses[0].current_leader.leader_id, 2);
    EXPECT_EQ(back.responses[0].partition_responses[0].current_leader.leader_epoch, 17);
    EXPECT_EQ(back.node_endpoints[0].host, "b");
}

TEST(Produce, KeepsAHintItDoesNotKnowYetAsAnUnknownTag) {
    // Version 9 with the node endpoints of version 10.
    const auto body = from_hex("01 00000000 01 00 01 01");
    reader in(body);
    produce_response back;

    ASSERT_FALSE(decode(back, 9, in));

    EXPECT_TRUE(back.node_endpoints.empty());
    ASSERT_EQ(back.unknown_tags.size(), 1u);
    EXPECT_EQ(back.unknown_tags[0].tag, 0u);
}

}  // namespace
}  // namespace sluice::wire
