// Which partition records without a key go to, one partition at a time, so that batches fill (KIP-480, KIP-794).
// Source: org.apache.kafka.clients.producer.internals.BuiltInPartitioner.
#pragma once

#include <cstdint>
#include <span>

#include "base/random.hpp"

namespace sluice {

// Counts what was produced to the current partition, and moves on at the end of a batch once it is batch.size bytes, or in
// any case at twice that (PRT-9, PRT-10). Where to is drawn from the candidates that the caller gives.
//
// Owner: one shard, one for each topic.
class sticky_choice {
public:
    // The partition for the next record; draws one where there is none yet.
    std::int32_t current(std::span<const std::int32_t> candidates, random& randomness) noexcept {
        if (partition_ < 0) draw(candidates, randomness);
        return partition_;
    }

    // A record was appended to the current partition, whose batch grew by `bytes`. `is_batch_full`: it takes no more.
    // True if the next record goes elsewhere.
    bool on_appended(std::uint32_t bytes, bool is_batch_full, std::uint32_t batch_size) noexcept {
        produced_bytes_ += bytes;
        const bool is_over = (produced_bytes_ >= batch_size && is_batch_full) ||
                             produced_bytes_ >= 2 * std::uint64_t{batch_size};
        if (is_over) forget();
        return is_over;
    }

    // The next record draws again: the partitions have changed.
    void forget() noexcept {
        partition_ = -1;
        produced_bytes_ = 0;
    }

private:
    void draw(std::span<const std::int32_t> candidates, random& randomness) noexcept {
        partition_ = candidates.empty() ? -1 : candidates[randomness.below(candidates.size())];
        produced_bytes_ = 0;
    }

    std::int32_t partition_ = -1;
    std::uint64_t produced_bytes_ = 0;
};

}  // namespace sluice
