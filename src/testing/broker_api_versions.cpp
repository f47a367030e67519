#include "testing/broker_api_versions.hpp"

#include <algorithm>

#include "testing/kafka_error.hpp"

namespace sluice::testing {
namespace {

constexpr std::int16_t software_name_from = 3;
constexpr std::int16_t level_zero_from = 4;
constexpr std::int16_t cluster_check_from = 5;

bool is_letter_or_digit(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// [a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?
bool is_software_name(std::string_view name) noexcept {
    if (name.empty() || !is_letter_or_digit(name.front()) || !is_letter_or_digit(name.back())) return false;
    return std::ranges::all_of(name, [](char c) { return is_letter_or_digit(c) || c == '-' || c == '.'; });
}

std::int16_t error_of(const broker_request& request, const wire::api_versions_request& body) noexcept {
    const std::int16_t version = request.header.version;
    if (request.what.code) return code_of(*request.what.code);
    if (version < software_name_from) return no_error;
    if (!is_software_name(body.client_software_name) || !is_software_name(body.client_software_version)) {
        return code_of(broker_errc::invalid_request);
    }
    if (version < cluster_check_from || (!body.cluster_id && body.node_id == no_node)) return no_error;
    if (!body.cluster_id || body.node_id == no_node) return code_of(broker_errc::invalid_request);
    const bool is_here =
        *body.cluster_id == request.cluster.config().cluster_id && body.node_id == request.broker.node;
    return is_here ? no_error : code_of(broker_errc::rebootstrap_required);
}

}  // namespace

reaction handle_api_versions(const broker_request& request, const wire::api_versions_request& body,
                             wire::writer& out) {
    const std::int16_t version = request.header.version;
    const broker_profile& profile = request.broker.profile;
    wire::api_versions_response response;
    response.throttle_time_ms = request.throttle_time_ms();
    response.error_code = error_of(request, body);
    if (response.error_code != no_error) return send_answer(request, response, version, out);

    for (const offered_api& api : profile.apis) {
        response.api_keys.push_back({api.key, api.min_version, api.max_version});
    }
    response.finalized_features_epoch = profile.features_epoch;
    for (const cluster_feature& feature : profile.features) {
        // Older clients take a lowest level of 0 for nonsense.
        if (feature.supported_min > 0 || version >= level_zero_from) {
            response.supported_features.push_back(
                {feature.name, feature.supported_min, feature.supported_max});
        }
        if (feature.finalized_level > 0) {
            response.finalized_features.push_back(
                {feature.name, feature.finalized_level, feature.finalized_level});
        }
    }
    return send_answer(request, response, version, out);
}

reaction refuse_api_versions(const broker_request& request, wire::writer& out) {
    wire::api_versions_response response;
    response.error_code = code_of(broker_errc::unsupported_version);
    if (request.broker.profile.names_its_versions) {
        for (const offered_api& api : request.broker.profile.apis) {
            if (api.key == static_cast<std::int16_t>(wire::api_key::api_versions)) {
                response.api_keys.push_back({api.key, api.min_version, api.max_version});
            }
        }
    }
    return send_answer(request, response, 0, out);
}

}  // namespace sluice::testing
