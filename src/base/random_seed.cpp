#include "base/random_seed.hpp"

#include <random>

namespace sluice {

std::uint64_t random_seed() {
    std::random_device device;
    const std::uint64_t seed = (std::uint64_t{device()} << 32) | device();
    return seed == 0 ? 1 : seed;
}

}  // namespace sluice
