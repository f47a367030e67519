// Hashes of the simulation: of what happened (the trace) and of what lay in a buffer.
#pragma once

#include <cstdint>
#include <cstring>

#include "base/bytes.hpp"

namespace sluice::testing {

// Order matters, every bit counts, and it is quick; it resists no attacker.
inline std::uint64_t mix(std::uint64_t hash, std::uint64_t added) noexcept {
    hash = (hash ^ added) * 0x9e3779b97f4a7c15u;
    return hash ^ (hash >> 29);
}

inline std::uint64_t hash_of(bytes data, std::uint64_t hash = 0x51u) noexcept {
    const std::byte* at = data.data();
    std::size_t left = data.size();
    hash = mix(hash, left);
    for (; left >= sizeof hash; left -= sizeof hash, at += sizeof hash) {
        std::uint64_t word;
        std::memcpy(&word, at, sizeof word);
        hash = mix(hash, word);
    }
    if (left > 0) {
        std::uint64_t word = 0;
        std::memcpy(&word, at, left);
        hash = mix(hash, word);
    }
    return hash;
}

}  // namespace sluice::testing
