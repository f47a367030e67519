#include "wire/frame.hpp"

#include <gtest/gtest.h>

#include "unit/wire/hex.hpp"
#include "wire/api/api_versions.hpp"
#include "wire/api/init_producer_id.hpp"
#include "wire/api/produce.hpp"

namespace sluice::wire {
namespace {

result<std::uint32_t> size_of_frame(std::string_view hex, std::uint32_t size_max) {
    const std::vector<std::byte> prefix = from_hex(hex);
    return read_frame_size(std::span<const std::byte, frame_prefix_size>(prefix), size_max);
}

TEST(Frame, ChecksTheAnnouncedSize) {
    EXPECT_EQ(size_of_frame("00000000", 100).value(), 0u);
    EXPECT_EQ(size_of_frame("00000064", 100).value(), 100u);
    EXPECT_EQ(size_of_frame("00000065", 100).error(), errc::frame_too_large);
    EXPECT_EQ(size_of_frame("7fffffff", frame_size_max).error(), errc::frame_too_large);
    EXPECT_EQ(size_of_frame("ffffffff", 100).error(), errc::protocol_error);
    EXPECT_EQ(size_of_frame("80000000", 0xffffffff).error(), errc::protocol_error);
}

TEST(Frame, KnowsTheVersionsOfHeaders) {
    EXPECT_EQ(request_header_version(api_key::produce, 8), 1);
    EXPECT_EQ(request_header_version(api_key::produce, 9), 2);
    EXPECT_EQ(response_header_version(api_key::produce, 8), 0);
    EXPECT_EQ(response_header_version(api_key::produce, 9), 1);
    EXPECT_EQ(request_header_version(api_key::api_versions, 3), 2);
    EXPECT_EQ(response_header_version(api_key::api_versions, 3), 0) << "VER-2";
    EXPECT_EQ(request_header_version(api_key::sasl_handshake, 1), 1);
}

TEST(Frame, WritesRequestHeadersWithAClientIdThatIsNeverCompact) {
    writer out;
    const open_frame plain = begin_request(out, api_key::produce, 8, false, 7, "ab");
    EXPECT_FALSE(end_request(out, plain));
    EXPECT_EQ(to_hex(out.gathered()), "0000000c000000080000000700026162");

    out.clear();
    const open_frame flexible = begin_request(out, api_key::produce, 9, true, -1, std::nullopt);
    EXPECT_FALSE(end_request(out, flexible));
    EXPECT_EQ(to_hex(out.gathered()), "0000000b00000009ffffffffffff00");
}

TEST(Frame, CutsAClientIdThatNoHeaderCanCarry) {
    writer out;
    const std::string endless(string_size_max + 1, 'c');
    const open_frame open = begin_request(out, api_key::produce, 8, false, 7, endless);
    EXPECT_FALSE(end_request(out, open));

    const std::vector<std::byte> whole = out.gathered();
    reader in(bytes(whole).subspan(frame_prefix_size));
    EXPECT_EQ(read_request_header(in).client_id->size(), string_size_max);
}

TEST(Frame, CountsReferencedBytes) {
    const std::vector<std::byte> batch(1000, std::byte{0xee});
    produce_request request;
    request.topic_data.emplace_back().partition_data.emplace_back().records = records(batch);
    writer out;

    EXPECT_FALSE(write_request(out, request, 9, 1, "c"));

    const std::vector<std::byte> whole = out.gathered();
    EXPECT_EQ(load_big_endian<std::uint32_t>(whole.data()), whole.size() - frame_prefix_size);
    EXPECT_GT(whole.size(), batch.size());
}

TEST(Frame, RefusesARequestThatNoSizeCanCount) {
    const auto byte = std::byte{0};
    const bytes huge(&byte, 0x60000000);  // nobody touches it
    produce_request request;
    request.topic_data.emplace_back().partition_data.resize(2);
    for (partition_produce_data& partition : request.topic_data[0].partition_data)
        partition.records = records(huge);
    writer out;
    out.write_int8(1);

    EXPECT_EQ(write_request(out, request, 9, 1, "c"), errc::frame_too_large);

    EXPECT_EQ(to_hex(out.gathered()), "01") << "as it was";
}

TEST(Frame, PutsSeveralRequestsIntoOneWrite) {
    const init_producer_id_request request;
    writer out;
    EXPECT_FALSE(write_request(out, request, 0, 1, std::nullopt));
    const std::size_t first = out.size();
    EXPECT_FALSE(write_request(out, request, 0, 2, std::nullopt));

    const std::vector<std::byte> whole = out.gathered();
    EXPECT_EQ(whole.size(), 2 * first);
    EXPECT_EQ(load_big_endian<std::uint32_t>(whole.data() + first), first - frame_prefix_size);
}

TEST(Frame, LeavesNothingOfARequestThatCannotBeWritten) {
    init_producer_id_request request;
    writer out;
    EXPECT_FALSE(write_request(out, request, 0, 1, "c"));
    const std::size_t before = out.size();
    request.producer_id = 5;

    EXPECT_EQ(write_request(out, request, 2, 2, "c"), errc::unsupported_version) << "producerId is v3+";
    EXPECT_EQ(write_request(out, request, 7, 2, "c"), errc::unsupported_version) << "there is no v7";

    EXPECT_EQ(out.size(), before);
}

TEST(Frame, ReadsBackItsRequests) {
    api_versions_request request;
    request.client_software_name = "sluice";
    writer out;
    EXPECT_FALSE(write_request(out, request, 3, 42, "client"));

    const std::vector<std::byte> whole = out.gathered();
    reader in(bytes(whole).subspan(frame_prefix_size));
    const request_header header = read_request_header(in);
    api_versions_request back;

    EXPECT_EQ(header.api_key, 18);
    EXPECT_EQ(header.version, 3);
    EXPECT_EQ(header.correlation_id, 42);
    EXPECT_EQ(header.client_id, "client");
    EXPECT_FALSE(decode(back, header.version, in));
    EXPECT_EQ(back.client_software_name, "sluice");
}

TEST(Frame, ReadsBackItsResponses) {
    produce_response produced;
    produced.throttle_time_ms = 9;
    writer out;
    EXPECT_FALSE(write_response(out, produced, 9, 42));
    EXPECT_EQ(to_hex(out.gathered()), "0000000b0000002a00010000000900");

    const std::vector<std::byte> whole = out.gathered();
    reader in(bytes(whole).subspan(frame_prefix_size));
    EXPECT_EQ(read_response_header(in, api_key::produce, 9), 42);
    produce_response back;
    EXPECT_FALSE(decode(back, 9, in));
    EXPECT_EQ(back.throttle_time_ms, 9);

    out.clear();
    EXPECT_EQ(write_response(out, produced, 2, 42), errc::unsupported_version);
    EXPECT_EQ(out.size(), 0u);
}

TEST(Frame, AnApiVersionsAnswerHasNoTagsInItsHeader_VER_2) {
    writer out;
    EXPECT_FALSE(write_response(out, api_versions_response{}, 3, 5));
    EXPECT_EQ(to_hex(out.gathered()), "0000000c000000050000010000000000");
}

TEST(Frame, SkipsTagsOfHeaders) {
    const auto request = from_hex("0000 0009 00000007 ffff 01 05 02 aaaa 7f");
    reader in(request);
    EXPECT_EQ(read_request_header(in).correlation_id, 7);
    EXPECT_EQ(in.read_int8(), 0x7f);

    const auto response = from_hex("00000007 01 05 02 aaaa 7f");
    reader answer(response);
    EXPECT_EQ(read_response_header(answer, api_key::produce, 9), 7);
    EXPECT_EQ(answer.read_int8(), 0x7f);
    EXPECT_FALSE(answer.finished());
}

TEST(Frame, RefusesHeadersThatAreCutOff) {
    const auto request = from_hex("0000 0009 00000007 0001 61 00");
    for (std::size_t size = 0; size < request.size(); ++size) {
        reader in(bytes(request).first(size));
        read_request_header(in);
        EXPECT_EQ(in.error(), errc::protocol_error) << size;
    }
    const auto response = from_hex("00000007 00");
    for (std::size_t size = 0; size < response.size(); ++size) {
        reader in(bytes(response).first(size));
        read_response_header(in, api_key::produce, 9);
        EXPECT_EQ(in.error(), errc::protocol_error) << size;
    }
}

}  // namespace
}  // namespace sluice::wire
