#include "testing/topic_name.hpp"

#include <gtest/gtest.h>

#include <string>

namespace sluice::testing {
namespace {

TEST(TopicName, FollowsKafkasRule) {
    for (const char* legal : {"orders", "a", "A.b_c-9", "...", "__internal"})
        EXPECT_TRUE(is_legal_topic_name(legal)) << legal;
    for (const char* illegal : {"", ".", "..", "a b", "a/b", "ä", "a,b", "a\n"}) {
        EXPECT_FALSE(is_legal_topic_name(illegal)) << illegal;
    }
    EXPECT_TRUE(is_legal_topic_name(std::string(249, 'x')));
    EXPECT_FALSE(is_legal_topic_name(std::string(250, 'x')));
}

}  // namespace
}  // namespace sluice::testing
