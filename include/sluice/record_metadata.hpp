// Where a record went, or what is known of a record that failed.
#pragma once

#include <cstdint>

#include "sluice/shared_text.hpp"

namespace sluice {

// What is known about the cluster's copy of a record. It comes from all attempts, not from the last error code: a record
// that timed out after its first request was lost is possibly persisted, whatever the last broker said.
enum class outcome : std::uint8_t {
    not_persisted,       // safe to send again
    possibly_persisted,  // sending it again may store it twice
    persisted            // acknowledged (acks=0: handed to the network)
};

constexpr const char* to_string(outcome what) noexcept {
    switch (what) {
        case outcome::not_persisted: return "not persisted";
        case outcome::possibly_persisted: return "possibly persisted";
        case outcome::persisted: return "persisted";
    }
    return "?";
}

// Kafka's RecordMetadata, on success and on failure: an error names its record (SND-9, SND-20).
struct record_metadata {
    shared_text topic;
    std::int32_t partition = -1;  // -1: none was chosen yet
    std::int64_t offset = -1;     // -1: not known
    std::int64_t timestamp = -1;  // ms; the broker's if the topic has LogAppendTime, else the record's
    std::int32_t serialized_key_size = -1;    // bytes; -1 for null
    std::int32_t serialized_value_size = -1;  // bytes; -1 for null
    sluice::outcome outcome = sluice::outcome::not_persisted;
    shared_text message;  // on failure: what exactly went wrong, by the client or in the broker's words
};

}  // namespace sluice
