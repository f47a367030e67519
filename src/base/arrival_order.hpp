// Queues of those who wait for one thing after another: whoever comes from one queue to the next keeps its place there.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

namespace sluice {

inline constexpr std::uint64_t no_arrival_number = std::numeric_limits<std::uint64_t>::max();

// Behind all that arrived before it: that is the end, unless it has waited elsewhere while others came, over which it goes
// one by one. Who has no number comes last.
template <class List, class Waiter>
void insert_by_arrival(List& waiters, Waiter& added) {
    const std::uint64_t number = added.arrival_number();
    const auto before = std::find_if(waiters.rbegin(), waiters.rend(), [number](const Waiter& each) {
        return each.arrival_number() <= number;
    });
    waiters.insert(before.base(), added);
}

}  // namespace sluice
