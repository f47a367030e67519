// Many coroutines that send a workload through one producer and keep what they are told.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "integration/kafka/workload.hpp"
#include "sluice/producer.hpp"
#include "sluice/runtime.hpp"

namespace sluice::testing {

// Each record is sent by the coroutine that its key belongs to, in the order of the numbers; a coroutine sends on while
// up to `window` of its records are under way. Coroutines are spread over the loops of the runtime.
//
//   sending.begin(0, 800'000);   sending.wait_until_known(200'000);   ...   sending.join();   sending.begin(800'000, ...
//
// Owner: caller, on a thread that is on no loop; outlived by producer and runtime.
class sending {
public:
    static constexpr std::uint32_t coroutine_count = 128;
    static constexpr std::size_t window = 512;

    struct receipt {
        std::int32_t partition = -1;  // -1: not acknowledged
        std::int64_t offset = -1;
    };

    sending(runtime& loops, producer& to, const workload& all, const std::string& topic);

    // Starts to send the records [first, last).
    void begin(std::size_t first, std::size_t last);
    // Until so many records, of all that were begun, are acknowledged or have failed.
    void wait_until_known(std::size_t count);
    void join() { wait_until_known(begun_count_); }

    std::size_t known_count() const noexcept { return known_count_.load(std::memory_order_acquire); }
    std::size_t failed_count() const noexcept { return failed_count_.load(std::memory_order_acquire); }
    // What was said of the first that failed; empty if none did.
    std::string first_failure();
    // After join(). By number of record.
    const std::vector<receipt>& receipts() const noexcept { return receipts_; }
    static std::uint32_t coroutine_of(std::uint32_t key_index) noexcept {
        return key_index % coroutine_count;
    }

private:
    class share;
    void note_failure(std::size_t number, const std::string& why);

    runtime& loops_;
    producer& producer_;
    const workload& workload_;
    topic topic_;
    std::vector<receipt> receipts_;
    std::size_t begun_count_ = 0;
    std::atomic<std::size_t> known_count_ = 0;
    std::atomic<std::size_t> failed_count_ = 0;
    std::mutex mutex_;
    std::string first_failure_;
};

}  // namespace sluice::testing
