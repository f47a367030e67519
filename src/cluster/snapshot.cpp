#include "cluster/snapshot.hpp"

#include <algorithm>

namespace sluice {

node_range topic_node::add_nodes(std::span<const std::int32_t> ids) {
    constexpr std::size_t looked_at = 256;  // of the newest ids: all combinations of a few brokers
    if (ids.empty()) return {};
    const auto newest = node_ids.end() - static_cast<std::ptrdiff_t>(std::min(node_ids.size(), looked_at));
    auto found = std::search(newest, node_ids.end(), ids.begin(), ids.end());
    const auto first = static_cast<std::uint32_t>(found - node_ids.begin());
    if (found == node_ids.end()) node_ids.insert(found, ids.begin(), ids.end());
    return {first, static_cast<std::uint32_t>(ids.size())};
}

const broker_node* snapshot::find_broker(std::int32_t id) const noexcept {
    const auto found =
        std::lower_bound(brokers.begin(), brokers.end(), id,
                         [](const broker_node& each, std::int32_t wanted) { return each.id < wanted; });
    return found != brokers.end() && found->id == id ? &*found : nullptr;
}

const topic_node* snapshot::find_topic(std::string_view name) const noexcept {
    const auto found = topics.find(name);
    return found != topics.end() ? found->second.get() : nullptr;
}

std::int16_t snapshot::error_of(std::string_view topic) const noexcept {
    const auto found = topic_errors.find(topic);
    return found != topic_errors.end() ? found->second : std::int16_t{0};
}

}  // namespace sluice
