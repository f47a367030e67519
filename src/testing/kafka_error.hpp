// Error codes as they stand in an answer: plain numbers, by Kafka's names.
#pragma once

#include <cstdint>

#include "sluice/error.hpp"

namespace sluice::testing {

inline constexpr std::int16_t no_error = 0;

constexpr std::int16_t code_of(broker_errc error) noexcept {
    return static_cast<std::int16_t>(error);
}

// Codes that `broker_errc` has no name for.
inline constexpr broker_errc topic_already_exists{36};
inline constexpr broker_errc invalid_partitions{37};
inline constexpr broker_errc invalid_replication_factor{38};

}  // namespace sluice::testing
