// What share of their size a topic's records keep when they are compressed, as far as batches have shown (Kafka's
// CompressionRatioEstimator): it falls slowly and rises at once, since too low a guess makes batches too large.
#pragma once

#include <algorithm>
#include <cstdint>

namespace sluice {

// Owner: one shard, for one topic; the codec of a producer is always the same. Floats, as in Kafka (CMP-7).
class compression_ratio {
public:
    float estimate() const noexcept { return estimate_; }
    // Of a batch that was compressed (CMP-7).
    void note(float observed) noexcept {
        if (observed > estimate_) {
            estimate_ = std::max(estimate_ + rising_step, observed);
        } else if (observed < estimate_) {
            estimate_ = std::max(estimate_ - falling_step, observed);
        }
    }
    // Of a batch that was too large for the broker, and is cut (CMP-10).
    void note_split(float observed) noexcept { estimate_ = std::max(1.0f, observed); }

private:
    static constexpr float rising_step = 0.05f;
    static constexpr float falling_step = 0.005f;
    float estimate_ = 1.0f;
};

// A batch counts as somewhat larger than estimated.
inline constexpr float compression_margin = 1.05f;

}  // namespace sluice
