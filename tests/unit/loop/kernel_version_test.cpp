#include "loop/kernel_version.hpp"

#include <gtest/gtest.h>

namespace sluice {
namespace {

TEST(KernelVersion, ReadsWhatDistributionsWrite) {
    EXPECT_EQ(kernel_version::parse("6.1.0-18-amd64"), (kernel_version{6, 1}));
    EXPECT_EQ(kernel_version::parse("5.15.0"), (kernel_version{5, 15}));
    EXPECT_EQ(kernel_version::parse("6.18-rc3"), (kernel_version{6, 18}));
    EXPECT_EQ(kernel_version::parse("10.0"), (kernel_version{10, 0}));
    EXPECT_EQ(kernel_version::parse("6.1.0").text(), "6.1");
}

TEST(KernelVersion, TakesWhatItCannotReadForVeryOld) {
    for (const char* release : {"", "6", "6.", "six.one", ".1", "6-1"}) {
        EXPECT_EQ(kernel_version::parse(release), kernel_version{}) << release;
    }
}

TEST(KernelVersion, OrdersByNumberNotByText) {
    EXPECT_LT(kernel_version::parse("5.19"), kernel_version::parse("6.1"));
    EXPECT_LT(kernel_version::parse("6.9"), kernel_version::parse("6.10"));
}

}  // namespace
}  // namespace sluice
