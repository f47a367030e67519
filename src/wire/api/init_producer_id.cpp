#include "wire/api/init_producer_id.hpp"

#include "wire/codec/message_codec.hpp"

namespace sluice::wire {

template error_code encode(const init_producer_id_request&, std::int16_t, writer&);
template error_code decode(init_producer_id_request&, std::int16_t, reader&);
template std::string print(const init_producer_id_request&, std::int16_t);

template error_code encode(const init_producer_id_response&, std::int16_t, writer&);
template error_code decode(init_producer_id_response&, std::int16_t, reader&);
template std::string print(const init_producer_id_response&, std::int16_t);

}  // namespace sluice::wire
