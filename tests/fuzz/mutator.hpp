// Makes bad inputs out of good ones, the same ones for the same seed.
#pragma once

#include "base/random.hpp"
#include "fuzz/target.hpp"

namespace sluice::fuzz {

// A few changes of the kinds that find bugs in decoders: bits, lengths at their limits, parts cut out,
// doubled, moved or taken from another good input, the end cut off.
class mutator {
public:
    explicit mutator(std::uint64_t seed) noexcept : random_(seed) {}

    input mutated(std::span<const input> seeds);

private:
    void change(input& data, std::span<const input> seeds);
    void overwrite_with_limit(input& data);
    void move_part(input& data, const input& from);

    // Uniform in [0, count), 0 for 0.
    std::size_t below(std::size_t count) {
        return count == 0 ? 0 : static_cast<std::size_t>(random_.below(count));
    }

    random random_;
};

}  // namespace sluice::fuzz
