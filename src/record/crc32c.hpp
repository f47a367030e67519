// CRC-32C (Castagnoli), the checksum of a record batch (RB-3).
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.hpp"

namespace sluice {

// The checksum of `data`; crc32c("123456789") = 0xe3069283.
std::uint32_t crc32c(bytes data) noexcept;

// The checksum of what `so_far` is the checksum of, followed by `data`.
std::uint32_t crc32c_extend(std::uint32_t so_far, bytes data) noexcept;

// The checksum of A followed by B, from crc32c(A), crc32c(B) and the size of B (below 4 GiB). At most four
// multiplications whatever the size: a batch's body is summed up once, and each attempt's header is put before it.
std::uint32_t crc32c_combine(std::uint32_t crc_a, std::uint32_t crc_b, std::size_t size_b) noexcept;

}  // namespace sluice
