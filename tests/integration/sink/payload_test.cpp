// sluice-perf makes its payloads itself; the other programs read perf/payload's files. They must be the same bytes.
#include "client/payload.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

#include "base/bytes.hpp"
#include "record/crc32c.hpp"

namespace sluice::perf {
namespace {

// The sums are those of the files that perf/payload writes, and of what perf/README.md says of `random`, taken in Python.
std::uint32_t sum(const std::string& kind, std::size_t size) {
    const payload made(kind, size);
    return crc32c(std::as_bytes(std::span(made.bytes())));
}

TEST(Payload, JsonIsWhatPerfPayloadWrites) {
    EXPECT_EQ(sum("json", 100), 0x8d066d49u);
    EXPECT_EQ(sum("json", 1024), 0x2d0c0b57u);
}

TEST(Payload, RandomIsTheSameInEveryProgram) {
    EXPECT_EQ(sum("random", 100), 0x89267099u);
}

TEST(Payload, IsCutIntoValuesThatAreUsedInTurn) {
    const payload made("random", 300'000);

    payload::cursor from_the_start(made, 0);
    EXPECT_EQ(from_the_start.next().data(), made.bytes().data());
    EXPECT_EQ(from_the_start.next().data(), made.bytes().data() + 300'000);
    EXPECT_EQ(from_the_start.next().data(), made.bytes().data() + 600'000);
    EXPECT_EQ(from_the_start.next().data(), made.bytes().data()) << "three fit into a mebibyte";
    EXPECT_EQ(from_the_start.next().size(), 300'000u);
    EXPECT_EQ(payload::cursor(made, 3'000'002).next().data(), made.bytes().data() + 600'000);
}

TEST(Payload, SaysWhatIsWrongWithAFile) {
    EXPECT_THROW(payload("/no/such/file", 100), std::runtime_error);
    EXPECT_THROW(payload("json", 50), std::runtime_error);
}

TEST(Keys, AreThoseOfEveryProgram) {
    const keys made;

    EXPECT_EQ(made.key(0), "1d0b14e4db018fed");
    EXPECT_EQ(made.key(1), "b3466f8a7b81a989");
    EXPECT_EQ(made.key(1024), made.key(0));
}

}  // namespace
}  // namespace sluice::perf
