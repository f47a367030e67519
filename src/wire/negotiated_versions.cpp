#include "wire/negotiated_versions.hpp"

namespace sluice::wire {

negotiated_versions::negotiated_versions(const api_versions_response& answer) {
    for (const api_version& entry : answer.api_keys) {
        const api* known = find_api(entry.api_key);
        if (known == nullptr) continue;
        const version_range brokers{entry.min_version, entry.max_version};
        common_[static_cast<std::size_t>(known - apis.data())] = known->versions.intersection(brokers);
    }
    finalized_features_epoch_ = answer.finalized_features_epoch;
    if (finalized_features_epoch_ < 0) return;
    finalized_features_.reserve(answer.finalized_features.size());
    for (const finalized_feature_key& feature : answer.finalized_features) {
        finalized_features_.push_back({std::string(feature.name), feature.max_version_level});
    }
}

version_range negotiated_versions::common_range(api_key key) const noexcept {
    const api* known = find_api(key);
    return known == nullptr ? no_version : common_[static_cast<std::size_t>(known - apis.data())];
}

std::optional<std::int16_t> negotiated_versions::version_for(api_key key, std::int16_t cap) const noexcept {
    const version_range usable = common_range(key).intersection({0, cap});
    if (usable.is_empty()) return std::nullopt;
    return usable.max;
}

std::int16_t negotiated_versions::finalized_level(std::string_view feature) const noexcept {
    for (const finalized_feature& entry : finalized_features_) {
        if (entry.name == feature) return entry.level;
    }
    return 0;
}

}  // namespace sluice::wire
