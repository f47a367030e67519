// What holds for every message, in every version. A new message is one more line in the list.
#include <gtest/gtest.h>

#include "unit/wire/filled_message.hpp"
#include "unit/wire/hex.hpp"
#include "wire/api/api_versions.hpp"
#include "wire/api/init_producer_id.hpp"
#include "wire/api/metadata.hpp"
#include "wire/api/produce.hpp"
#include "wire/codec/is_default.hpp"

namespace sluice::wire {
namespace {

template <class Message>
class EveryMessage : public testing::Test {
protected:
    static constexpr version_range versions = Message::versions;

    static std::vector<std::byte> encoded(const Message& value, std::int16_t version) {
        writer out;
        EXPECT_FALSE(encode(value, version, out)) << print(value, version);
        return out.gathered();
    }
    static error_code decoded(Message& value, std::int16_t version, bytes body) {
        reader in(body);
        return decode(value, version, in);
    }
};

using messages =
    testing::Types<api_versions_request, api_versions_response, metadata_request, metadata_response,
                   produce_request, produce_response, init_producer_id_request, init_producer_id_response>;

struct message_names {
    template <class Message>
    static std::string GetName(int) {
        return std::string(Message::name);
    }
};
TYPED_TEST_SUITE(EveryMessage, messages, message_names);

TYPED_TEST(EveryMessage, SurvivesTheWayThereAndBackInEveryVersion) {
    for (std::int16_t version = this->versions.min; version <= this->versions.max; ++version) {
        for (std::uint64_t seed = 0; seed < 40; ++seed) {
            filler fields(version, seed);
            TypeParam value;
            fields.fill(value);
            const std::vector<std::byte> body = this->encoded(value, version);

            TypeParam back;
            ASSERT_FALSE(this->decoded(back, version, body)) << print(value, version);
            EXPECT_EQ(print(back, version), print(value, version));
            EXPECT_EQ(this->encoded(back, version), body) << print(value, version);
        }
    }
}

TYPED_TEST(EveryMessage, CutOffAnywhereIsAnError) {
    for (std::int16_t version = this->versions.min; version <= this->versions.max; ++version) {
        for (std::uint64_t seed = 0; seed < 4; ++seed) {
            filler fields(version, seed);
            TypeParam value;
            fields.fill(value);
            const std::vector<std::byte> body = this->encoded(value, version);
            for (std::size_t size = 0; size < body.size(); ++size) {
                const std::vector<std::byte> cut(body.begin(),
                                                 body.begin() + static_cast<std::ptrdiff_t>(size));
                TypeParam back;
                ASSERT_EQ(this->decoded(back, version, cut), errc::protocol_error) << version << ' ' << size;
            }
        }
    }
}

TYPED_TEST(EveryMessage, BytesBehindTheEndAreAnError) {
    for (std::int16_t version = this->versions.min; version <= this->versions.max; ++version) {
        filler fields(version, 1);
        TypeParam value;
        fields.fill(value);
        std::vector<std::byte> body = this->encoded(value, version);
        body.push_back(std::byte{0});

        TypeParam back;
        EXPECT_EQ(this->decoded(back, version, body), errc::protocol_error) << version;
    }
}

TYPED_TEST(EveryMessage, KeepsUnknownTagsOfItsOwnLevel) {
    const auto data = from_hex("0102");
    for (std::int16_t version = this->versions.min; version <= this->versions.max; ++version) {
        TypeParam value;
        value.unknown_tags = {{1000, data}, {70000, bytes()}};
        writer out;
        const error_code error = encode(value, version, out);
        if (version < TypeParam::flexible_from) {
            EXPECT_EQ(error, errc::unsupported_version) << "no place for tags in v" << version;
            EXPECT_EQ(out.size(), 0u);
            continue;
        }
        ASSERT_FALSE(error);

        TypeParam back;
        const std::vector<std::byte> body = out.gathered();
        ASSERT_FALSE(this->decoded(back, version, body));
        ASSERT_EQ(back.unknown_tags.size(), 2u);
        EXPECT_EQ(back.unknown_tags[0].tag, 1000u);
        EXPECT_EQ(to_hex(back.unknown_tags[0].content), "0102");
        EXPECT_EQ(this->encoded(back, version), body);
    }
}

TYPED_TEST(EveryMessage, KnowsNoOtherVersions) {
    for (const int version : {this->versions.min - 1, this->versions.max + 1, -1, 32767}) {
        writer out;
        TypeParam value;
        const auto narrow = static_cast<std::int16_t>(version);
        EXPECT_EQ(encode(value, narrow, out), errc::unsupported_version) << version;
        EXPECT_EQ(this->decoded(value, narrow, bytes()), errc::unsupported_version) << version;
        EXPECT_EQ(out.size(), 0u);
    }
}

TYPED_TEST(EveryMessage, ForgetsWhatItHeldBeforeDecoding) {
    const auto data = from_hex("0102");
    for (std::int16_t version = this->versions.min; version <= this->versions.max; ++version) {
        TypeParam fresh, used;
        filler small(version, 1);
        small.fill(fresh);
        const std::vector<std::byte> body = this->encoded(fresh, version);
        filler full(this->versions.max, 2);
        full.fill(used);
        used.unknown_tags = {{5, data}};

        ASSERT_FALSE(this->decoded(used, version, body));
        ASSERT_FALSE(this->decoded(fresh, version, body));

        EXPECT_EQ(print(used, this->versions.max), print(fresh, this->versions.max))
            << "also what v" << version << " does not carry";
        EXPECT_TRUE(used.unknown_tags.empty());
    }
}

TYPED_TEST(EveryMessage, StartsWithTheDefaultsItDescribes) {
    EXPECT_TRUE(codec::is_default(TypeParam{}, TypeParam{}));
}

// The encoder writes known tags in the order of `describe`.
class tag_order {
public:
    template <class T>
    void operator()(const field& place, const T&, const std::type_identity_t<T>& = T()) {
        if (place.is_tagged()) {
            EXPECT_TRUE(!before_ || place.tag() > *before_) << place.name();
            before_ = place.tag();
        }
        check<T>();
    }
    template <class T>
    static void check() {
        if constexpr (codec::described<T>) {
            const T value{};
            tag_order inside;
            T::describe(value, inside);
        } else if constexpr (codec::array<T> || codec::nullable<T>) {
            check<typename T::value_type>();
        }
    }

private:
    std::optional<std::uint32_t> before_;
};

TYPED_TEST(EveryMessage, DescribesItsTagsInAscendingOrder) {
    tag_order::check<TypeParam>();
}

}  // namespace
}  // namespace sluice::wire
