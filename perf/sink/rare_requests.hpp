// What clients ask before they send: ApiVersions, Metadata, InitProducerId.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "sink/topics.hpp"
#include "wire/reader.hpp"
#include "wire/writer.hpp"

namespace sluice::sink {

// Owner: the sink's thread. Partition p is led by broker p mod the count of brokers.
class rare_requests {
public:
    rare_requests(topics& all, std::string host, std::vector<std::uint16_t> ports)
        : topics_(all), host_(std::move(host)), ports_(std::move(ports)) {}

    // Appends the answer to a request, given without its size. False for one that the sink does not answer.
    bool answer(bytes request, wire::writer& out);

private:
    bool answer_api_versions(std::int16_t version, std::int32_t correlation_id, wire::writer& out) const;
    bool answer_metadata(std::int16_t version, std::int32_t correlation_id, wire::reader& in,
                         wire::writer& out);
    bool answer_init_producer_id(std::int16_t version, std::int32_t correlation_id, wire::reader& in,
                                 wire::writer& out);

    topics& topics_;
    std::string host_;
    std::vector<std::uint16_t> ports_;  // by broker
    std::int64_t last_producer_id_ = 0;
};

}  // namespace sluice::sink
