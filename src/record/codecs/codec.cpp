#include "record/codecs/codec.hpp"

#include "record/codecs/gzip.hpp"
#include "record/codecs/lz4.hpp"
#include "record/codecs/snappy.hpp"
#include "record/codecs/zstd.hpp"

namespace sluice {

std::unique_ptr<compressor> make_compressor(compression type, int level) {
    switch (type) {
        case compression::gzip: return make_gzip_compressor(level);
        case compression::snappy: return make_snappy_compressor();
        case compression::lz4: return make_lz4_compressor(level);
        case compression::zstd: return make_zstd_compressor(level);
        case compression::none: break;
    }
    ensure(false);
    return nullptr;
}

error_code decompress(compression type, bytes body, std::size_t size_max, output_buffer& to) {
    switch (type) {
        case compression::gzip: return decompress_gzip(body, size_max, to);
        case compression::snappy: return decompress_snappy(body, size_max, to);
        case compression::lz4: return decompress_lz4(body, size_max, to);
        case compression::zstd: return decompress_zstd(body, size_max, to);
        case compression::none: break;
    }
    return errc::protocol_error;
}

}  // namespace sluice
