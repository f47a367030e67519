// What one broker and we have in common.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "wire/api/api_versions.hpp"
#include "wire/api_key.hpp"

namespace sluice::wire {

// A feature that the whole cluster has switched on, such as "transaction.version".
struct finalized_feature {
    std::string name;
    std::int16_t level = 0;
};

// Made from a broker's answer to ApiVersions; a default one knows nothing and allows nothing.
//
//   usable version = the highest that both the broker and `apis` have (VER-5); none: the request fails, locally
//
// A key that is missing from the list is not there at all (VER-6). What a broker says of Produce below 3 does
// not count, since our own range begins there (VER-9). An entry with min > max says nothing; of two the later
// one holds.
//
// Owner: caller; copies nothing but feature names. Errors: none; the list is a peer's, so whatever it holds
// is bounded by the response's frame and only known keys are looked at.
class negotiated_versions {
public:
    negotiated_versions() = default;
    explicit negotiated_versions(const api_versions_response& answer);

    std::optional<std::int16_t> version_for(api_key key) const noexcept {
        return version_for(key, version_max);
    }
    // With a cap of the caller's, such as Produce 11 inside a transaction of the first kind (VER-7).
    std::optional<std::int16_t> version_for(api_key key, std::int16_t cap) const noexcept;

    // The versions of `apis` that the broker has too; empty where there is none.
    version_range common_range(api_key key) const noexcept;

    // -1: the broker did not say. Of several brokers the one with the highest epoch is right (VER-8).
    std::int64_t finalized_features_epoch() const noexcept { return finalized_features_epoch_; }
    std::span<const finalized_feature> finalized_features() const noexcept { return finalized_features_; }
    // 0 where the feature is not in the list.
    std::int16_t finalized_level(std::string_view feature) const noexcept;

private:
    static constexpr version_range no_version{0, -1};

    // By the position in `apis`.
    std::array<version_range, apis.size()> common_ = filled_with(no_version);
    std::int64_t finalized_features_epoch_ = -1;
    std::vector<finalized_feature> finalized_features_;

    static constexpr std::array<version_range, apis.size()> filled_with(version_range range) {
        std::array<version_range, apis.size()> filled;
        filled.fill(range);
        return filled;
    }
};

}  // namespace sluice::wire
