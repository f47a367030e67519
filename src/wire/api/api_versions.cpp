#include "wire/api/api_versions.hpp"

#include "wire/codec/message_codec.hpp"

namespace sluice::wire {

template error_code encode(const api_versions_request&, std::int16_t, writer&);
template error_code decode(api_versions_request&, std::int16_t, reader&);
template std::string print(const api_versions_request&, std::int16_t);

template error_code encode(const api_versions_response&, std::int16_t, writer&);
template error_code decode(api_versions_response&, std::int16_t, reader&);
template std::string print(const api_versions_response&, std::int16_t);

error_code decode_answer(api_versions_response& value, std::int16_t version, reader& in) {
    const reader from_the_start = in;
    const error_code error = decode(value, version, in);
    if (error != errc::protocol_error || version == 0) return error;
    // The shape of version 0 is never taken for a later one: it lacks four bytes of 1 and 2, and the high
    // byte of its count, 0, is a null list in 3 and later.
    if (value.error_code != static_cast<int>(broker_errc::unsupported_version)) return error;
    in = from_the_start;
    return decode(value, 0, in);
}

}  // namespace sluice::wire
