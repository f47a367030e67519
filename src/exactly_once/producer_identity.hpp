// Who a producer is to the brokers: the id that InitProducerId gave, and the epoch that tells its incarnations apart.
#pragma once

#include <cstdint>
#include <limits>

namespace sluice {

struct producer_identity {
    std::int64_t id = -1;
    std::int16_t epoch = -1;

    bool is_valid() const noexcept { return id >= 0; }
    // At the last epoch an idempotent producer asks for a new id (IDM-11).
    bool has_next_epoch() const noexcept { return epoch < std::numeric_limits<std::int16_t>::max(); }

    friend bool operator==(const producer_identity&, const producer_identity&) = default;
};

}  // namespace sluice
