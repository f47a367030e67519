// From a broker's answer to ApiVersions to the versions that we send it.
#include "fuzz/message_seeds.hpp"
#include "fuzz/target.hpp"
#include "wire/negotiated_versions.hpp"

namespace sluice::fuzz {
namespace {

using namespace wire;

// Input: the version that was asked for, a body. Property: no version outside our own range or the broker's,
// and none above a cap.
int run(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    reader in(as_bytes(data + 1, size - 1));
    api_versions_response answer;
    if (decode_answer(answer, static_cast<std::int16_t>(data[0] % 6), in)) return 0;
    const negotiated_versions versions(answer);
    for (const api& entry : apis) {
        const std::optional<std::int16_t> version = versions.version_for(entry.key);
        if (!version) continue;
        require(entry.versions.contains(*version), "a version that we speak");
        bool is_listed = false;
        for (const api_version& listed : answer.api_keys) {
            const version_range range{listed.min_version, listed.max_version};
            is_listed =
                is_listed || (listed.api_key == static_cast<int>(entry.key) && range.contains(*version));
        }
        require(is_listed, "a version that the broker listed");
        const auto cap = static_cast<std::int16_t>(*version - 1);
        require(versions.version_for(entry.key, cap).value_or(cap) <= cap, "a version below the cap");
    }
    require(versions.finalized_features().size() <= answer.finalized_features.size(),
            "no feature of our own making");
    return 0;
}

std::vector<input> seeds() {
    std::vector<input> found = message_seeds("ApiVersions", "response");
    found.push_back({3, 0, 0, 3, 0, 0, 0, 0, 0, 13, 0, 0, 18, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0});
    found.push_back({4, 0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 3});
    return found;
}

const target registered("negotiation", run, seeds);

}  // namespace
}  // namespace sluice::fuzz
