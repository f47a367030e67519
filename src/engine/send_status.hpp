// What a shard says of a record that a caller on its loop wants to send.
#pragma once

#include <cstdint>

namespace sluice {

enum class send_status : std::uint8_t {
    accepted,
    refused,
    wait_topic,
    wait_partition,
    wait_memory,
    wait_turn,
    elsewhere  // another shard owns the partition
};

// Whose turn it is: a newcomer's, or that of the first who waited for something, who overtakes nobody.
enum class served_by : std::uint8_t { nobody, topic, memory, turn };

}  // namespace sluice
