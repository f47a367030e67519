#include "wire/api/metadata.hpp"

#include "wire/codec/message_codec.hpp"

namespace sluice::wire {

template error_code encode(const metadata_request&, std::int16_t, writer&);
template error_code decode(metadata_request&, std::int16_t, reader&);
template std::string print(const metadata_request&, std::int16_t);

template error_code encode(const metadata_response&, std::int16_t, writer&);
template error_code decode(metadata_response&, std::int16_t, reader&);
template std::string print(const metadata_response&, std::int16_t);

}  // namespace sluice::wire
