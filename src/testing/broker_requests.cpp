#include "testing/broker_requests.hpp"

#include <algorithm>

#include "testing/broker_api_versions.hpp"
#include "testing/broker_init_producer_id.hpp"
#include "testing/broker_metadata.hpp"
#include "testing/record_set.hpp"

namespace sluice::testing {
namespace {

using wire::api_key;

bool offers(const broker_profile& profile, const wire::request_header& header) noexcept {
    return std::ranges::any_of(profile.apis, [&](const offered_api& api) {
        return api.key == header.api_key && header.version >= api.min_version &&
               header.version <= api.max_version;
    });
}

produced_partition describe_partition(std::string_view topic, const wire::partition_produce_data& data) {
    produced_partition described;
    described.where = {std::string(topic), data.index};
    described.size_bytes = static_cast<std::int32_t>(data.records.size());
    if (data.records.is_null()) return described;
    const first_batch first = find_batch(data.records.pieces().front());
    if (first.data.size() < batch_header::size_bytes || first.magic != 2) return described;
    const batch_header header = header_of(first.data);
    described.producer_id = header.producer_id;
    described.producer_epoch = header.producer_epoch;
    described.base_sequence = header.base_sequence;
    described.record_count = header.record_count;
    return described;
}

}  // namespace

bool broker_requests::open(const fake_broker& broker, bytes frame) {
    wire::reader in(frame);
    header_ = wire::read_request_header(in);
    if (in.failed()) return false;
    const auto key = static_cast<api_key>(header_.api_key);
    is_refused_ = false;
    if (!offers(broker.profile, header_)) {
        is_refused_ = key == api_key::api_versions;
        return is_refused_;
    }
    switch (key) {
        case api_key::produce: return !wire::decode(produce_, header_.version, in);
        case api_key::metadata: return !wire::decode(metadata_, header_.version, in);
        case api_key::api_versions: return !wire::decode(api_versions_, header_.version, in);
        case api_key::init_producer_id: return !wire::decode(init_producer_id_, header_.version, in);
        default: return false;
    }
}

fate broker_requests::choose_fate(cluster_state& cluster, const fake_broker& broker,
                                  std::uint64_t connection) const {
    if (std::optional<fate> queued = cluster.take_queued_fate(header_.api_key, broker.node)) return *queued;
    if (!cluster.has_hook()) return fate::answer();
    return cluster.ask_hook(describe(cluster, broker, connection));
}

reaction broker_requests::handle(cluster_state& cluster, const fake_broker& broker, const fate& what,
                                 time_point now, wire::writer& out) {
    const broker_request request{cluster, broker, header_, what, now};
    if (is_refused_) return refuse_api_versions(request, out);
    switch (static_cast<api_key>(header_.api_key)) {
        case api_key::produce: return producing_.handle(request, produce_, out);
        case api_key::metadata: return handle_metadata(request, metadata_, out);
        case api_key::api_versions: return handle_api_versions(request, api_versions_, out);
        case api_key::init_producer_id: return handle_init_producer_id(request, init_producer_id_, out);
        default: return reaction::disconnect;
    }
}

request_info broker_requests::describe(cluster_state& cluster, const fake_broker& broker,
                                       std::uint64_t connection) const {
    request_info info;
    info.node_id = broker.node;
    info.api_key = header_.api_key;
    info.api_version = header_.version;
    info.correlation_id = header_.correlation_id;
    if (header_.client_id) info.client_id.emplace(*header_.client_id);
    info.connection = connection;
    if (is_refused_ || static_cast<api_key>(header_.api_key) != api_key::produce) return info;
    info.acks = produce_.acks;
    for (const wire::topic_produce_data& topic : produce_.topic_data) {
        std::string_view name = topic.name;
        if (const fake_topic* known = header_.version >= 13 ? cluster.find_topic(topic.topic_id) : nullptr) {
            name = known->name;
        }
        for (const auto& partition : topic.partition_data) {
            info.partitions.push_back(describe_partition(name, partition));
        }
    }
    return info;
}

}  // namespace sluice::testing
