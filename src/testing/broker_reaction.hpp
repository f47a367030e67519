// What a broker does once it has handled a request.
#pragma once

#include <cstdint>

#include "sluice/testing/fate.hpp"
#include "testing/cluster_state.hpp"
#include "wire/frame.hpp"
#include "wire/writer.hpp"

namespace sluice::testing {

enum class reaction : std::uint8_t { answer, no_answer, disconnect };

// One request on its way through a broker. Everything is valid while the request is handled.
struct broker_request {
    cluster_state& cluster;
    const fake_broker& broker;
    const wire::request_header& header;
    const fate& what;
    time_point now;

    std::int32_t throttle_time_ms() const noexcept {
        return static_cast<std::int32_t>(cluster.throttle_time.count());
    }
};

// Writes the answer as a frame.
template <wire::message Message>
reaction send_answer(const broker_request& request, const Message& body, std::int16_t version,
                     wire::writer& out) {
    const error_code error = wire::write_response(out, body, version, request.header.correlation_id);
    return error ? reaction::disconnect : reaction::answer;
}

}  // namespace sluice::testing
