#include "wire/message.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "unit/wire/hex.hpp"
#include "wire/codec/message_codec.hpp"

namespace sluice::wire {
namespace {

// Has every kind of field; flexible from version 2 on, as the API that lends its key.
struct leaf {
    std::int32_t number = 7;
    std::optional<std::string_view> note;

    template <class Self, class Fields>
    static void describe(Self& self, Fields& fields) {
        fields(field("number"), self.number, 7);
        fields(field("note").since(2).tagged(3), self.note);
    }
};

struct sample {
    static constexpr api_key key = api_key::sasl_authenticate;
    static constexpr std::string_view name = "Sample";
    static constexpr version_range versions{0, 2};
    static constexpr std::int16_t flexible_from = 2;

    bool flag = false;
    std::int8_t tiny = 0;
    double ratio = 0;
    bytes secret;
    std::optional<bytes> proof;
    std::optional<std::string_view> id;            // not null in version 0
    std::optional<std::vector<std::int8_t>> list;  // not null in version 0
    std::vector<std::string_view> names;
    std::int64_t late = -1;    // 1+, must not be lost
    std::int16_t hint = 0;     // 1+, may be lost
    std::int16_t early = 0;    // version 0 alone
    wire::records batch;       // not null in version 0
    leaf first_tag;            // 2+, tag 1
    std::vector<leaf> leaves;  // 2+, tag 4
    wire::unknown_tags unknown_tags;

    template <class Self, class Fields>
    static void describe(Self& self, Fields& fields) {
        fields(field("flag"), self.flag);
        fields(field("tiny"), self.tiny);
        fields(field("ratio"), self.ratio);
        fields(field("secret"), self.secret);
        fields(field("proof"), self.proof);
        fields(field("id").nullable_since(1), self.id);
        fields(field("list").nullable_since(1), self.list);
        fields(field("names"), self.names);
        fields(field("late").since(1), self.late, -1);
        fields(field("hint").since(1).ignorable(), self.hint);
        fields(field("early").until(0).ignorable(), self.early);
        fields(field("batch").nullable_since(1), self.batch);
        fields(field("firstTag").since(2).tagged(1), self.first_tag);
        fields(field("leaves").since(2).tagged(4), self.leaves);
    }
};

sample valid_in_all_versions() {
    sample value;
    value.id = "i";
    value.list.emplace();
    value.batch = records(bytes());
    return value;
}

std::string encoded(const sample& value, std::int16_t version) {
    writer out;
    const error_code error = encode(value, version, out);
    return error ? error.message() : to_hex(out.gathered());
}

error_code decode_hex(sample& value, std::int16_t version, std::string_view hex) {
    const std::vector<std::byte> body = from_hex(hex);
    reader in(body);
    return decode(value, version, in);
}

const std::string refused = error_code(errc::unsupported_version).message();

// flag tiny ratio secret proof id list names late hint batch, in version 2 up to where the tagged section
// begins.
const std::string plain_part = "00 00 0000000000000000 01 00 00 00 01 ffffffffffffffff 0000 00";

TEST(Message, WritesEveryKindOfField) {
    const auto secret = from_hex("5ec1");
    sample value = valid_in_all_versions();
    value.flag = true;
    value.tiny = -1;
    value.ratio = 1.5;
    value.secret = secret;
    value.list = {1, -1};
    value.names = {"a", ""};
    value.early = 9;
    value.batch = records(secret);

    EXPECT_EQ(encoded(value, 0),
              "01"
              "ff"
              "3ff8000000000000"
              "00000002"
              "5ec1"
              "ffffffff"
              "0001"
              "69"
              "00000002"
              "01ff"
              "00000002"
              "000161"
              "0000"
              "0009"
              "00000002"
              "5ec1");
    EXPECT_EQ(encoded(value, 2),
              "01"
              "ff"
              "3ff8000000000000"
              "03"
              "5ec1"
              "00"
              "02"
              "69"
              "03"
              "01ff"
              "03"
              "0261"
              "01"
              "ffffffffffffffff"
              "0000"
              "03"
              "5ec1"
              "00");
}

TEST(Message, RefusesToLoseWhatAVersionCannotCarry) {
    sample value = valid_in_all_versions();
    value.late = 5;

    EXPECT_EQ(encoded(value, 0), refused);
    EXPECT_NE(encoded(value, 1), refused);
}

TEST(Message, DropsWhatIsIgnorable) {
    sample value = valid_in_all_versions();
    const std::string without = encoded(value, 0);
    value.hint = 5;

    EXPECT_EQ(encoded(value, 0), without);
}

TEST(Message, RefusesANullThatAVersionCannotCarry) {
    sample no_id = valid_in_all_versions();
    no_id.id.reset();
    sample no_list = valid_in_all_versions();
    no_list.list.reset();
    sample no_batch = valid_in_all_versions();
    no_batch.batch = records();

    for (const sample& value : {no_id, no_list, no_batch}) {
        EXPECT_EQ(encoded(value, 0), refused);
        EXPECT_NE(encoded(value, 1), refused);
    }
}

TEST(Message, RefusesStringsThatJavaWouldRefuse) {
    const std::string longest(string_size_max, 'x');
    const std::string too_long(string_size_max + 1, 'x');
    for (const std::int16_t version : {std::int16_t{0}, std::int16_t{2}}) {
        sample value = valid_in_all_versions();
        value.id = longest;
        value.names = {longest};
        EXPECT_NE(encoded(value, version), refused);
        value.id = too_long;
        EXPECT_EQ(encoded(value, version), refused);
        value.id = "";
        value.names = {too_long};
        EXPECT_EQ(encoded(value, version), refused);
    }
}

TEST(Message, RefusesBytesAndRecordsThatNoLengthCanCount) {
    // A span of 2^31 - 1 bytes that nobody touches.
    const auto byte = std::byte{0};
    const bytes endless(&byte, 0x7fffffff);
    sample value = valid_in_all_versions();
    value.batch = records(endless);
    EXPECT_EQ(encoded(value, 0), refused);

    value = valid_in_all_versions();
    value.secret = endless;
    EXPECT_EQ(encoded(value, 2), refused);

    value = valid_in_all_versions();
    value.unknown_tags = {{9, endless}};
    EXPECT_EQ(encoded(value, 2), refused);
}

TEST(Message, LeavesTheWriterAsItWasWhenItRefuses) {
    const std::vector<std::byte> large(1000);
    sample value = valid_in_all_versions();
    value.batch = records(large);
    value.names = {std::string_view("x")};
    value.late = 5;
    writer out;
    out.write_int8(1);

    EXPECT_EQ(encode(value, 0, out), errc::unsupported_version);

    EXPECT_EQ(to_hex(out.gathered()), "01");
}

TEST(Message, TaggedFieldsAreLeftOutWhenTheyAreTheirDefault) {
    sample value;
    EXPECT_EQ(encoded(value, 2), to_hex(from_hex(plain_part + "00")));

    value.first_tag.number = 8;
    EXPECT_EQ(encoded(value, 2), to_hex(from_hex(plain_part + "01 01 05 00000008 00")))
        << "with a section of its own";

    value.first_tag.number = 7;
    value.first_tag.note = "n";
    EXPECT_EQ(encoded(value, 2), to_hex(from_hex(plain_part + "01 01 09 00000007 01 03 02 026e")));
}

TEST(Message, RefusesATaggedFieldInVersionsWithoutTags) {
    sample value = valid_in_all_versions();
    value.first_tag.number = 8;
    EXPECT_EQ(encoded(value, 1), refused);
}

TEST(Message, MergesKnownAndUnknownTagsInAscendingOrder) {
    const auto data = from_hex("aa");
    sample value;
    value.first_tag.number = 8;
    value.leaves.resize(1);
    value.unknown_tags = {{0, data}, {2, data}, {9, bytes()}};

    EXPECT_EQ(encoded(value, 2), to_hex(from_hex(plain_part + "05  00 01 aa  01 05 00000008 00  02 01 aa"
                                                              "  04 06 02 00000007 00  09 00")));
}

TEST(Message, RefusesTagsThatDoNotAscend) {
    const auto data = from_hex("aa");
    sample value;
    value.unknown_tags = {{3, data}, {3, data}};
    EXPECT_EQ(encoded(value, 2), refused) << "twice";

    value.unknown_tags = {{5, data}, {3, data}};
    EXPECT_EQ(encoded(value, 2), refused) << "descending";

    value.unknown_tags = {{1, data}};
    value.first_tag.number = 8;
    EXPECT_EQ(encoded(value, 2), refused) << "tag 1 is known";
}

TEST(Message, ReadsTaggedFieldsAndKeepsUnknownOnes) {
    sample value;
    const std::vector<std::byte> body =
        from_hex(plain_part + "03 01 05 00000008 00  02 01 aa  04 06 02 00000007 00");
    reader in(body);

    ASSERT_FALSE(decode(value, 2, in));

    EXPECT_EQ(value.first_tag.number, 8);
    ASSERT_EQ(value.leaves.size(), 1u);
    ASSERT_EQ(value.unknown_tags.size(), 1u);
    EXPECT_EQ(value.unknown_tags[0].tag, 2u);
}

TEST(Message, SkipsUnknownTagsInsideStructs) {
    sample value;
    // In first_tag: tag 0 is unknown, tag 3 is the note, tag 8 is unknown.
    ASSERT_FALSE(decode_hex(value, 2, plain_part + "01 01 0f 00000008 03 00 01 aa 03 02 026e 08 01 bb"));

    EXPECT_EQ(value.first_tag.number, 8);
    EXPECT_TRUE(value.first_tag.note.has_value());
    EXPECT_TRUE(value.unknown_tags.empty());
}

TEST(Message, ATaggedFieldMustFillItsSizeExactly) {
    sample value;
    EXPECT_EQ(decode_hex(value, 2, plain_part + "01 01 06 00000008 00 ff"), errc::protocol_error)
        << "too long";
    EXPECT_EQ(decode_hex(value, 2, plain_part + "01 01 04 00000008"), errc::protocol_error) << "too short";
    EXPECT_EQ(decode_hex(value, 2, plain_part + "01 01 00"), errc::protocol_error) << "empty";
}

TEST(Message, RefusesRepeatedAndDescendingTags) {
    sample value;
    EXPECT_EQ(decode_hex(value, 2, plain_part + "02 02 00 02 00"), errc::protocol_error);
    EXPECT_EQ(decode_hex(value, 2, plain_part + "02 03 00 02 00"), errc::protocol_error);
    EXPECT_EQ(decode_hex(value, 2, plain_part + "02 02 00"), errc::protocol_error) << "one is missing";
}

TEST(Message, RefusesNullsThatAVersionDoesNotAllow) {
    const auto body = [](std::string_view id, std::string_view list, std::string_view names,
                         std::string_view batch) {
        return fmt::format("00 00 0000000000000000 00000000 ffffffff {}{}{}0000{}", id, list, names, batch);
    };
    sample value;
    ASSERT_FALSE(decode_hex(value, 0, body("0000", "00000000", "00000000", "00000000")));
    EXPECT_EQ(decode_hex(value, 0, body("ffff", "00000000", "00000000", "00000000")), errc::protocol_error);
    EXPECT_EQ(decode_hex(value, 0, body("0000", "ffffffff", "00000000", "00000000")), errc::protocol_error);
    EXPECT_EQ(decode_hex(value, 0, body("0000", "00000000", "ffffffff", "00000000")), errc::protocol_error);
    EXPECT_EQ(decode_hex(value, 0, body("0000", "00000000", "00000000", "ffffffff")), errc::protocol_error);
}

TEST(Message, ReadsNullableListsAsNullOrEmpty) {
    sample value;
    ASSERT_FALSE(decode_hex(value, 2, plain_part + "00"));
    EXPECT_FALSE(value.list.has_value());

    ASSERT_FALSE(decode_hex(value, 2, "00 00 0000000000000000 01 00 00 01 01 ffffffffffffffff 0000 00 00"));
    ASSERT_TRUE(value.list.has_value());
    EXPECT_TRUE(value.list->empty());
}

TEST(Message, BelievesNoCountThatTheFrameCannotHold) {
    sample value;
    // 2 leaves take at least 10 bytes in version 2; 5 are there.
    EXPECT_EQ(decode_hex(value, 2, plain_part + "01 04 06 03 00000007 00"), errc::protocol_error);
    EXPECT_LT(value.leaves.capacity(), 2u) << "nothing was made room for";
    EXPECT_EQ(decode_hex(value, 2, plain_part + "01 04 06 ffffffff0f 00"), errc::protocol_error);
}

TEST(Message, KnowsTheSmallestSizesOfElements) {
    EXPECT_EQ(codec::smallest_size<leaf>(0, encoding::plain), 4u);
    EXPECT_EQ(codec::smallest_size<leaf>(2, encoding::compact), 5u)
        << "its note is tagged, its section is not free";
    EXPECT_EQ(codec::smallest_size<std::string_view>(0, encoding::plain), 2u);
    EXPECT_EQ(codec::smallest_size<std::string_view>(2, encoding::compact), 1u);
    EXPECT_EQ(codec::smallest_size<bytes>(0, encoding::plain), 4u);
    EXPECT_EQ(codec::smallest_size<uuid>(0, encoding::plain), 16u);
    EXPECT_EQ(codec::smallest_size<std::vector<leaf>>(0, encoding::plain), 4u);
}

TEST(Message, KnowsWhatIsDefault) {
    const auto content = from_hex("01");
    const auto differs = [](auto value) { return !codec::is_default(value, decltype(value)()); };

    EXPECT_FALSE(differs(records()));
    EXPECT_TRUE(differs(records(bytes()))) << "null is the default, empty is not null";
    EXPECT_FALSE(differs(bytes()));
    EXPECT_TRUE(differs(bytes(content)));
    EXPECT_TRUE(differs(std::optional<bytes>(bytes())));
    EXPECT_FALSE(differs(std::vector<leaf>()));
    EXPECT_TRUE(differs(std::vector<leaf>(1)));
    EXPECT_FALSE(differs(leaf()));
    EXPECT_TRUE(differs(leaf{0, std::nullopt})) << "its number is 7 by default";
}

TEST(Message, CopiesSmallPiecesAndRefersToLargeOnes) {
    const std::vector<std::byte> header(61, std::byte{1});
    const std::vector<std::byte> body(records::copied_size_max + 1, std::byte{2});
    const std::vector<bytes> list{header, body};
    sample value = valid_in_all_versions();
    value.batch = records(std::span<const bytes>(list));
    writer out;
    ASSERT_FALSE(encode(value, 1, out));

    std::vector<iovec> pieces;
    out.pieces(pieces);

    ASSERT_EQ(pieces.size(), 2u) << "fields and header, body";
    EXPECT_EQ(pieces[1].iov_base, body.data());
    const std::vector<std::byte> whole = out.gathered();
    EXPECT_EQ(to_hex(bytes(whole).last(61 + body.size()).first(61)), to_hex(header));
}

TEST(Message, PrintsOneLineWithoutPayloads) {
    const auto secret = from_hex("736563726574");
    sample value = valid_in_all_versions();
    value.secret = secret;
    value.batch = records(secret);
    value.names = {"line\nbreak", "quote\"", "日志"};
    value.leaves.resize(1);

    EXPECT_EQ(print(value, 2),
              "Sample v2 {flag: false, tiny: 0, ratio: 0, secret: 6 bytes, proof: null, id: \"i\", list: [], "
              "names: [\"line\\x0abreak\", \"quote\\x22\", \"日志\"], late: -1, hint: 0, batch: 6 bytes, "
              "firstTag: {number: 7, note: null}, leaves: [{number: 7, note: null}]}");
    value.batch = records();
    EXPECT_NE(print(value, 0).find("early: 0, batch: null}"), std::string::npos) << print(value, 0);
}

}  // namespace
}  // namespace sluice::wire
