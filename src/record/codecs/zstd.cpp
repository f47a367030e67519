#include "record/codecs/zstd.hpp"

#include <zstd.h>
#include <zstd_errors.h>

#include <new>

namespace sluice {
namespace {

// The library compresses blocks of 128 KB in one go. From the levels on that take milliseconds for one, it gets smaller
// ones, so that it holds nobody up for long: 64 KB, which cost less than half a percent of size (perf/README.md).
constexpr int slow_level = 6;
constexpr std::size_t block_size_of_slow = 64 * 1024;

// The first body that needs larger tables than those before it pays for their pages, 2 µs for 4 KB. Beyond 256 KB the
// library wants up to 12 MB at level 9; with 2^19 entries in 3 MB a body of 1 MB becomes 0.2 % larger, and is compressed
// faster, since the caches hold more of it (perf/README.md). Levels above are for who wants the smallest, whatever it takes.
constexpr int last_bounded_level = 9;
constexpr std::size_t size_of_small_tables = 256 * 1024;
constexpr int hash_log_max = 19;

int hash_log(int level, std::size_t body_size) noexcept {
    constexpr int as_the_library_likes = 0;
    const bool is_bounded = level >= slow_level && level <= last_bounded_level;
    return is_bounded && body_size > size_of_small_tables ? hash_log_max : as_the_library_likes;
}

class zstd_compressor final : public compressor {
public:
    explicit zstd_compressor(int level)
        : context_(ZSTD_createCCtx()),
          level_(level),
          block_size_(level >= slow_level ? block_size_of_slow : SIZE_MAX) {
        if (context_ == nullptr) throw std::bad_alloc();
        const std::size_t set = ZSTD_CCtx_setParameter(context_, ZSTD_c_compressionLevel, level);
        ensure(!ZSTD_isError(set));
    }
    ~zstd_compressor() override { ZSTD_freeCCtx(context_); }

    // Knowing the size, the library takes tables and a window that are no larger than that needs. It does so here, and not
    // with the first block: no bytes are enough to make it begin.
    bool begin(std::size_t size, output_buffer& to) override {
        in_block_ = 0;
        return !ZSTD_isError(ZSTD_CCtx_reset(context_, ZSTD_reset_session_only)) &&
               !ZSTD_isError(ZSTD_CCtx_setPledgedSrcSize(context_, size)) &&
               !ZSTD_isError(ZSTD_CCtx_setParameter(context_, ZSTD_c_hashLog, hash_log(level_, size))) &&
               compress({}, ZSTD_e_continue, to);
    }

    bool write(bytes piece, bool is_last, output_buffer& to) override {
        while (piece.size() > block_size_ - in_block_) {
            const bytes rest_of_block = piece.first(block_size_ - in_block_);
            if (!compress(rest_of_block, ZSTD_e_flush, to)) return false;
            piece = piece.subspan(rest_of_block.size());
            in_block_ = 0;
        }
        in_block_ += piece.size();
        return compress(piece, is_last ? ZSTD_e_end : ZSTD_e_continue, to);
    }

private:
    bool compress(bytes piece, ZSTD_EndDirective how, output_buffer& to) {
        ZSTD_inBuffer in{piece.data(), piece.size(), 0};
        for (;;) {
            // With as much room as it can ever need, a body of one piece is compressed where it is.
            std::byte* const at =
                to.room(how == ZSTD_e_end ? ZSTD_compressBound(piece.size()) : ZSTD_CStreamOutSize());
            ZSTD_outBuffer out{at, to.room_size(), 0};
            const std::size_t left = ZSTD_compressStream2(context_, &out, &in, how);
            if (ZSTD_isError(left)) return false;
            to.add(out.pos);
            if (how == ZSTD_e_continue ? in.pos == in.size : left == 0) return true;
        }
    }

    ZSTD_CCtx* context_;
    int level_;
    std::size_t block_size_;
    std::size_t in_block_ = 0;
};

}  // namespace

std::unique_ptr<compressor> make_zstd_compressor(int level) {
    return std::make_unique<zstd_compressor>(level);
}

// Into one buffer, and a larger one where it does not suffice: decompressing piece by piece would make the library
// allocate the window that the frame asks for, which may be 128 MB for a frame of ten bytes.
error_code decompress_zstd(bytes body, std::size_t size_max, output_buffer& to) {
    const std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> context(ZSTD_createDCtx(), &ZSTD_freeDCtx);
    if (context == nullptr) throw std::bad_alloc();
    if (ZSTD_isError(ZSTD_findFrameCompressedSize(body.data(), body.size())) ||
        ZSTD_findFrameCompressedSize(body.data(), body.size()) != body.size()) {
        return errc::protocol_error;  // not one whole frame
    }
    for (std::size_t size = std::min(size_max, 8 * body.size() + 4096);;
         size = std::min(size_max, 4 * size)) {
        std::byte* const at = to.room(size);
        const std::size_t written = ZSTD_decompressDCtx(context.get(), at, size, body.data(), body.size());
        if (!ZSTD_isError(written)) {
            to.add(written);
            return {};
        }
        if (ZSTD_getErrorCode(written) != ZSTD_error_dstSize_tooSmall || size == size_max) {
            return errc::protocol_error;
        }
    }
}

}  // namespace sluice
