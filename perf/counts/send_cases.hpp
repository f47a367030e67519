// What a record takes on the shard's own loop, case by case: the call alone, or the whole way to an instant broker.
#pragma once

#include <cstdint>

namespace sluice::perf {

void count_try_send(std::uint64_t records);
void count_co_await_send(std::uint64_t records);
void count_try_send_with_key(std::uint64_t records);
void count_full_path(std::uint64_t records);
void count_full_path_acks_0(std::uint64_t records);
void count_full_path_lz4(std::uint64_t records);

}  // namespace sluice::perf
