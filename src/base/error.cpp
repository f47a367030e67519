#include "sluice/error.hpp"

#include "base/broker_error.hpp"

namespace sluice {
namespace {

class client_category_type final : public error_category {
public:
    const char* name() const noexcept override { return "sluice"; }

    std::string message(int code) const override {
        switch (static_cast<errc>(code)) {
            case errc::would_block: return "the call would have to wait";
            case errc::closed: return "the producer is closed";
            case errc::record_too_large: return "the record is too large";
            case errc::invalid_record: return "the record is not valid";
            case errc::invalid_config: return "the configuration is not valid";
            case errc::bootstrap_failed: return "no bootstrap server could be resolved";
            case errc::metadata_timeout: return "the topic is not present in metadata";
            case errc::memory_timeout: return "no buffer memory became free in time";
            case errc::call_timeout: return "the deadline of the call passed";
            case errc::delivery_timeout: return "the record was not acknowledged in time";
            case errc::request_timeout: return "the broker did not answer in time";
            case errc::connect_timeout: return "the connection was not set up in time";
            case errc::disconnected: return "the connection to the broker was lost";
            case errc::protocol_error: return "the broker sent bytes that are not Kafka's protocol";
            case errc::frame_too_large: return "the broker announced a frame that is too large";
            case errc::unsupported_version:
                return "the broker speaks no version of this request that we speak";
            case errc::not_implemented: return "not implemented yet";
            case errc::batch_discarded: return "the producer failed for good before this record was sent";
        }
        return "unknown error " + std::to_string(code);
    }

    error_condition default_error_condition(int code) const noexcept override {
        switch (static_cast<errc>(code)) {
            case errc::would_block:
            case errc::metadata_timeout:
            case errc::memory_timeout:
            case errc::call_timeout:
            case errc::delivery_timeout:
            case errc::request_timeout:
            case errc::connect_timeout:
            case errc::disconnected: return condition::retriable;
            case errc::closed:
            case errc::invalid_config:
            case errc::bootstrap_failed:
            case errc::batch_discarded: return condition::fatal;
            case errc::record_too_large:
            case errc::invalid_record:
            case errc::protocol_error:
            case errc::frame_too_large:
            case errc::unsupported_version:
            case errc::not_implemented: return condition::rejected;
        }
        return condition::rejected;
    }
};

class broker_category_type final : public error_category {
public:
    const char* name() const noexcept override { return "kafka"; }

    std::string message(int code) const override {
        const broker_error& entry = find_broker_error(code);
        if (entry.code == code) return entry.name;
        return std::string(entry.name) + " (code " + std::to_string(code) + ")";
    }

    error_condition default_error_condition(int code) const noexcept override {
        const broker_error& entry = find_broker_error(code);
        switch (static_cast<broker_errc>(code)) {
            case broker_errc::invalid_producer_epoch:  // recovered by an abort (TXN-30)
            case broker_errc::out_of_order_sequence_number:
            case broker_errc::unknown_producer_id:
            case broker_errc::invalid_txn_state:
            case broker_errc::transaction_abortable: return condition::abortable;
            case broker_errc::cluster_authorization_failed:
            case broker_errc::transactional_id_authorization_failed:
            case broker_errc::unsupported_version: return condition::fatal;
            default: break;
        }
        if (entry.is(broker_error::retriable)) return condition::retriable;
        if (entry.is(broker_error::application_recoverable) || entry.is(broker_error::authentication)) {
            return condition::fatal;
        }
        return condition::rejected;
    }
};

class condition_category_type final : public error_category {
public:
    const char* name() const noexcept override { return "sluice.condition"; }

    std::string message(int code) const override {
        switch (static_cast<condition>(code)) {
            case condition::rejected: return "rejected: this record or call only";
            case condition::retriable: return "retriable";
            case condition::abortable: return "abortable: abort the transaction";
            case condition::fatal: return "fatal: close the producer";
        }
        return "unknown condition " + std::to_string(code);
    }
};

}  // namespace

const error_category& client_category() noexcept {
    static const client_category_type category;
    return category;
}

const error_category& broker_category() noexcept {
    static const broker_category_type category;
    return category;
}

const error_category& condition_category() noexcept {
    static const condition_category_type category;
    return category;
}

error::error(error_code code, std::string text)
    : boost::system::system_error(code), text_(text.empty() ? code.message() : std::move(text)) {}

}  // namespace sluice
