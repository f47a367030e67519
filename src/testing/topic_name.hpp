// Which names a topic may have (org.apache.kafka.common.internals.Topic).
#pragma once

#include <algorithm>
#include <string_view>

namespace sluice::testing {

inline constexpr std::size_t topic_name_size_max = 249;

constexpr bool is_topic_name_character(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

constexpr bool is_legal_topic_name(std::string_view name) noexcept {
    return !name.empty() && name != "." && name != ".." && name.size() <= topic_name_size_max &&
           std::ranges::all_of(name, is_topic_name_character);
}

// What Kafka keeps for itself: clients see these topics, marked, and may not write to them.
constexpr bool is_internal_topic(std::string_view name) noexcept {
    return name == "__consumer_offsets" || name == "__transaction_state" || name == "__share_group_state";
}

}  // namespace sluice::testing
