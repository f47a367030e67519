#include "sink/rare_requests.hpp"

#include "sluice/error.hpp"
#include "wire/api/api_versions.hpp"
#include "wire/api/init_producer_id.hpp"
#include "wire/api/metadata.hpp"
#include "wire/frame.hpp"

namespace sluice::sink {
namespace {

constexpr std::int16_t unsupported_version = 35;
constexpr std::int16_t unknown_topic_id = 100;

// As Kafka 4 lists them. Fetch, ListOffsets and FindCoordinator are not answered, and have to be there: by them librdkafka
// tells whether a broker knows the present message format, and lz4. Kafka lists Produce from 0 for librdkafka, too.
constexpr wire::api_version offered[] = {
    {0, 0, 13},  // Produce
    {1, 4, 17},  // Fetch
    {2, 1, 10},  // ListOffsets
    {3, 0, 13},  // Metadata
    {10, 0, 6},  // FindCoordinator
    {18, 0, 4},  // ApiVersions
    {22, 0, 5},  // InitProducerId
};

bool is_offered(std::int16_t key, std::int16_t version) noexcept {
    for (const auto& each : offered) {
        if (each.api_key == key) return version >= each.min_version && version <= each.max_version;
    }
    return false;
}

}  // namespace

bool rare_requests::answer(bytes request, wire::writer& out) {
    wire::reader in(request);
    const wire::request_header header = wire::read_request_header(in);
    if (in.failed()) return false;
    const auto key = static_cast<wire::api_key>(header.api_key);
    if (key == wire::api_key::api_versions)
        return answer_api_versions(header.version, header.correlation_id, out);
    if (!is_offered(header.api_key, header.version)) return false;
    if (key == wire::api_key::metadata)
        return answer_metadata(header.version, header.correlation_id, in, out);
    if (key == wire::api_key::init_producer_id)
        return answer_init_producer_id(header.version, header.correlation_id, in, out);
    return false;
}

bool rare_requests::answer_api_versions(std::int16_t version, std::int32_t correlation_id,
                                        wire::writer& out) const {
    wire::api_versions_response response;
    response.api_keys.assign(std::begin(offered), std::end(offered));
    const bool is_known = is_offered(static_cast<std::int16_t>(wire::api_key::api_versions), version);
    // Who asks in a version that we do not know is answered in the first one, with what we know (KIP-511).
    if (!is_known) response.error_code = unsupported_version;
    return !wire::write_response(out, response, is_known ? version : std::int16_t{0}, correlation_id);
}

bool rare_requests::answer_metadata(std::int16_t version, std::int32_t correlation_id, wire::reader& in,
                                    wire::writer& out) {
    wire::metadata_request request;
    if (wire::decode(request, version, in)) return false;
    wire::metadata_response response;
    response.cluster_id = "sluice-sink";
    response.controller_id = 0;
    const auto broker_count = static_cast<std::int32_t>(ports_.size());
    for (std::int32_t node = 0; node < broker_count; ++node) {
        response.brokers.push_back(
            {.node_id = node, .host = host_, .port = ports_[static_cast<std::size_t>(node)], .rack = {}});
    }
    const auto add = [&](const topic& each) {
        auto& added = response.topics.emplace_back();
        added.name = each.name;
        added.topic_id = each.id;
        const auto count = static_cast<std::int32_t>(each.next_offsets.size());
        for (std::int32_t partition = 0; partition < count; ++partition) {
            const std::int32_t leader = partition % broker_count;
            added.partitions.push_back({.partition_index = partition,
                                        .leader_id = leader,
                                        .leader_epoch = 0,
                                        .replica_nodes = {leader},
                                        .isr_nodes = {leader},
                                        .offline_replicas = {}});
        }
    };
    if (!request.topics || (version == 0 && request.topics->empty())) {
        for (const topic& each : topics_.all()) add(each);
    } else {
        for (const auto& asked : *request.topics) {
            const topic* const found =
                asked.name ? &topics_.of_name(*asked.name) : topics_.of_id(asked.topic_id);
            if (found != nullptr) {
                add(*found);
            } else {
                auto& missing = response.topics.emplace_back();
                missing.error_code = unknown_topic_id;
                missing.topic_id = asked.topic_id;
            }
        }
    }
    return !wire::write_response(out, response, version, correlation_id);
}

bool rare_requests::answer_init_producer_id(std::int16_t version, std::int32_t correlation_id,
                                            wire::reader& in, wire::writer& out) {
    wire::init_producer_id_request request;
    if (wire::decode(request, version, in)) return false;
    wire::init_producer_id_response response;
    if (request.producer_id >= 0) {
        response.producer_id = request.producer_id;
        response.producer_epoch = static_cast<std::int16_t>(request.producer_epoch + 1);
    } else {
        response.producer_id = ++last_producer_id_;
    }
    return !wire::write_response(out, response, version, correlation_id);
}

}  // namespace sluice::sink
