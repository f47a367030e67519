// Kafka's ids of topics and of client instances.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>

namespace sluice::wire {

// 16 bytes as they are on the wire; all zero means "none".
struct uuid {
    std::array<std::byte, 16> octets{};

    bool is_zero() const noexcept { return *this == uuid{}; }
    // URL-safe base64 without padding, as Kafka's tools and logs print it: "AAAAAAAAAAAAAAAAAAAAAA".
    std::string text() const;

    friend bool operator==(const uuid&, const uuid&) noexcept = default;
    friend auto operator<=>(const uuid&, const uuid&) noexcept = default;
};

static_assert(sizeof(uuid) == 16);

}  // namespace sluice::wire

// Ids are random, so any eight bytes of one are a hash.
template <>
struct std::hash<sluice::wire::uuid> {
    std::size_t operator()(const sluice::wire::uuid& id) const noexcept {
        std::uint64_t word;
        std::memcpy(&word, id.octets.data() + 8, sizeof word);
        return static_cast<std::size_t>(word);
    }
};
