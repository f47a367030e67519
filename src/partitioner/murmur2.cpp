#include "partitioner/murmur2.hpp"

#include <bit>
#include <cstring>

namespace sluice {

std::int32_t murmur2(bytes key) noexcept {
    constexpr std::uint32_t seed = 0x9747b28c;
    constexpr std::uint32_t m = 0x5bd1e995;
    constexpr int r = 24;

    std::uint32_t h = seed ^ static_cast<std::uint32_t>(key.size());
    const std::byte* at = key.data();
    std::size_t left = key.size();
    for (; left >= 4; left -= 4, at += 4) {
        std::uint32_t k;
        std::memcpy(&k, at, sizeof k);  // little-endian
        if constexpr (std::endian::native == std::endian::big) k = __builtin_bswap32(k);
        k *= m;
        k ^= k >> r;
        k *= m;
        h *= m;
        h ^= k;
    }
    switch (left) {
        case 3: h ^= std::to_integer<std::uint32_t>(at[2]) << 16; [[fallthrough]];
        case 2: h ^= std::to_integer<std::uint32_t>(at[1]) << 8; [[fallthrough]];
        case 1:
            h ^= std::to_integer<std::uint32_t>(at[0]);
            h *= m;
            break;
        default: break;
    }
    h ^= h >> 13;
    h *= m;
    h ^= h >> 15;
    return static_cast<std::int32_t>(h);
}

}  // namespace sluice
