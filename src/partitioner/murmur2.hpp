// The hash that puts keys on partitions, the same in every Kafka client (PRT-3, PRT-6).
#pragma once

#include <cstdint>

#include "base/bytes.hpp"

namespace sluice {

// org.apache.kafka.common.utils.Utils.murmur2: 32 bits, seed 0x9747b28c.
std::int32_t murmur2(bytes key) noexcept;

// The partition of a key; `partition_count` counts all partitions, with or without a leader.
inline std::int32_t partition_of_key(bytes key, std::int32_t partition_count) noexcept {
    return (murmur2(key) & 0x7fffffff) % partition_count;
}

}  // namespace sluice
