#include "testing/broker_init_producer_id.hpp"

#include "testing/kafka_error.hpp"

namespace sluice::testing {
namespace {

std::int16_t error_of(const broker_request& request, const wire::init_producer_id_request& body) noexcept {
    if (request.what.code) return code_of(*request.what.code);
    if (request.cluster.denies_idempotent_writes) return code_of(broker_errc::cluster_authorization_failed);
    if ((body.producer_id == -1) != (body.producer_epoch == -1)) return code_of(broker_errc::invalid_request);
    // No broker here coordinates transactions.
    if (body.transactional_id) return code_of(broker_errc::not_coordinator);
    return no_error;
}

}  // namespace

reaction handle_init_producer_id(const broker_request& request, const wire::init_producer_id_request& body,
                                 wire::writer& out) {
    wire::init_producer_id_response response;
    response.throttle_time_ms = request.throttle_time_ms();
    response.error_code = error_of(request, body);
    response.producer_epoch = -1;
    if (response.error_code == no_error) {
        // A new id, also for a producer that has one: only with a transactional id is there an epoch to
        // raise.
        response.producer_id = request.cluster.next_producer_id();
        response.producer_epoch = 0;
    }
    return send_answer(request, response, request.header.version, out);
}

}  // namespace sluice::testing
