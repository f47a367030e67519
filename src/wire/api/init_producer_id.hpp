// InitProducerId: a producer's identity, new or with its epoch raised.
#pragma once

#include "wire/message.hpp"

namespace sluice::wire {

// From version 3 on with the present identity, to go on after an error that asks for a new epoch (KIP-360).
// Version 6 (two-phase commit, KIP-939) is marked unstable; we know it and do not send it.
struct init_producer_id_request {
    static constexpr api_key key = api_key::init_producer_id;
    static constexpr std::string_view name = "InitProducerIdRequest";
    static constexpr version_range versions{0, 6};
    static constexpr std::int16_t flexible_from = 2;

    std::optional<std::string_view> transactional_id;
    std::int32_t transaction_timeout_ms = 0;
    std::int64_t producer_id = -1;
    std::int16_t producer_epoch = -1;
    bool enable_2pc = false;
    bool keep_prepared_txn = false;
    wire::unknown_tags unknown_tags;

    template <class Self, class Fields>
    static void describe(Self& self, Fields& fields) {
        fields(field("transactionalId"), self.transactional_id);
        fields(field("transactionTimeoutMs"), self.transaction_timeout_ms);
        fields(field("producerId").since(3), self.producer_id, -1);
        fields(field("producerEpoch").since(3), self.producer_epoch, -1);
        fields(field("enable2Pc").since(6), self.enable_2pc);
        fields(field("keepPreparedTxn").since(6), self.keep_prepared_txn);
    }
};

struct init_producer_id_response {
    static constexpr api_key key = api_key::init_producer_id;
    static constexpr std::string_view name = "InitProducerIdResponse";
    static constexpr version_range versions{0, 6};
    static constexpr std::int16_t flexible_from = 2;

    std::int32_t throttle_time_ms = 0;
    std::int16_t error_code = 0;
    std::int64_t producer_id = -1;
    std::int16_t producer_epoch = 0;
    std::int64_t ongoing_txn_producer_id = -1;
    std::int16_t ongoing_txn_producer_epoch = -1;
    wire::unknown_tags unknown_tags;

    template <class Self, class Fields>
    static void describe(Self& self, Fields& fields) {
        fields(field("throttleTimeMs").ignorable(), self.throttle_time_ms);
        fields(field("errorCode"), self.error_code);
        fields(field("producerId"), self.producer_id, -1);
        fields(field("producerEpoch"), self.producer_epoch);
        fields(field("ongoingTxnProducerId").since(6), self.ongoing_txn_producer_id, -1);
        fields(field("ongoingTxnProducerEpoch").since(6), self.ongoing_txn_producer_epoch, -1);
    }
};

}  // namespace sluice::wire
