#include "session/handshake.hpp"

#include <algorithm>

#include "base/ensure.hpp"
#include "sluice/version.hpp"
#include "wire/api/api_versions.hpp"
#include "wire/frame.hpp"

namespace sluice {
namespace {

// The broker's newest version of ApiVersions, from the list that comes with UNSUPPORTED_VERSION (2.4 and newer), else 0.
std::int16_t version_to_fall_back_to(const wire::api_versions_response& answer) {
    for (const wire::api_version& each : answer.api_keys) {
        if (each.api_key == static_cast<std::int16_t>(wire::api_key::api_versions)) {
            return std::min(each.max_version, wire::api_versions_request::versions.max);
        }
    }
    return 0;
}

}  // namespace

void handshake::write(wire::writer& out, std::int32_t correlation_id, std::string_view client_id) const {
    wire::api_versions_request request;
    request.client_software_name = software_name;
    request.client_software_version = software_version();
    const error_code error = wire::write_request(out, request, version_, correlation_id, client_id);
    ensure(!error);
}

handshake::step handshake::on_answer(bytes body) {
    wire::api_versions_response answer;
    wire::reader peek(body);
    const auto code = static_cast<broker_errc>(peek.read_int16());
    const bool is_refused = code == broker_errc::unsupported_version && version_ > 0;
    wire::reader in(body);
    // A broker that does not know our version answers in the oldest one.
    if (const error_code error = wire::decode(answer, is_refused ? std::int16_t{0} : version_, in))
        return fail(error);
    if (is_refused) {
        const std::int16_t next = version_to_fall_back_to(answer);
        version_ = next < version_ && next >= 0 ? next : std::int16_t{0};
        return step::send;
    }
    if (answer.error_code != 0) return fail(error_code(answer.error_code, broker_category()));
    versions_ = wire::negotiated_versions(answer);
    return step::ready;
}

}  // namespace sluice
