#include "accumulator/result_block.hpp"

#include <algorithm>

namespace sluice {

result_block::~result_block() {
    ensure(waiters_.empty());
    for (const part& each : parts_) each.block->drop_reference();
}

void result_block::wait(completion& waiter) noexcept {
    ensure(state_ == state::pending);
    auto place = waiters_.end();  // nearly always the last
    while (place != waiters_.begin() && static_cast<completion&>(*std::prev(place)).index > waiter.index)
        --place;
    waiters_.insert(place, waiter);
}

void result_block::finish(batch_result result) noexcept {
    ensure(state_ == state::pending);
    state_ = state::done;
    result_ = std::move(result);
}

void result_block::split(std::span<const part> parts) {
    ensure(state_ == state::pending);
    ensure(!parts.empty());
    ensure(parts.front().first_index == 0);
    state_ = state::split;
    parts_.assign(parts.begin(), parts.end());
    for (const part& each : parts_) each.block->add_reference();
    while (!waiters_.empty()) {
        auto& waiter = static_cast<completion&>(waiters_.front());
        waiters_.pop_front();
        const part now = find(waiter.index);
        waiter.index = now.first_index;
        now.block->wait(waiter);
    }
    // Which records were dropped is not kept: with all or none of them dropped this is exact.
    std::uint32_t left = dropped_count_;
    for (std::size_t i = 0; i < parts_.size(); ++i) {
        const bool is_last = i + 1 == parts_.size();
        const std::uint32_t share =
            is_last ? left : std::min(left, parts_[i + 1].first_index - parts_[i].first_index);
        parts_[i].block->dropped_count_ += share;
        left -= share;
    }
}

result_block::part result_block::find(std::uint32_t index) const noexcept {
    ensure(is_split());
    auto after =
        std::upper_bound(parts_.begin(), parts_.end(), index,
                         [](std::uint32_t wanted, const part& each) { return wanted < each.first_index; });
    const part& holder = *std::prev(after);
    return {index - holder.first_index, holder.block};
}

record_metadata result_block::metadata(std::uint32_t index, std::int64_t timestamp, std::int32_t key_size,
                                       std::int32_t value_size) const {
    ensure(is_done());
    record_metadata made;
    made.topic = topic_;
    made.partition = partition_;
    made.outcome = result_.outcome;
    if (result_.error) {
        made.message = result_.message;
        return made;  // offset, timestamp and sizes stay -1 (SND-9)
    }
    made.offset = result_.base_offset < 0 ? -1 : result_.base_offset + index;
    made.timestamp = result_.log_append_time < 0 ? timestamp : result_.log_append_time;
    made.serialized_key_size = key_size;
    made.serialized_value_size = value_size;
    return made;
}

}  // namespace sluice
