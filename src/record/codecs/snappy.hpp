#pragma once

#include "record/codecs/codec.hpp"

namespace sluice {

std::unique_ptr<compressor> make_snappy_compressor();
error_code decompress_snappy(bytes body, std::size_t size_max, output_buffer& to);

}  // namespace sluice
