// Frames and headers: what stands around the body of a message.
//
//   frame            = size:i32 payload               the size counts the payload alone
//   request          = request-header body            response = response-header body
//   request-header   = key:i16 version:i16 correlation-id:i32 client-id:nullable-string [tagged-section]
//   response-header  = correlation-id:i32 [tagged-section]
//
// Flexible versions have the tagged section (headers v2 and v1), the others have not (v1 and v0). Two
// exceptions: the length of the client id is an i16 always, and an ApiVersions response never has the
// section, so that a client can read it before it knows what the broker speaks (VER-2).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "sluice/error.hpp"
#include "wire/api_key.hpp"
#include "wire/message.hpp"
#include "wire/reader.hpp"
#include "wire/writer.hpp"

namespace sluice::wire {

inline constexpr std::size_t frame_prefix_size = 4;

// Default limits of what a broker may announce (Kafka's client has none, NET-21; design §7).
inline constexpr std::uint32_t frame_size_max = 100u << 20;
inline constexpr std::uint32_t frame_size_max_unauthenticated = 512u << 10;

// The size of the payload that follows. errc::protocol_error for a negative one, errc::frame_too_large above
// `size_max`.
[[nodiscard]] result<std::uint32_t> read_frame_size(std::span<const std::byte, frame_prefix_size> prefix,
                                                    std::uint32_t size_max) noexcept;

constexpr int request_header_version(api_key key, std::int16_t version) noexcept {
    return is_flexible(key, version) ? 2 : 1;
}
constexpr int response_header_version(api_key key, std::int16_t version) noexcept {
    return key != api_key::api_versions && is_flexible(key, version) ? 1 : 0;
}

// Where a frame began; its size is filled in at its end.
struct open_frame {
    writer::mark begin;
};

// Writes room for the size, and a request header. `is_flexible`: of this version of the message. A client id
// longer than a string may be is cut off: it is for people to read.
[[nodiscard]] open_frame begin_request(writer& out, api_key key, std::int16_t version, bool is_flexible,
                                       std::int32_t correlation_id,
                                       std::optional<std::string_view> client_id);

// Fills the size in. errc::frame_too_large above 2^31 - 1; then `out` is as it was before the frame began.
[[nodiscard]] error_code end_request(writer& out, const open_frame& frame);

// All of it: size, header, body. When the body cannot be written (see `encode`), `out` is as it was.
template <message Message>
[[nodiscard]] error_code write_request(writer& out, const Message& body, std::int16_t version,
                                       std::int32_t correlation_id,
                                       std::optional<std::string_view> client_id) {
    const open_frame frame = begin_request(out, Message::key, version, version >= Message::flexible_from,
                                           correlation_id, client_id);
    if (const error_code error = encode(body, version, out)) {
        out.rewind(frame.begin);
        return error;
    }
    return end_request(out, frame);
}

// Reads a response header up to where the body begins; the error stays in the reader. The correlation id
// comes first in either version: `in` is taken for the answer to a request of this key and version.
std::int32_t read_response_header(reader& in, api_key key, std::int16_t version) noexcept;

// The other side, for brokers in tests.

struct request_header {
    std::int16_t api_key = 0;  // may be none that we know
    std::int16_t version = 0;
    std::int32_t correlation_id = 0;
    std::optional<std::string_view> client_id;  // in the frame
};

// Reads a request header up to where the body begins; the error stays in the reader. An unknown key is taken
// for a non-flexible one.
request_header read_request_header(reader& in) noexcept;

[[nodiscard]] open_frame begin_response(writer& out, api_key key, std::int16_t version,
                                        std::int32_t correlation_id);
[[nodiscard]] error_code end_response(writer& out, const open_frame& frame);

template <message Message>
[[nodiscard]] error_code write_response(writer& out, const Message& body, std::int16_t version,
                                        std::int32_t correlation_id) {
    const open_frame frame = begin_response(out, Message::key, version, correlation_id);
    if (const error_code error = encode(body, version, out)) {
        out.rewind(frame.begin);
        return error;
    }
    return end_response(out, frame);
}

}  // namespace sluice::wire
