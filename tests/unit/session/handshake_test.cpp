#include "session/handshake.hpp"

#include <gtest/gtest.h>

#include "sluice/version.hpp"
#include "wire/api/api_versions.hpp"
#include "wire/frame.hpp"

namespace sluice {
namespace {

using step = handshake::step;

constexpr std::int16_t unsupported_version = 35;
constexpr std::int16_t key_of_produce = 0;
constexpr std::int16_t key_of_api_versions = 18;

std::vector<std::byte> answer_of(const wire::api_versions_response& response, std::int16_t version) {
    wire::writer out;
    EXPECT_FALSE(wire::encode(response, version, out));
    return out.gathered();
}

wire::api_versions_response broker_with(std::int16_t key, std::int16_t min, std::int16_t max) {
    wire::api_versions_response response;
    response.api_keys.push_back({key, min, max});
    return response;
}

// Of the request that it writes.
std::int16_t written_version(const handshake& of) {
    wire::writer out;
    of.write(out, 0, "");
    const std::vector<std::byte> frame = out.gathered();
    wire::reader in(bytes(frame).subspan(wire::frame_prefix_size));
    return wire::read_request_header(in).version;
}

TEST(Handshake, BeginsWithTheNewestApiVersionsAndOurName_VER_1) {
    const handshake tested;
    wire::writer out;

    tested.write(out, 17, "me");

    const std::vector<std::byte> frame = out.gathered();
    wire::reader in(bytes(frame).subspan(wire::frame_prefix_size));
    const wire::request_header header = wire::read_request_header(in);
    EXPECT_EQ(header.api_key, key_of_api_versions);
    EXPECT_EQ(header.version, 5);
    EXPECT_EQ(header.correlation_id, 17);
    EXPECT_EQ(header.client_id, "me");
    wire::api_versions_request body;
    ASSERT_FALSE(wire::decode(body, header.version, in));
    EXPECT_EQ(body.client_software_name, software_name);
    EXPECT_EQ(body.client_software_version, software_version());
    EXPECT_FALSE(body.cluster_id.has_value()) << "both or none (VER-4)";
    EXPECT_EQ(body.node_id, -1);
}

TEST(Handshake, IsReadyWithWhatTheBrokerSpeaks_VER_5) {
    handshake tested;

    EXPECT_EQ(tested.on_answer(answer_of(broker_with(key_of_produce, 3, 9), 5)), step::ready);

    EXPECT_EQ(tested.versions().version_for(wire::api_key::produce), 9);
    EXPECT_FALSE(tested.versions().version_for(wire::api_key::metadata).has_value()) << "VER-6";
}

TEST(Handshake, AsksAgainWithTheNewestThatTheBrokerHas_VER_3) {
    for (const auto& [broker_max, expected] : {std::pair<std::int16_t, std::int16_t>{3, 3}, {0, 0}, {4, 4}}) {
        handshake tested;
        wire::api_versions_response refusal = broker_with(key_of_api_versions, 0, broker_max);
        refusal.error_code = unsupported_version;

        ASSERT_EQ(tested.on_answer(answer_of(refusal, 0)), step::send) << "the body is of version 0";

        EXPECT_EQ(written_version(tested), expected);
        EXPECT_EQ(tested.on_answer(answer_of(broker_with(key_of_produce, 3, 9), expected)), step::ready);
        EXPECT_EQ(tested.versions().version_for(wire::api_key::produce), 9);
    }
}

TEST(Handshake, AsksInVersion0WhereTheBrokerDoesNotSay_VER_3) {
    wire::api_versions_response silent;
    silent.error_code = unsupported_version;
    wire::api_versions_response absurd = broker_with(key_of_api_versions, 0, 5);  // what it has just refused
    absurd.error_code = unsupported_version;
    wire::api_versions_response negative = broker_with(key_of_api_versions, -5, -1);
    negative.error_code = unsupported_version;
    for (const auto& refusal : {silent, absurd, negative}) {
        handshake tested;

        ASSERT_EQ(tested.on_answer(answer_of(refusal, 0)), step::send);

        EXPECT_EQ(tested.version(), 0);
        EXPECT_EQ(written_version(tested), 0);
    }
}

TEST(Handshake, GivesUpWhenVersion0IsRefusedToo_VER_3) {
    handshake tested;
    wire::api_versions_response refusal;
    refusal.error_code = unsupported_version;
    ASSERT_EQ(tested.on_answer(answer_of(refusal, 0)), step::send);

    EXPECT_EQ(tested.on_answer(answer_of(refusal, 0)), step::failed);

    EXPECT_EQ(tested.error(), broker_errc::unsupported_version);
}

TEST(Handshake, AlwaysEndsHoweverOftenABrokerRefuses) {
    handshake tested;
    wire::api_versions_response refusal = broker_with(key_of_api_versions, 0, 5);
    int asked = 0;
    for (std::int16_t offered = 5; asked < 10; ++asked) {
        refusal.error_code = unsupported_version;
        refusal.api_keys[0].max_version = --offered;
        if (tested.on_answer(answer_of(refusal, 0)) == step::failed) break;
    }

    EXPECT_LT(asked, 6);
}

TEST(Handshake, AnyOtherErrorIsTheEnd_VER_3) {
    handshake tested;
    wire::api_versions_response refusal;
    refusal.error_code = 42;

    EXPECT_EQ(tested.on_answer(answer_of(refusal, 5)), step::failed);

    EXPECT_EQ(tested.error(), broker_errc::invalid_request);
}

TEST(Handshake, BytesThatAreNoAnswerAreTheEnd) {
    const std::vector<std::byte> whole = answer_of(broker_with(key_of_produce, 3, 9), 5);
    for (std::size_t size = 0; size < whole.size(); ++size) {
        handshake tested;
        EXPECT_EQ(tested.on_answer(bytes(whole).first(size)), step::failed) << size;
        EXPECT_EQ(tested.error(), errc::protocol_error) << size;
    }
}

}  // namespace
}  // namespace sluice
