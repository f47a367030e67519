// What is said first on a connection: which versions the broker speaks (ApiVersions, KIP-511). SASL will go here too.
//
//   start --> ApiVersions of our newest version --> answered: ready
//                                               --> UNSUPPORTED_VERSION: once more with what the broker has (VER-3)
//                                               --> anything else: failed
//
// No I/O: it writes requests, and is given answers. Owner: one shard.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "sluice/error.hpp"
#include "wire/negotiated_versions.hpp"
#include "wire/writer.hpp"

namespace sluice {

class handshake {
public:
    enum class step { send, ready, failed };

    // The version of the request that write() makes.
    std::int16_t version() const noexcept { return version_; }
    // Appends the request, a whole frame.
    void write(wire::writer& out, std::int32_t correlation_id, std::string_view client_id) const;
    // `body` is the answer. send: write() again.
    step on_answer(bytes body);

    // After `ready`.
    const wire::negotiated_versions& versions() const noexcept { return versions_; }
    // After `failed`.
    error_code error() const noexcept { return error_; }

private:
    step fail(error_code why) noexcept {
        error_ = why;
        return step::failed;
    }

    std::int16_t version_ = wire::api_versions_request::versions.max;
    wire::negotiated_versions versions_;
    error_code error_;
};

}  // namespace sluice
