// Seeded randomness: sticky choice, jitter, simulation. Not for secrets.
#pragma once

#include <cstdint>

namespace sluice {

// xoshiro256** seeded by splitmix64 (Blackman, Vigna 2018). The same seed gives the same numbers on every machine.
//
// Owner: one shard; not synchronised.
class random {
public:
    explicit random(std::uint64_t seed) noexcept {
        for (std::uint64_t& word : state_) {
            seed += 0x9e3779b97f4a7c15u;
            std::uint64_t mixed = seed;
            mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
            mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
            word = mixed ^ (mixed >> 31);
        }
    }

    std::uint64_t next() noexcept {
        const std::uint64_t drawn = rotate(state_[1] * 5, 7) * 9;
        const std::uint64_t shifted = state_[1] << 17;
        state_[2] ^= state_[0];
        state_[3] ^= state_[1];
        state_[1] ^= state_[2];
        state_[0] ^= state_[3];
        state_[2] ^= shifted;
        state_[3] = rotate(state_[3], 45);
        return drawn;
    }

    // Uniform in [0, count); count must not be 0. (Lemire's multiplication; the bias is below 2^-32 for counts < 2^32.)
    std::uint64_t below(std::uint64_t count) noexcept {
        return static_cast<std::uint64_t>((static_cast<wide>(next()) * count) >> 64);
    }

    // Uniform in [0, 1).
    double fraction() noexcept { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

private:
    __extension__ using wide = unsigned __int128;

    static std::uint64_t rotate(std::uint64_t word, int bits) noexcept {
        return (word << bits) | (word >> (64 - bits));
    }
    std::uint64_t state_[4];
};

}  // namespace sluice
