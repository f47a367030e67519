#include "cluster/snapshot.hpp"

#include <algorithm>

namespace sluice {

partition_placement topic_node::placement_of(const partition_node& partition) const noexcept {
    auto rest = std::span(placements).subspan(partition.placement);
    const auto next = [&] {
        const auto count = static_cast<std::size_t>(rest.front());
        const auto list = rest.subspan(1, count);
        rest = rest.subspan(1 + count);
        return list;
    };
    partition_placement made;
    made.replicas = next();
    made.in_sync_replicas = next();
    made.offline_replicas = next();
    return made;
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
