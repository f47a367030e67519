// Metadata: which brokers live, who leads what, and topics that come to be by being asked for.
// Source: KafkaApis.handleTopicMetadataRequest, KRaftMetadataCache, AutoTopicCreationManager.
#pragma once

#include "testing/broker_reaction.hpp"
#include "wire/api/metadata.hpp"

namespace sluice::testing {

reaction handle_metadata(const broker_request& request, const wire::metadata_request& body,
                         wire::writer& out);

}  // namespace sluice::testing
