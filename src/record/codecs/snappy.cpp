// xerial's framing of snappy (org.xerial.snappy.SnappyOutputStream), which Kafka means by "snappy":
//
//   stream = 82 53 4e 41 50 50 59 00  version:int32(1)  compatible:int32(1)  block*
//   block  = size:int32  as many bytes of raw snappy, of at most 32 KB of input
#include "record/codecs/snappy.hpp"

#include <snappy.h>

#include <array>

#include "wire/big_endian.hpp"

namespace sluice {
namespace {

constexpr std::array<unsigned char, 16> stream_header = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0,
                                                         0,    0,   0,   1,   0,   0,   0,   1};
constexpr std::size_t magic_size = 8;
constexpr std::size_t block_size_max = 32 * 1024;
constexpr std::size_t length_size = 4;
// No element of raw snappy stands for more: 3 bytes copy 64.
constexpr std::size_t expansion_max = 22;

const char* text_of(bytes data) noexcept {
    return reinterpret_cast<const char*>(data.data());
}

class snappy_compressor final : public compressor {
public:
    bool begin(std::size_t, output_buffer& to) override {
        gathered_.clear();
        to.append(std::as_bytes(std::span(stream_header)));
        return true;
    }

    bool write(bytes piece, bool is_last, output_buffer& to) override {
        while (!piece.empty()) {
            // Whole blocks, or all there is, from where they are; the rest is gathered.
            if (gathered_.size() == 0 && (piece.size() >= block_size_max || is_last)) {
                const bytes block = piece.first(std::min(piece.size(), block_size_max));
                write_block(block, to);
                piece = piece.subspan(block.size());
                continue;
            }
            const bytes taken = piece.first(std::min(piece.size(), block_size_max - gathered_.size()));
            gathered_.append(taken);
            piece = piece.subspan(taken.size());
            if (gathered_.size() == block_size_max || (is_last && piece.empty())) {
                write_block(gathered_.content(), to);
                gathered_.clear();
            }
        }
        return true;
    }

private:
    static void write_block(bytes block, output_buffer& to) {
        std::byte* const at = to.room(length_size + snappy::MaxCompressedLength(block.size()));
        std::size_t size = 0;
        snappy::RawCompress(text_of(block), block.size(), reinterpret_cast<char*>(at + length_size), &size);
        wire::store_big_endian(at, static_cast<std::int32_t>(size));
        to.add(length_size + size);
    }

    output_buffer gathered_;
};

}  // namespace

std::unique_ptr<compressor> make_snappy_compressor() {
    return std::make_unique<snappy_compressor>();
}

error_code decompress_snappy(bytes body, std::size_t size_max, output_buffer& to) {
    const bytes magic = std::as_bytes(std::span(stream_header)).first(magic_size);
    if (body.size() < stream_header.size()) return errc::protocol_error;
    if (!std::equal(magic.begin(), magic.end(), body.begin())) return errc::protocol_error;
    body = body.subspan(stream_header.size());
    std::size_t left = size_max;
    while (!body.empty()) {
        if (body.size() < length_size) return errc::protocol_error;
        const auto size = wire::load_big_endian<std::int32_t>(body.data());
        body = body.subspan(length_size);
        if (size < 0 || static_cast<std::size_t>(size) > body.size()) return errc::protocol_error;
        const bytes block = body.first(static_cast<std::size_t>(size));
        body = body.subspan(block.size());
        std::size_t raw_size = 0;
        if (!snappy::GetUncompressedLength(text_of(block), block.size(), &raw_size))
            return errc::protocol_error;
        if (raw_size > left || raw_size > expansion_max * block.size()) return errc::protocol_error;
        char* const at = reinterpret_cast<char*>(to.room(raw_size));
        if (!snappy::RawUncompress(text_of(block), block.size(), at)) return errc::protocol_error;
        to.add(raw_size);
        left -= raw_size;
    }
    return {};
}

}  // namespace sluice
