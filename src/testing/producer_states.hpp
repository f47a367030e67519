// What the leader of a partition remembers of idempotent producers.
//
//   producer id -> epoch, and the last five batches of that epoch: sequences, offset, timestamp
//
//   a batch like one of the five   a duplicate: acknowledged again, where it is (IDM-5)
//   an older epoch                 INVALID_PRODUCER_EPOCH
//   a newer epoch                  begins with sequence 0, else OUT_OF_ORDER_SEQUENCE_NUMBER
//   the same epoch                 goes on where the last batch ended, else OUT_OF_ORDER_SEQUENCE_NUMBER; that
//                                  is also said of what is older than the five: it looks like a gap
//   nobody of that id              anything since KIP-360; before, UNKNOWN_PRODUCER_ID unless it begins with 0
//
// Source: ProducerStateManager, ProducerAppendInfo, ProducerStateEntry. Owner: one partition.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <unordered_map>

#include "record/batch_header.hpp"

namespace sluice::testing {

class producer_states {
public:
    struct stored_batch {
        std::int32_t base_sequence = 0;
        std::int32_t last_sequence = 0;
        std::int64_t base_offset = 0;
        std::int64_t last_offset = 0;
        std::int64_t max_timestamp = 0;
    };

    // The batch that this one is a copy of, if it is remembered.
    const stored_batch* find_duplicate(const batch_header& header) const noexcept;

    // Whether a batch that is no duplicate may be appended: an error code, or 0. Batches without a producer
    // id always may.
    std::int16_t check(const batch_header& header, bool accepts_unknown) const noexcept;

    // It was appended.
    void remember(const batch_header& header, std::int64_t base_offset, std::int64_t max_timestamp);

    void forget_all() noexcept { producers_.clear(); }
    // Forgets what was written before `offset`, as brokers before KIP-360 did when records were deleted.
    void forget_before(std::int64_t offset);

private:
    struct producer {
        static constexpr std::size_t window = 5;

        std::int16_t epoch = -1;
        std::uint8_t count = 0;
        std::array<stored_batch, window> batches;  // oldest first

        void add(const stored_batch& latest) noexcept;
    };

    std::unordered_map<std::int64_t, producer> producers_;
};

}  // namespace sluice::testing
