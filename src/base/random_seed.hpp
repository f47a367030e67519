// Where randomness comes from when nobody gives a seed.
#pragma once

#include <cstdint>

namespace sluice {

// Never 0.
std::uint64_t random_seed();

}  // namespace sluice
