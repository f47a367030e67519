#include "journal.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::demo {
namespace {

constexpr std::size_t kept_failures = 5;

void add(std::atomic<std::size_t>& counter, std::size_t more = 1) {
    counter.store(counter.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
}

}  // namespace

void journal::sending(std::size_t index) {
    entries_[index].sent = std::chrono::steady_clock::now();
    entries_[index].fate = fate_of_record::pending;
}

void journal::accepted(std::size_t size_bytes) {
    add(accepted_);
    add(size_bytes_, size_bytes);
}

void journal::refused(std::size_t index, const error_code& why, std::string text) {
    entries_[index].fate = fate_of_record::not_stored;
    add(refused_);
    keep(index, text.empty() ? why.message() : text);
}

void journal::completed(std::size_t index, const error_code& failed, const record_metadata& placed) {
    journal_entry& entry = entries_[index];
    const auto latency = std::chrono::steady_clock::now() - entry.sent;
    entry.latency_us =
        static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::microseconds>(latency).count());
    entry.partition = placed.partition;
    entry.offset = placed.offset;
    if (!failed) {
        entry.fate = fate_of_record::acknowledged;
        add(acknowledged_);
        return;
    }
    entry.fate =
        placed.outcome == outcome::not_persisted ? fate_of_record::not_stored : fate_of_record::maybe_stored;
    add(failed_);
    keep(index, placed.message.empty() ? failed.message() : std::string(placed.message.view()));
}

void journal::keep(std::size_t index, const std::string& why) {
    if (first_failures_.size() < kept_failures)
        first_failures_.push_back(fmt::format("record {}: {}", index + 1, why));
}

journal::counts journal::so_far() const noexcept {
    const std::size_t acknowledged = acknowledged_.load(std::memory_order_relaxed);
    const std::size_t failed = failed_.load(std::memory_order_relaxed);
    const std::size_t refused = refused_.load(std::memory_order_relaxed);
    const std::size_t accepted = std::max(accepted_.load(std::memory_order_relaxed), acknowledged + failed);
    return {accepted, acknowledged, failed, refused, size_bytes_.load(std::memory_order_relaxed)};
}

std::vector<std::uint32_t> journal::latencies_us() const {
    std::vector<std::uint32_t> all;
    for (const journal_entry& entry : entries_) {
        if (entry.fate == fate_of_record::acknowledged) all.push_back(entry.latency_us);
    }
    std::sort(all.begin(), all.end());
    return all;
}

}  // namespace sluice::demo
