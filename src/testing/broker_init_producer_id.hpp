// InitProducerId: identities for idempotent producers. (TransactionCoordinator.handleInitProducerId)
#pragma once

#include "testing/broker_reaction.hpp"
#include "wire/api/init_producer_id.hpp"

namespace sluice::testing {

reaction handle_init_producer_id(const broker_request& request, const wire::init_producer_id_request& body,
                                 wire::writer& out);

}  // namespace sluice::testing
