// Where the demonstration sends to: brokers of its own, or a real cluster.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "proof.hpp"

namespace sluice::demo {

inline constexpr std::int32_t partition_count = 12;

class cluster {
public:
    virtual ~cluster() = default;
    virtual std::string describe() const = 0;
    virtual std::string bootstrap() const = 0;
    virtual std::string topic() const = 0;
    // Shows `judge` all that the topic holds. Throws std::runtime_error.
    virtual void read_back(proof& judge) = 0;
};

// Three brokers in this process, on loopback TCP (sluice::testing).
std::unique_ptr<cluster> make_embedded_cluster();
// A topic is made for this run by Kafka's own admin client, read back by its own consumer, and deleted in the end:
// `kafka_tool` is the path of tools/kafka.
std::unique_ptr<cluster> make_real_cluster(std::string bootstrap, std::string kafka_tool);

}  // namespace sluice::demo
