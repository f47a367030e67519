#include "testing/producer_states.hpp"

#include <algorithm>
#include <span>

#include "exactly_once/sequence.hpp"
#include "testing/kafka_error.hpp"

namespace sluice::testing {
namespace {

std::int32_t last_sequence_of(const batch_header& header) noexcept {
    return sequence_after(header.base_sequence, header.last_offset_delta);
}

}  // namespace

const producer_states::stored_batch* producer_states::find_duplicate(
    const batch_header& header) const noexcept {
    if (header.producer_id < 0) return nullptr;
    const auto known = producers_.find(header.producer_id);
    if (known == producers_.end() || known->second.epoch != header.producer_epoch) return nullptr;
    const std::span batches(known->second.batches.data(), known->second.count);
    const auto same = std::ranges::find_if(batches, [&](const stored_batch& stored) {
        return stored.base_sequence == header.base_sequence &&
               stored.last_sequence == last_sequence_of(header);
    });
    return same == batches.end() ? nullptr : &*same;
}

std::int16_t producer_states::check(const batch_header& header, bool accepts_unknown) const noexcept {
    if (header.producer_id < 0) return no_error;
    const auto known = producers_.find(header.producer_id);
    if (known == producers_.end()) {
        return accepts_unknown || header.base_sequence == 0 ? no_error
                                                            : code_of(broker_errc::unknown_producer_id);
    }
    const producer& writer = known->second;
    if (header.producer_epoch < writer.epoch) return code_of(broker_errc::invalid_producer_epoch);
    const std::int32_t expected = header.producer_epoch > writer.epoch
                                      ? 0
                                      : sequence_after(writer.batches[writer.count - 1u].last_sequence, 1);
    return header.base_sequence == expected ? no_error : code_of(broker_errc::out_of_order_sequence_number);
}

void producer_states::remember(const batch_header& header, std::int64_t base_offset,
                               std::int64_t max_timestamp) {
    if (header.producer_id < 0) return;
    producer& writer = producers_[header.producer_id];
    if (writer.epoch != header.producer_epoch) {
        writer.epoch = header.producer_epoch;
        writer.count = 0;
    }
    writer.add({.base_sequence = header.base_sequence,
                .last_sequence = last_sequence_of(header),
                .base_offset = base_offset,
                .last_offset = base_offset + header.last_offset_delta,
                .max_timestamp = max_timestamp});
}

void producer_states::forget_before(std::int64_t offset) {
    for (auto known = producers_.begin(); known != producers_.end();) {
        producer& writer = known->second;
        const std::span batches(writer.batches.data(), writer.count);
        const auto kept = std::ranges::find_if(
            batches, [offset](const stored_batch& stored) { return stored.last_offset >= offset; });
        const auto gone = std::ranges::distance(batches.begin(), kept);
        std::shift_left(batches.begin(), batches.end(), gone);
        writer.count = static_cast<std::uint8_t>(writer.count - gone);
        known = writer.count == 0 ? producers_.erase(known) : std::next(known);
    }
}

void producer_states::producer::add(const stored_batch& latest) noexcept {
    if (count == window) {
        std::shift_left(batches.begin(), batches.end(), 1);
        --count;
    }
    batches[count++] = latest;
}

}  // namespace sluice::testing
