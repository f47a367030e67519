// How batches are compressed (Kafka's compression.type).
#pragma once

#include <cstdint>
#include <string_view>

namespace sluice {

// The values are those in a batch's attributes (RB-4).
enum class compression : std::int8_t { none = 0, gzip = 1, snappy = 2, lz4 = 3, zstd = 4 };

// Kafka's name of it: "lz4".
constexpr std::string_view to_string(compression type) noexcept {
    switch (type) {
        case compression::none: return "none";
        case compression::gzip: return "gzip";
        case compression::snappy: return "snappy";
        case compression::lz4: return "lz4";
        case compression::zstd: return "zstd";
    }
    return "?";
}

}  // namespace sluice
