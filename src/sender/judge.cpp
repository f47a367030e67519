#include "sender/judge.hpp"

#include "base/broker_error.hpp"
#include "sluice/error.hpp"

namespace sluice {

verdict judge(std::int16_t code, bool is_idempotent, std::int32_t record_count) noexcept {
    using enum verdict::action;
    verdict made;
    const broker_error& entry = find_broker_error(code);
    made.wants_metadata = entry.is(broker_error::invalid_metadata);
    if (entry.code == 0) {
        made.what = acknowledge;
        return made;
    }
    switch (static_cast<broker_errc>(entry.code)) {
        case broker_errc::duplicate_sequence_number: made.what = acknowledge; return made;
        case broker_errc::message_too_large: made.what = record_count > 1 ? split : fail; return made;

        case broker_errc::out_of_order_sequence_number:
            made.what = is_idempotent ? retry : fail;
            made.is_out_of_order = true;
            return made;
        case broker_errc::unknown_producer_id:
            made.what = is_idempotent ? retry : fail;
            made.is_unknown_producer = true;
            return made;

        case broker_errc::cluster_authorization_failed:
        case broker_errc::unsupported_version:
        case broker_errc::invalid_producer_id_mapping:
        case broker_errc::transactional_id_authorization_failed:
        case broker_errc::producer_fenced: made.is_fatal = is_idempotent; return made;

        // The leader had appended when these came about, or nobody can say.
        case broker_errc::request_timed_out:
        case broker_errc::not_enough_replicas_after_append:
        case broker_errc::kafka_storage_error:
        case broker_errc::unknown_server_error: made.may_be_stored = true; break;
        default: break;
    }
    if (entry.is(broker_error::retriable)) made.what = retry;
    return made;
}

}  // namespace sluice
