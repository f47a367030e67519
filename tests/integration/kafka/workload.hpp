// Many records that can be made again: what record number n is, and how it is known when it is read back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/bytes.hpp"

namespace sluice::testing {

// Sizes as services have them: 99 % from 1 B to 1 KiB, 0.9 % up to 32 KiB, 0.1 % up to 900 KB. A million are about
// 1.1 GB, of which little is in memory: values are windows into the same random bytes, or the same random words, which
// can be compressed.
//
// Owner: shared, immutable.
class workload {
public:
    enum class content { bytes, words };
    workload(std::size_t record_count, std::uint32_t key_count, std::uint64_t seed,
             content of = content::bytes);

    std::size_t record_count() const noexcept { return entries_.size(); }
    std::uint32_t key_count() const noexcept { return static_cast<std::uint32_t>(keys_.size()); }
    std::uint64_t size_bytes() const noexcept { return size_bytes_; }

    std::uint32_t key_index(std::size_t number) const noexcept { return entries_[number].key; }
    std::string_view key(std::size_t number) const noexcept { return keys_[entries_[number].key]; }
    bytes_view value(std::size_t number) const noexcept;
    std::uint32_t value_checksum(std::size_t number) const noexcept { return entries_[number].checksum; }

private:
    struct entry {
        std::uint32_t key;
        std::uint32_t begin;
        std::uint32_t size;
        std::uint32_t checksum;
    };

    std::vector<std::byte> random_bytes_;
    std::vector<std::string> keys_;
    std::vector<entry> entries_;
    std::uint64_t size_bytes_ = 0;
};

}  // namespace sluice::testing
