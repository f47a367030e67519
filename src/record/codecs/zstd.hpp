#pragma once

#include "record/codecs/codec.hpp"

namespace sluice {

std::unique_ptr<compressor> make_zstd_compressor(int level);
error_code decompress_zstd(bytes body, std::size_t size_max, output_buffer& to);

}  // namespace sluice
