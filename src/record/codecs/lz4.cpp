#include "record/codecs/lz4.hpp"

#include <lz4frame.h>
#include <lz4hc.h>

#include <new>

namespace sluice {
namespace {

constexpr std::size_t room_min = 64 * 1024;

// Kafka's default level 9 means the fast compressor, every other one the high-compression one with that level, up to 5.
// A block of 64 KB is compressed in one go, which takes at most 3 ms at level 5, but up to 14 ms at level 8 and 170 at
// level 12, of text with few letters; of other text those leave only 0.6 to 2 % less. Smaller blocks would bound the time, too,
// but know nothing of each other, and leave 15 to 38 % more, which no level makes up for (perf/README.md).
int library_level(int level) noexcept {
    constexpr int fast_in_kafka = 9;
    constexpr int level_max = 5;
    return level == fast_in_kafka ? 0 : std::clamp(level, LZ4HC_CLEVEL_MIN, level_max);
}

class lz4_compressor final : public compressor {
public:
    explicit lz4_compressor(int level) {
        how_.frameInfo.blockSizeID = LZ4F_max64KB;
        how_.frameInfo.blockMode = LZ4F_blockIndependent;
        how_.compressionLevel = library_level(level);
        if (LZ4F_isError(LZ4F_createCompressionContext(&context_, LZ4F_VERSION))) throw std::bad_alloc();
    }
    ~lz4_compressor() override { LZ4F_freeCompressionContext(context_); }

    bool begin(std::size_t, output_buffer& to) override {
        std::byte* const at = to.room(LZ4F_HEADER_SIZE_MAX);
        return took(LZ4F_compressBegin(context_, at, to.room_size(), &how_), to);
    }

    bool write(bytes piece, bool is_last, output_buffer& to) override {
        std::byte* at = to.room(LZ4F_compressBound(piece.size(), &how_));
        if (!took(LZ4F_compressUpdate(context_, at, to.room_size(), piece.data(), piece.size(), nullptr), to))
            return false;
        if (!is_last) return true;
        at = to.room(LZ4F_compressBound(0, &how_));
        return took(LZ4F_compressEnd(context_, at, to.room_size(), nullptr), to);
    }

private:
    static bool took(std::size_t written, output_buffer& to) noexcept {
        if (LZ4F_isError(written)) return false;
        to.add(written);
        return true;
    }

    LZ4F_preferences_t how_{};
    LZ4F_cctx* context_ = nullptr;
};

}  // namespace

std::unique_ptr<compressor> make_lz4_compressor(int level) {
    return std::make_unique<lz4_compressor>(level);
}

error_code decompress_lz4(bytes body, std::size_t size_max, output_buffer& to) {
    LZ4F_dctx* made = nullptr;
    if (LZ4F_isError(LZ4F_createDecompressionContext(&made, LZ4F_VERSION))) throw std::bad_alloc();
    const std::unique_ptr<LZ4F_dctx, LZ4F_errorCode_t (*)(LZ4F_dctx*)> context(
        made, &LZ4F_freeDecompressionContext);
    const std::size_t size_before = to.size();
    for (;;) {
        std::byte* const at = to.room(room_min);
        // One byte beyond the limit shows that it is passed.
        std::size_t written = std::min(to.room_size(), size_max - (to.size() - size_before) + 1);
        std::size_t read = body.size();
        const std::size_t expected =
            LZ4F_decompress(context.get(), at, &written, body.data(), &read, nullptr);
        if (LZ4F_isError(expected)) return errc::protocol_error;
        to.add(written);
        body = body.subspan(read);
        if (to.size() - size_before > size_max) return errc::protocol_error;
        if (expected == 0) break;
        if (read == 0 && written == 0) return errc::protocol_error;  // it is cut off
    }
    return body.empty() ? error_code() : errc::protocol_error;
}

}  // namespace sluice
