// From the bytes of a request to the bytes of its answer, on one connection.
//
//   open      header and body; false ends the connection: unknown API or version, or not such a body
//   fate      a queued one, or what the hook says, or: answer
//   handle    what the request asks for, and the answer
#pragma once

#include <cstdint>

#include "testing/broker_produce.hpp"
#include "testing/broker_reaction.hpp"
#include "wire/api/api_versions.hpp"
#include "wire/api/init_producer_id.hpp"
#include "wire/api/metadata.hpp"
#include "wire/api/produce.hpp"

namespace sluice::testing {

// Keeps its memory from one request to the next. Owner: one connection.
class broker_requests {
public:
    // Reads a request. False: it is none that the broker knows. The frame must live until it is handled.
    bool open(const fake_broker& broker, bytes frame);

    const wire::request_header& header() const noexcept { return header_; }
    fate choose_fate(cluster_state& cluster, const fake_broker& broker, std::uint64_t connection) const;
    reaction handle(cluster_state& cluster, const fake_broker& broker, const fate& what, time_point now,
                    wire::writer& out);

private:
    request_info describe(cluster_state& cluster, const fake_broker& broker, std::uint64_t connection) const;

    wire::request_header header_;
    bool is_refused_ = false;  // ApiVersions in a version that the broker does not have
    wire::produce_request produce_;
    wire::metadata_request metadata_;
    wire::api_versions_request api_versions_;
    wire::init_producer_id_request init_producer_id_;
    broker_produce producing_;
};

}  // namespace sluice::testing
