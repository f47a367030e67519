// ApiVersions: what a broker says that it can do (KIP-35, KIP-511, KIP-584, KIP-1242).
#pragma once

#include "testing/broker_reaction.hpp"
#include "wire/api/api_versions.hpp"

namespace sluice::testing {

reaction handle_api_versions(const broker_request& request, const wire::api_versions_request& body,
                             wire::writer& out);

// In a version that the broker does not have: UNSUPPORTED_VERSION, in the shape of version 0.
reaction refuse_api_versions(const broker_request& request, wire::writer& out);

}  // namespace sluice::testing
