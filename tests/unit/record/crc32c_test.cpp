#include "record/crc32c.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "base/random.hpp"

namespace sluice {
namespace {

TEST(Crc32c, IsCastagnolis_RB_3) {
    EXPECT_EQ(crc32c(as_bytes("123456789")), 0xe3069283u);
    EXPECT_EQ(crc32c({}), 0u);
}

TEST(Crc32c, ExtendingAndCombiningGiveTheChecksumOfTheWhole) {
    random randomness(3);
    std::vector<std::byte> data(70000);
    for (std::byte& each : data) each = static_cast<std::byte>(randomness.next());

    for (std::size_t size_b : {0ul, 1ul, 39ul, 255ul, 256ul, 16323ul, 65536ul, 69960ul}) {
        const bytes whole(data.data(), 40 + size_b);
        const std::uint32_t head = crc32c(whole.first(40));
        EXPECT_EQ(crc32c_extend(head, whole.subspan(40)), crc32c(whole)) << size_b;
        EXPECT_EQ(crc32c_combine(head, crc32c(whole.subspan(40)), size_b), crc32c(whole)) << size_b;
    }
}

}  // namespace
}  // namespace sluice
