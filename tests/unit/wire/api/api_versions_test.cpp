#include "wire/api/api_versions.hpp"

#include <gtest/gtest.h>

#include "unit/wire/hex.hpp"

namespace sluice::wire {
namespace {

error_code decode_answer_hex(api_versions_response& value, std::int16_t version, std::string_view hex) {
    const std::vector<std::byte> body = from_hex(hex);
    reader in(body);
    return decode_answer(value, version, in);
}

TEST(ApiVersions, TheSameRequestGoesOutInEveryVersion_VER_3) {
    api_versions_request request;
    request.client_software_name = "sluice";
    request.client_software_version = "1";
    request.cluster_id = "c";
    request.node_id = 3;

    for (std::int16_t version = 0; version <= 5; ++version) {
        writer out;
        EXPECT_FALSE(encode(request, version, out)) << version;
        EXPECT_EQ(out.size() == 0, version < 3) << "0 to 2 have no fields at all";
    }
}

TEST(ApiVersions, UnderstandsABrokerThatDoesNotKnowTheVersion_VER_3) {
    for (std::int16_t version = 0; version <= 5; ++version) {
        api_versions_response answer;
        ASSERT_FALSE(decode_answer_hex(answer, version, "0023 00000001 0012 0000 0003")) << version;
        EXPECT_EQ(answer.error_code, 35);
        ASSERT_EQ(answer.api_keys.size(), 1u) << version;
        EXPECT_EQ(answer.api_keys[0].max_version, 3);

        ASSERT_FALSE(decode_answer_hex(answer, version, "0023 00000000")) << "before 2.4 the list is empty";
        EXPECT_TRUE(answer.api_keys.empty());
    }
}

TEST(ApiVersions, AlsoUnderstandsTheRefusalInTheShapeThatWasAskedFor) {
    api_versions_response answer;
    ASSERT_FALSE(decode_answer_hex(answer, 3, "0023 02 0012 0000 0003 00 00000000 00"));
    EXPECT_EQ(answer.api_keys.size(), 1u);
}

TEST(ApiVersions, TakesNoOtherAnswerForARefusal) {
    api_versions_response answer;
    EXPECT_EQ(decode_answer_hex(answer, 3, "0000 00000001 0012 0000 0003"), errc::protocol_error);
    EXPECT_EQ(decode_answer_hex(answer, 3, "0023 00000001 0012 0000"), errc::protocol_error) << "cut off";
    EXPECT_EQ(decode_answer_hex(answer, 0, "0023 00000001 0012 0000"), errc::protocol_error);
    EXPECT_EQ(decode_answer_hex(answer, 9, "0023 00000000"), errc::unsupported_version);
}

}  // namespace
}  // namespace sluice::wire
