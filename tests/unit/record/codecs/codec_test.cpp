#include "record/codecs/codec.hpp"

#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "unit/wire/hex.hpp"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLUICE_TEST_HEAP_OF_SANITIZER
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SLUICE_TEST_HEAP_OF_SANITIZER
#endif
#endif
#ifdef SLUICE_TEST_HEAP_OF_SANITIZER
extern "C" std::size_t __sanitizer_get_current_allocated_bytes();  // g++ has it, but no header of it
#endif

namespace sluice {
namespace {

struct codec_and_level {
    compression type;
    int level;
};

std::ostream& operator<<(std::ostream& out, const codec_and_level& shown) {
    return out << to_string(shown.type) << " at level " << shown.level;
}

std::vector<std::byte> bytes_of(std::string_view text) {
    const bytes view = std::as_bytes(std::span(text));
    return {view.begin(), view.end()};
}

// Records as services log them.
std::vector<std::byte> json_like(std::size_t size, std::uint64_t seed) {
    random from(seed);
    std::string text;
    while (text.size() < size) {
        text += "{\"customer\":" + std::to_string(from.below(100000)) +
                ",\"item\":\"espresso\",\"price\":" + std::to_string(from.below(1000)) + "}";
    }
    text.resize(size);
    return bytes_of(text);
}

std::vector<std::byte> random_bytes(std::size_t size, std::uint64_t seed) {
    random from(seed);
    std::vector<std::byte> made(size);
    for (std::byte& each : made) each = static_cast<std::byte>(from.below(256));
    return made;
}

bool compress(compressor& with, bytes body, std::size_t piece_size, output_buffer& to) {
    if (!with.begin(body.size(), to)) return false;
    for (bool is_last = false; !is_last;) {
        const bytes piece = body.first(std::min(piece_size, body.size()));
        body = body.subspan(piece.size());
        is_last = body.empty();
        if (!with.write(piece, is_last, to)) return false;
    }
    return true;
}

std::vector<std::byte> compressed(codec_and_level how, bytes body, std::size_t piece_size = SIZE_MAX) {
    output_buffer made;
    const auto codec = make_compressor(how.type, how.level);
    EXPECT_TRUE(compress(*codec, body, piece_size, made)) << how;
    return {made.content().begin(), made.content().end()};
}

std::vector<std::byte> decompressed(compression type, bytes body, std::size_t size_max) {
    output_buffer raw;
    const error_code error = decompress(type, body, size_max, raw);
    EXPECT_FALSE(error) << to_string(type);
    return {raw.content().begin(), raw.content().end()};
}

error_code error_of(compression type, bytes body, std::size_t size_max) {
    output_buffer raw;
    return decompress(type, body, size_max, raw);
}

class Codec : public ::testing::TestWithParam<codec_and_level> {};

TEST_P(Codec, GivesBackEveryBodyWhateverItsSizeAndItsPieces_CMP_6) {
    const auto codec = make_compressor(GetParam().type, GetParam().level);
    for (const std::size_t size : {std::size_t{1}, std::size_t{2}, std::size_t{61}, std::size_t{1000},
                                   std::size_t{16384}, std::size_t{32768}, std::size_t{32769},
                                   std::size_t{65536}, std::size_t{65537}, std::size_t{1} << 20}) {
        for (const bool is_random : {false, true}) {
            const std::vector<std::byte> body = is_random ? random_bytes(size, size) : json_like(size, size);
            for (const std::size_t piece_size : {std::size_t{1024}, std::size_t{16384}, SIZE_MAX}) {
                output_buffer made;
                ASSERT_TRUE(compress(*codec, body, piece_size, made));
                EXPECT_TRUE(decompressed(GetParam().type, made.content(), size) == body)
                    << size << (is_random ? " random" : "") << " bytes in pieces of " << piece_size;
            }
        }
    }
}

TEST_P(Codec, MakesTextSmaller) {
    const std::vector<std::byte> body = json_like(65536, 1);
    EXPECT_LT(compressed(GetParam(), body).size(), body.size() / 2);
}

TEST_P(Codec, ForgetsABodyThatWasNotEnded) {
    const auto codec = make_compressor(GetParam().type, GetParam().level);
    const std::vector<std::byte> left = random_bytes(100'000, 1);
    const std::vector<std::byte> body = json_like(5000, 2);
    output_buffer made;
    ASSERT_TRUE(codec->begin(2 * left.size(), made));
    ASSERT_TRUE(codec->write(left, false, made));
    made.clear();

    ASSERT_TRUE(compress(*codec, body, 700, made));

    EXPECT_TRUE(decompressed(GetParam().type, made.content(), body.size()) == body);
}

TEST_P(Codec, RefusesWhatBecomesMoreThanTheLimit) {
    const std::vector<std::byte> bomb = compressed(GetParam(), std::vector<std::byte>(4 << 20));
    EXPECT_LT(bomb.size(), std::size_t{300'000});
    for (const std::size_t size_max :
         {std::size_t{0}, std::size_t{1}, std::size_t{100'000}, (std::size_t{4} << 20) - 1}) {
        output_buffer raw;
        EXPECT_EQ(decompress(GetParam().type, bomb, size_max, raw), errc::protocol_error) << size_max;
        EXPECT_LE(raw.size(), size_max + 1) << "it stops there";
    }
    EXPECT_FALSE(error_of(GetParam().type, bomb, std::size_t{4} << 20));
}

TEST_P(Codec, RefusesWhatIsCutOffOrGoesOn) {
    std::vector<std::byte> body = compressed(GetParam(), json_like(3000, 3));
    for (std::size_t size = 0; size < body.size(); ++size) {
        // Of xerial's framing a few blocks less are a whole stream too; here there is one.
        if (GetParam().type == compression::snappy && size == 16) continue;
        EXPECT_TRUE(error_of(GetParam().type, bytes(body).first(size), 3000))
            << size << " of " << body.size();
    }
    body.push_back(std::byte{1});
    EXPECT_TRUE(error_of(GetParam().type, body, 3000));
}

TEST_P(Codec, NeverReadsOrWritesBeyondItsBuffersWhenBytesAreWrong) {
    const std::vector<std::byte> good = compressed(GetParam(), json_like(2000, 4));
    random from(5);
    for (int i = 0; i < 2000; ++i) {
        std::vector<std::byte> wrong = good;
        for (std::uint64_t changes = 1 + from.below(4); changes > 0; --changes)
            wrong[from.below(wrong.size())] = static_cast<std::byte>(from.below(256));
        output_buffer raw;
        const error_code error = decompress(GetParam().type, wrong, 4000, raw);
        EXPECT_TRUE(error || raw.size() <= 4000u);
    }
}

INSTANTIATE_TEST_SUITE_P(
    , Codec,
    ::testing::Values(codec_and_level{compression::gzip, -1}, codec_and_level{compression::gzip, 1},
                      codec_and_level{compression::gzip, 9}, codec_and_level{compression::snappy, 0},
                      codec_and_level{compression::lz4, 9}, codec_and_level{compression::lz4, 1},
                      codec_and_level{compression::lz4, 17}, codec_and_level{compression::zstd, 3},
                      codec_and_level{compression::zstd, -5}, codec_and_level{compression::zstd, 9},
                      codec_and_level{compression::zstd, 19}, codec_and_level{compression::zstd, 22}));

// ---- what each looks like

std::string first_bytes(const std::vector<std::byte>& of, std::size_t count) {
    return wire::to_hex(bytes(of).first(count));
}

TEST(Codecs, GzipIsAMember_CMP_2) {
    EXPECT_EQ(first_bytes(compressed({compression::gzip, -1}, json_like(100, 1)), 3), "1f8b08");
}

TEST(Codecs, SnappyIsInXerialsFramingWithBlocksOf32KB_CMP_3) {
    const std::vector<std::byte> made =
        compressed({compression::snappy, 0}, std::vector<std::byte>(70'000), 1000);
    EXPECT_EQ(first_bytes(made, 16), "82534e41505059000000000100000001");
    std::size_t at = 16;
    std::vector<std::size_t> raw_sizes;
    while (at < made.size()) {
        const auto size =
            std::to_integer<std::size_t>(made[at + 2]) << 8 | std::to_integer<std::size_t>(made[at + 3]);
        EXPECT_EQ(first_bytes({made.begin() + static_cast<std::ptrdiff_t>(at), made.end()}, 2), "0000");
        std::size_t raw_size = 0;
        for (int i = 0; i < 3; ++i)
            raw_size |= (std::to_integer<std::size_t>(made[at + 4 + static_cast<std::size_t>(i)]) & 0x7f)
                        << (7 * i);
        raw_sizes.push_back(raw_size);
        at += 4 + size;
    }
    EXPECT_EQ(at, made.size());
    EXPECT_EQ(raw_sizes, (std::vector<std::size_t>{32768, 32768, 70'000 - 65536}));
}

TEST(Codecs, Lz4IsAFrameOfIndependentBlocksOf64KB_CMP_4) {
    const std::vector<std::byte> incompressible = random_bytes(100'000, 6);
    const std::vector<std::byte> made = compressed({compression::lz4, 9}, incompressible, 16384);
    EXPECT_EQ(first_bytes(made, 7), "04224d18604082") << "magic, FLG, BD, header checksum";
    EXPECT_EQ(wire::to_hex(bytes(made).subspan(7, 4)), "00000180") << "64 KB, stored";
    EXPECT_EQ(wire::to_hex(bytes(made).subspan(11 + 65536, 4)), "a0860080") << "34464 bytes, stored";
    EXPECT_EQ(wire::to_hex(bytes(made).last(4)), "00000000");
}

TEST(Codecs, ZstdIsAFrame_CMP_5) {
    EXPECT_EQ(first_bytes(compressed({compression::zstd, 3}, json_like(100, 1)), 4), "28b52ffd");
}

TEST(Codecs, TheFastestLevelOfZstdIsOneToo) {
    const std::vector<std::byte> body = json_like(100'000, 7);
    const std::vector<std::byte> made = compressed({compression::zstd, -131072}, body, 16384);
    EXPECT_TRUE(decompressed(compression::zstd, made, body.size()) == body);
}

TEST(Codecs, AFrameOfZstdThatAsksForALargeWindowGetsNoSuchMemory) {
    // A window of 2 GB, a last block of one byte repeated, of which there are 1000.
    const std::vector<std::byte> frame = wire::from_hex("28b52ffd00a8431f0041");

    EXPECT_TRUE(error_of(compression::zstd, frame, 999));
    EXPECT_EQ(decompressed(compression::zstd, frame, 1000).size(), 1000u);
}

// ---- what is done in one go

// What is allocated on the heap, by whomever.
std::size_t heap_bytes() {
#ifdef SLUICE_TEST_HEAP_OF_SANITIZER
    return __sanitizer_get_current_allocated_bytes();
#else
    const struct mallinfo2 now = mallinfo2();
    return now.uordblks + now.hblkhd;
#endif
}

std::size_t little_endian(bytes from, std::size_t count) {
    std::size_t value = 0;
    for (std::size_t i = count; i > 0; --i) value = value << 8 | std::to_integer<std::size_t>(from[i - 1]);
    return value;
}

// RFC 8878, 3.1.1.1: a magic of four bytes, a descriptor, then a window, unless the window is the content, and its size.
struct zstd_frame_header {
    std::size_t size;
    std::size_t window_size;

    explicit zstd_frame_header(bytes frame) {
        const auto descriptor = std::to_integer<unsigned>(frame[4]);
        const bool is_single_segment = (descriptor & 0x20) != 0;
        const std::size_t of_size =
            descriptor >> 6 == 0 ? (is_single_segment ? 1 : 0) : std::size_t{1} << (descriptor >> 6);
        size = 5 + (is_single_segment ? 0 : 1) + of_size;
        if (is_single_segment) {
            window_size = little_endian(frame.subspan(5), of_size) + (of_size == 2 ? 256 : 0);
        } else {
            const auto window = std::to_integer<unsigned>(frame[5]);
            const std::size_t base = std::size_t{1} << (10 + (window >> 3));
            window_size = base + base / 8 * (window & 7);
        }
    }
};

// The sizes of the blocks of a frame of what cannot be compressed, which are as many bytes of input.
std::vector<std::size_t> raw_block_sizes(bytes frame) {
    std::vector<std::size_t> sizes;
    for (bool is_last = false; !is_last;) {
        const std::size_t header = little_endian(frame, 3);
        is_last = (header & 1) != 0;
        EXPECT_EQ(header >> 1 & 3, 0u) << "raw";
        sizes.push_back(header >> 3);
        frame = frame.subspan(3 + sizes.back());
    }
    return sizes;
}

TEST(Codecs, ZstdEndsItsBlocksAt64KBFromLevel6On) {
    const std::vector<std::byte> body = random_bytes(200'000, 8);
    for (const int level : {1, 3, 5, 6, 7, 8, 9, 12, 19, 22}) {
        const std::vector<std::byte> made = compressed({compression::zstd, level}, body, 16384);
        std::size_t largest = 0;
        for (const std::size_t size : raw_block_sizes(bytes(made).subspan(zstd_frame_header(made).size)))
            largest = std::max(largest, size);
        EXPECT_EQ(largest, level >= 6 ? 65536u : 131072u) << level;
    }
}

TEST(Codecs, ZstdTakesNoLargerWindowThanTheBody) {
    for (const std::size_t size :
         {std::size_t{1024}, std::size_t{16384}, std::size_t{300'000}, std::size_t{1} << 20}) {
        const std::vector<std::byte> body = json_like(size, 9);
        for (const int level : {-5, 1, 3, 6, 9, 19, 22}) {
            const std::vector<std::byte> made = compressed({compression::zstd, level}, body, 16384);
            EXPECT_LE(zstd_frame_header(made).window_size, size) << "level " << level;
        }
    }
}

// The pages that are touched for the first time cost the more, the more there are: 2 ms for 4 MB.
TEST(Codecs, ZstdUpToLevel9NeedsFewMegabytesAndTakesThemWhenItBegins) {
    const std::vector<std::byte> body = json_like(std::size_t{1} << 20, 10);
    for (int level = 1; level <= 9; ++level) {
        output_buffer made;
        made.room(2 * body.size());
        const auto codec = make_compressor(compression::zstd, level);
        const std::size_t before = heap_bytes();

        ASSERT_TRUE(codec->begin(body.size(), made));
        const std::size_t begun = heap_bytes();
        ASSERT_TRUE(codec->write(bytes(body).first(200'000), false, made));
        const std::size_t written = heap_bytes();

        EXPECT_LT(begun - before, std::size_t{6} << 20)
            << "level " << level << ", the window's 1.3 MB included";
        EXPECT_GT(begun, before) << "level " << level;
        EXPECT_EQ(written, begun) << "level " << level;
    }
}

TEST(Codecs, Lz4BeyondLevel5DoesWhatLevel5DoesSinceItsBlocksWouldTakeTooLong) {
    const std::vector<std::byte> body = json_like(200'000, 11);
    const std::vector<std::byte> bounded = compressed({compression::lz4, 5}, body);
    for (const int level : {6, 7, 8, 10, 12, 17})
        EXPECT_TRUE(compressed({compression::lz4, level}, body) == bounded) << level;
    EXPECT_LT(bounded.size(), compressed({compression::lz4, 4}, body).size());
    EXPECT_LT(bounded.size(), compressed({compression::lz4, 9}, body).size()) << "9 is the fast one";
}

TEST(Codecs, NoneIsNoCodec) {
    EXPECT_EQ(error_of(compression::none, {}, 10), errc::protocol_error);
    EXPECT_EQ(error_of(static_cast<compression>(5), {}, 10), errc::protocol_error);
}

}  // namespace
}  // namespace sluice
