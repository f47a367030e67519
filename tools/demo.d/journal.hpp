// What became of every record that was sent.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "sluice/error.hpp"
#include "sluice/record_metadata.hpp"

namespace sluice::demo {

enum class fate_of_record : std::uint8_t { unsent, pending, acknowledged, not_stored, maybe_stored };

struct journal_entry {
    std::chrono::steady_clock::time_point sent;
    std::int64_t offset = -1;
    std::int32_t partition = -1;
    std::uint32_t latency_us = 0;
    fate_of_record fate = fate_of_record::unsent;
};

// Written by the loop's thread; the counts may be read by any, the entries when sending is over.
class journal {
public:
    explicit journal(std::size_t count) : entries_(count) {}

    void sending(std::size_t index);
    void accepted(std::size_t size_bytes);
    void refused(std::size_t index, const error_code& why, std::string text);
    void completed(std::size_t index, const error_code& failed, const record_metadata& placed);

    struct counts {
        std::size_t accepted;
        std::size_t acknowledged;
        std::size_t failed;      // of those accepted
        std::size_t refused;     // were never accepted
        std::size_t size_bytes;  // of what was accepted
        std::size_t pending() const noexcept { return accepted - acknowledged - failed; }
    };
    counts so_far() const noexcept;
    const std::vector<journal_entry>& entries() const noexcept { return entries_; }
    const std::vector<std::string>& first_failures() const noexcept { return first_failures_; }
    // Of the acknowledged; sorted.
    std::vector<std::uint32_t> latencies_us() const;

private:
    void keep(std::size_t index, const std::string& why);

    std::vector<journal_entry> entries_;
    std::vector<std::string> first_failures_;
    std::atomic<std::size_t> accepted_{0};
    std::atomic<std::size_t> acknowledged_{0};
    std::atomic<std::size_t> failed_{0};   // accepted, then failed
    std::atomic<std::size_t> refused_{0};  // never accepted
    std::atomic<std::size_t> size_bytes_{0};
};

}  // namespace sluice::demo
