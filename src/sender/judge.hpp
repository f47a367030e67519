// What a broker's answer for one batch means: the table of spec group ERR, in code.
#pragma once

#include <cstdint>

namespace sluice {

struct verdict {
    enum class action : std::uint8_t {
        acknowledge,  // stored (0), or stored before (DUPLICATE_SEQUENCE_NUMBER, IDM-6)
        retry,        // as long as delivery.timeout.ms and retries allow
        split,        // too large: cut it, and send the parts (SPL-1)
        fail          // for good
    };
    action what = action::fail;
    bool may_be_stored = false;    // of an error: the append may have happened all the same
    bool wants_metadata = false;   // the leader is not what we think (InvalidMetadata)
    bool is_fatal = false;         // for the whole producer (31, 35, 49, 53, 90 with idempotence)
    bool is_out_of_order = false;  // OUT_OF_ORDER_SEQUENCE_NUMBER, for the ledger
    bool is_unknown_producer = false;
};

// Judges `code` for a batch of `record_count` records. Codes that are not in Kafka's table count as
// UNKNOWN_SERVER_ERROR.
verdict judge(std::int16_t code, bool is_idempotent, std::int32_t record_count) noexcept;

}  // namespace sluice
