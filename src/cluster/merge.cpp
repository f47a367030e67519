#include "cluster/merge.hpp"

#include <algorithm>
#include <boost/container_hash/hash.hpp>
#include <boost/unordered/unordered_flat_map.hpp>

#include "base/broker_error.hpp"

namespace sluice {
namespace {

constexpr std::int16_t epochs_are_reliable_from = 9;

std::vector<broker_node> brokers_of(const wire::metadata_response& response) {
    std::vector<broker_node> brokers;
    brokers.reserve(response.brokers.size());
    for (const auto& each : response.brokers) {
        broker_node& added = brokers.emplace_back();
        added.id = each.node_id;
        added.address = {std::string(each.host), static_cast<std::uint16_t>(each.port)};
        if (each.rack) added.rack = std::string(*each.rack);
    }
    std::sort(brokers.begin(), brokers.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
    return brokers;
}

bool heals_with_metadata(std::int16_t code) {
    return code != 0 && find_broker_error(code).is(broker_error::invalid_metadata);
}

class topic_merger {
public:
    topic_merger(const snapshot& made, const topic_node* before, std::int16_t version, merge_result& result)
        : made_(made), before_(before), version_(version), result_(result) {}

    std::shared_ptr<const topic_node> merge(const wire::metadata_response_topic& answered) {
        auto topic = std::make_shared<topic_node>();
        topic->name = before_ != nullptr ? before_->name : shared_text(*answered.name);
        topic->id = answered.topic_id;
        topic->is_internal = answered.is_internal;
        is_same_topic_ = before_ != nullptr && (answered.topic_id.is_zero() || before_->id.is_zero() ||
                                                before_->id == answered.topic_id);
        if (!is_same_topic_) result_.has_progress = true;
        std::int32_t count = 0;
        for (const auto& each : answered.partitions) count = std::max(count, each.partition_index + 1);
        // Partitions are numbered without gaps; one that claims a far index is not believed.
        if (static_cast<std::size_t>(count) > answered.partitions.size()) count = 0;
        topic->partitions.resize(static_cast<std::size_t>(count));
        for (const auto& each : answered.partitions) {
            if (each.partition_index < 0 || each.partition_index >= count) continue;
            topic->partitions[static_cast<std::size_t>(each.partition_index)] = partition(*topic, each);
        }
        topic->placements.shrink_to_fit();
        if (before_ != nullptr && *before_ == *topic) return nullptr;  // keep the node that is shared already
        return topic;
    }

private:
    partition_node partition(topic_node& of, const wire::metadata_response_partition& answered) {
        if (heals_with_metadata(answered.error_code)) result_.wants_update = true;
        partition_node made;
        made.leader_epoch = version_ >= epochs_are_reliable_from ? answered.leader_epoch : -1;
        const partition_node* known = nullptr;
        if (is_same_topic_ &&
            static_cast<std::size_t>(answered.partition_index) < before_->partitions.size()) {
            known = &before_->partitions[static_cast<std::size_t>(answered.partition_index)];
        }
        if (known != nullptr && made.leader_epoch >= 0 && made.leader_epoch < known->leader_epoch) {
            made = *known;
            made.placement = add_placement(of, before_->placement_of(*known));
            return made;
        }
        if (known == nullptr || made.leader_epoch > known->leader_epoch) result_.has_progress = true;
        made.leader = made_.find_broker(answered.leader_id) != nullptr ? answered.leader_id : no_node;
        made.placement =
            add_placement(of, {answered.replica_nodes, answered.isr_nodes, answered.offline_replicas});
        return made;
    }

    // Where it begins; nearly always that of an earlier partition.
    std::uint32_t add_placement(topic_node& of, const partition_placement& told) {
        encoded_.clear();
        for (const auto& list : {told.replicas, told.in_sync_replicas, told.offline_replicas}) {
            encoded_.push_back(static_cast<std::int32_t>(list.size()));
            encoded_.insert(encoded_.end(), list.begin(), list.end());
        }
        const auto end = static_cast<std::uint32_t>(of.placements.size());
        const auto [found, is_new] = added_.try_emplace(encoded_, end);
        if (is_new) of.placements.insert(of.placements.end(), encoded_.begin(), encoded_.end());
        return found->second;
    }

    const snapshot& made_;
    const topic_node* before_;
    std::int16_t version_;
    merge_result& result_;
    bool is_same_topic_ = false;
    std::vector<std::int32_t> encoded_;  // a placement
    boost::unordered_flat_map<std::vector<std::int32_t>, std::uint32_t> added_{{{0, 0, 0}, 0}};
};

}  // namespace

merge_result merge(const snapshot& before, const wire::metadata_response& response, std::int16_t version,
                   bool is_partial) {
    merge_result result;
    auto made = std::make_shared<snapshot>();
    made->version = before.version + 1;
    made->brokers = brokers_of(response);
    made->cluster_id =
        response.cluster_id ? std::optional<std::string>(*response.cluster_id) : before.cluster_id;
    made->controller = response.controller_id;
    if (is_partial) {
        made->topics = before.topics;
        made->topic_errors = before.topic_errors;
    }
    for (const auto& answered : response.topics) {
        if (!answered.name) continue;  // asked by id; we ask by name
        const std::string_view name = *answered.name;
        if (const auto known = made->topic_errors.find(name); known != made->topic_errors.end()) {
            made->topic_errors.erase(known);
        }
        if (answered.error_code != 0) {
            made->topic_errors[std::string(name)] = answered.error_code;
            if (heals_with_metadata(answered.error_code)) result.wants_update = true;
            if (answered.partitions.empty()) {
                if (const auto gone = made->topics.find(name); gone != made->topics.end())
                    made->topics.erase(gone);
                continue;
            }
        }
        const auto kept = before.topics.find(name);
        const topic_node* known = kept != before.topics.end() ? kept->second.get() : nullptr;
        std::shared_ptr<const topic_node> topic = topic_merger(*made, known, version, result).merge(answered);
        made->topics[std::string(name)] = topic != nullptr ? std::move(topic) : kept->second;
    }
    result.made = std::move(made);
    return result;
}

std::shared_ptr<const snapshot> apply_hint(const snapshot& before, const leader_hint& hint) {
    const topic_node* topic = before.find_topic(hint.topic);
    if (topic == nullptr || hint.partition < 0 || hint.partition >= topic->partition_count()) return nullptr;
    const partition_node& known = topic->partitions[static_cast<std::size_t>(hint.partition)];
    if (hint.leader_epoch <= known.leader_epoch) return nullptr;
    if (!hint.node && before.find_broker(hint.leader) == nullptr) return nullptr;

    auto made = std::make_shared<snapshot>(before);
    made->version = before.version + 1;
    if (hint.node) {
        auto place = std::lower_bound(made->brokers.begin(), made->brokers.end(), hint.leader,
                                      [](const auto& each, std::int32_t wanted) { return each.id < wanted; });
        if (place != made->brokers.end() && place->id == hint.leader) {
            place->address = hint.node->address;
        } else {
            made->brokers.insert(place, *hint.node);
        }
    }
    auto changed = std::make_shared<topic_node>(*topic);
    changed->partitions[static_cast<std::size_t>(hint.partition)].leader = hint.leader;
    changed->partitions[static_cast<std::size_t>(hint.partition)].leader_epoch = hint.leader_epoch;
    made->topics[std::string(hint.topic)] = std::move(changed);
    return made;
}

}  // namespace sluice
