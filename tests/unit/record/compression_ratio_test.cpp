#include "record/compression_ratio.hpp"

#include <gtest/gtest.h>

namespace sluice {
namespace {

TEST(CompressionRatio, RisesAtOnceAndFallsSlowly_CMP_7) {
    compression_ratio ratio;
    EXPECT_FLOAT_EQ(ratio.estimate(), 1.0f);
    ratio.note(0.2f);
    EXPECT_FLOAT_EQ(ratio.estimate(), 0.995f);
    ratio.note(0.994f);
    EXPECT_FLOAT_EQ(ratio.estimate(), 0.994f) << "not below what was seen";
    ratio.note(0.995f);
    EXPECT_FLOAT_EQ(ratio.estimate(), 1.044f) << "by 0.05 at least";
    ratio.note(1.3f);
    EXPECT_FLOAT_EQ(ratio.estimate(), 1.3f);
    ratio.note(1.3f);
    EXPECT_FLOAT_EQ(ratio.estimate(), 1.3f);
}

TEST(CompressionRatio, ASplitMakesItOneAtLeast_CMP_10) {
    compression_ratio ratio;
    for (int i = 0; i < 100; ++i) ratio.note(0.1f);
    ratio.note_split(0.2f);
    EXPECT_FLOAT_EQ(ratio.estimate(), 1.0f);
    ratio.note_split(1.2f);
    EXPECT_FLOAT_EQ(ratio.estimate(), 1.2f);
}

}  // namespace
}  // namespace sluice
