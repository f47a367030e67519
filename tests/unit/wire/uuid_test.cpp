#include "wire/uuid.hpp"

#include <gtest/gtest.h>

namespace sluice::wire {
namespace {

TEST(Uuid, PrintsAsKafkaDoes) {
    uuid id;
    EXPECT_EQ(id.text(), "AAAAAAAAAAAAAAAAAAAAAA");

    id.octets[15] = std::byte{1};
    EXPECT_EQ(id.text(), "AAAAAAAAAAAAAAAAAAAAAQ") << "Uuid.METADATA_TOPIC_ID";

    id.octets.fill(std::byte{0xff});
    EXPECT_EQ(id.text(), "_____________________w");
}

TEST(Uuid, ZeroIsNoId) {
    uuid id;
    EXPECT_TRUE(id.is_zero());
    id.octets[0] = std::byte{1};
    EXPECT_FALSE(id.is_zero());
    EXPECT_NE(id, uuid());
    EXPECT_EQ(std::hash<uuid>()(id), std::hash<uuid>()(uuid{id}));
}

}  // namespace
}  // namespace sluice::wire
