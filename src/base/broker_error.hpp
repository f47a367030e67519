// Kafka's table of error codes: name, class and what kind of error it is.
// Source: org.apache.kafka.common.protocol.Errors and the exception tree, read at 4.4.0 (EXC-1..4).
#pragma once

#include <cstdint>
#include <string_view>

namespace sluice {

struct broker_error {
    std::int16_t code;
    const char* name;       // "NOT_LEADER_OR_FOLLOWER"
    const char* exception;  // the Java client's class; "" for NONE
    std::uint8_t kinds;     // of `kind`

    enum kind : std::uint8_t {
        other = 0,
        retriable = 1,
        refresh_retriable = 2,        // look the coordinator up again
        invalid_metadata = 4,         // ask for new metadata
        application_recoverable = 8,  // a new producer is needed
        invalid_configuration = 16,
        authorization = 32,
        authentication = 64
    };
    bool is(kind which) const noexcept { return (kinds & which) != 0; }
};

// The entry of a code; UNKNOWN_SERVER_ERROR for a code that is not in the table, as in Java.
const broker_error& find_broker_error(int code) noexcept;

// All entries, ascending by code.
struct broker_error_table {
    const broker_error* begin() const noexcept;
    const broker_error* end() const noexcept;
};

}  // namespace sluice
