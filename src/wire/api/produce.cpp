#include "wire/api/produce.hpp"

#include "wire/codec/message_codec.hpp"

namespace sluice::wire {

template error_code encode(const produce_request&, std::int16_t, writer&);
template error_code decode(produce_request&, std::int16_t, reader&);
template std::string print(const produce_request&, std::int16_t);

template error_code encode(const produce_response&, std::int16_t, writer&);
template error_code decode(produce_response&, std::int16_t, reader&);
template std::string print(const produce_response&, std::int16_t);

}  // namespace sluice::wire
