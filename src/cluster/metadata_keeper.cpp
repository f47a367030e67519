#include "cluster/metadata_keeper.hpp"

#include <algorithm>

#include "base/ensure.hpp"

namespace sluice {

metadata_keeper::metadata_keeper(const metadata_limits& limits, std::uint64_t seed)
    : limits_(limits), backoff_(limits.retry_backoff, limits.retry_backoff_max), randomness_(seed) {}

void metadata_keeper::want(std::string_view topic, time_point now) {
    const auto found = topics_.find(topic);
    if (found != topics_.end()) {
        found->second.last_wanted = now;
        return;
    }
    topics_.emplace(std::string(topic), wanted_topic{now, true});
    ++new_count_;
}

time_point metadata_keeper::next_due() const noexcept {
    if (is_under_way_ || topics_.empty()) return never;
    // A new topic is asked for at once, unless nobody answers anyway.
    if (has_new_topic() && !has_failed_) return time_point::min();
    const time_point allowed = after(last_attempt_, wait_);
    if (needs_full_ || has_new_topic() || !had_full_success_) return allowed;
    return std::max(allowed, after(last_full_success_, limits_.max_age));
}

metadata_keeper::question metadata_keeper::start(time_point now) {
    ensure(!is_under_way_);
    is_under_way_ = true;
    last_attempt_ = now;
    is_partial_ = has_new_topic() && !needs_full_ && had_full_success_ &&
                  after(last_full_success_, limits_.max_age) > now;
    asked_.clear();
    for (auto& [name, topic] : topics_) {
        if (!is_partial_ || topic.is_new) asked_.push_back(name);
    }
    std::sort(asked_.begin(), asked_.end());  // not in the order of a hash
    question asked;
    asked.is_partial = is_partial_;
    asked.topics.assign(asked_.begin(), asked_.end());
    return asked;
}

bool metadata_keeper::on_response(const wire::metadata_response& response, std::int16_t version,
                                  time_point now) {
    ensure(is_under_way_);
    if (response.brokers.empty()) {
        on_failure(now);
        return false;
    }
    is_under_way_ = false;
    has_failed_ = false;
    merge_result merged = merge(*current_, response, version, is_partial_);
    current_ = std::move(merged.made);

    for (const std::string& name : asked_) {
        const auto found = topics_.find(name);
        if (found != topics_.end() && found->second.is_new) {
            found->second.is_new = false;
            --new_count_;
        }
    }
    if (!is_partial_) {
        needs_full_ = false;
        had_full_success_ = true;
        last_full_success_ = now;
        boost::unordered::erase_if(topics_, [&](const auto& each) {
            return !each.second.is_new && after(each.second.last_wanted, limits_.max_idle) <= now;
        });
    }
    if (merged.wants_update) needs_full_ = true;
    futile_count_ = merged.has_progress ? 0 : futile_count_ + 1;
    wait_ = backoff_.wait(futile_count_ == 0 ? 0 : futile_count_ - 1, randomness_);
    return true;
}

void metadata_keeper::on_failure(time_point now) noexcept {
    ensure(is_under_way_);
    is_under_way_ = false;
    has_failed_ = true;
    last_attempt_ = now;
    wait_ = backoff_.wait(futile_count_, randomness_);
    ++futile_count_;
}

bool metadata_keeper::on_hint(const leader_hint& hint) {
    std::shared_ptr<const snapshot> made = apply_hint(*current_, hint);
    if (made == nullptr) return false;
    current_ = std::move(made);
    return true;
}

}  // namespace sluice
