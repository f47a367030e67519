// What a request of 12 partitions and its answer take, for each request.
#pragma once

#include <cstdint>

namespace sluice::perf {

void count_encode_produce(std::uint64_t requests);
void count_decode_produce_answer(std::uint64_t answers);

}  // namespace sluice::perf
