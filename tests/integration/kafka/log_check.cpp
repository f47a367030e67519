#include "integration/kafka/log_check.hpp"

#include <fmt/format.h>

#include <limits>

namespace sluice::testing {
namespace {

constexpr std::uint32_t nobody = std::numeric_limits<std::uint32_t>::max();
constexpr std::size_t differences_told = 10;

}  // namespace

log_check::log_check(const workload& sent, const std::vector<sending::receipt>& receipts)
    : workload_(sent), receipts_(receipts) {
    for (std::uint32_t number = 0; number < receipts.size(); ++number) {
        if (receipts[number].partition >= 0) place(number, receipts[number]);
    }
    check_order();
}

void log_check::place(std::uint32_t number, const sending::receipt& receipt) {
    const auto [partition, offset] = receipt;
    if (offset < 0 || offset >= static_cast<std::int64_t>(receipts_.size())) {
        return differ(fmt::format("record {} is said to be at {}-{}", number, partition, offset));
    }
    const auto by_partition = static_cast<std::size_t>(partition);
    const auto by_offset = static_cast<std::size_t>(offset);
    if (numbers_.size() <= by_partition) numbers_.resize(by_partition + 1);
    auto& at = numbers_[by_partition];
    if (at.size() <= by_offset) at.resize(by_offset + 1, nobody);
    if (at[by_offset] != nobody) {
        return differ(fmt::format("records {} and {} are both said to be at {}-{}", at[by_offset], number,
                                  partition, offset));
    }
    at[by_offset] = number;
    ++unread_count_;
}

void log_check::check_order() {
    std::vector<sending::receipt> of_key(workload_.key_count());
    std::vector<std::vector<std::int64_t>> of_coroutine(
        sending::coroutine_count,
        std::vector<std::int64_t>(numbers_.size(), -1));  // the last offset, by partition
    for (std::uint32_t number = 0; number < receipts_.size(); ++number) {
        const auto [partition, offset] = receipts_[number];
        if (partition < 0 || static_cast<std::size_t>(partition) >= numbers_.size()) continue;
        const std::uint32_t key = workload_.key_index(number);
        sending::receipt& last = of_key[key];
        if (last.partition >= 0 && last.partition != partition) {
            differ(fmt::format("record {} of {} is in partition {}, the one before it in {}", number,
                               workload_.key(number), partition, last.partition));
        }
        last = {partition, offset};
        std::int64_t& before = of_coroutine[sending::coroutine_of(key)][static_cast<std::size_t>(partition)];
        if (before >= offset) {
            differ(fmt::format("record {} of {} is at {}-{}, one that was sent before it at {}", number,
                               workload_.key(number), partition, offset, before));
        }
        before = offset;
    }
}

void log_check::read(const stored_record& each) {
    const auto partition = static_cast<std::size_t>(each.partition);
    const auto offset = static_cast<std::size_t>(each.offset);
    if (partition >= numbers_.size() || offset >= numbers_[partition].size() ||
        numbers_[partition][offset] == nobody) {
        return differ(
            fmt::format("nobody was told of the record at {}-{} (key {})", partition, offset, each.key));
    }
    std::uint32_t& number = numbers_[partition][offset];
    const bool has_same_value = each.value_size == workload_.value(number).size_or_minus_one() &&
                                each.value_checksum == workload_.value_checksum(number);
    if (each.key != workload_.key(number) || !has_same_value) {
        differ(fmt::format("at {}-{} stands {} with {} bytes, which is not record {}", partition, offset,
                           each.key, each.value_size, number));
    }
    number = nobody;  // read once
    --unread_count_;
}

std::vector<std::string> log_check::finish() {
    if (unread_count_ != 0) differ(fmt::format("{} acknowledged records are not stored", unread_count_));
    if (difference_count_ > differences_.size()) {
        differences_.push_back(fmt::format("{} differences in all", difference_count_));
    }
    return std::move(differences_);
}

void log_check::differ(const std::string& how) {
    if (++difference_count_ <= differences_told) differences_.push_back(how);
}

}  // namespace sluice::testing
