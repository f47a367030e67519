// Compressing the records of a batch, and reading them back (RB-8: all that follows the header).
//
//   gzip    one member (CMP-2)                     lz4   a frame of independent blocks of 64 KB (CMP-4)
//   snappy  blocks in xerial's framing (CMP-3)     zstd  a frame (CMP-5)
//
// Each codec is one file, and the only place that knows its library.
#pragma once

#include <cstdint>
#include <memory>

#include "base/bytes.hpp"
#include "record/codecs/output_buffer.hpp"
#include "sluice/compression.hpp"
#include "sluice/error.hpp"

namespace sluice {

// Compresses bodies, one after the other, each given in pieces, so that the work can be done in steps. What it needs is
// allocated once and used again.
//
// Owner: one shard; not synchronised.       Errors: false, if the library has no memory; then begin() is next.
class compressor {
public:
    virtual ~compressor() = default;

    // Starts a body of `size` bytes, also in the middle of another, which is forgotten. What the library has to allocate and
    // to clear for it, is done here, so that the first piece takes no longer than the others.
    [[nodiscard]] virtual bool begin(std::size_t size, output_buffer& to) = 0;
    // Takes the next piece; the last one ends the body. Pieces may be of any size but 0.
    [[nodiscard]] virtual bool write(bytes piece, bool is_last, output_buffer& to) = 0;
};

// `level` as in Kafka's compression.<type>.level, of which lz4 does no more than 5 (codecs/lz4.cpp); snappy has none. Not for `none`. Throws std::bad_alloc.
std::unique_ptr<compressor> make_compressor(compression type, int level);

// Appends what the body decompresses to. Whoever wrote it: errors are protocol_error, for bytes that are not the codec's,
// are cut off or go on after the end, or become more than `size_max`. `to` may have grown then. Not for `none`.
error_code decompress(compression type, bytes body, std::size_t size_max, output_buffer& to);

}  // namespace sluice
