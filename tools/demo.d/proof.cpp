#include "proof.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace sluice::demo {
namespace {

constexpr std::size_t kept_violations = 5;

}  // namespace

proof::proof(const input& source, const journal& sent)
    : source_(source), sent_(sent.entries()), next_of_key_(source.key_count()), has_key_(source.key_count()) {
    for (std::uint32_t id = 0; id < source.key_count(); ++id)
        key_ids_.emplace(source[source.of_key(id)[0]].key, id);
    for (std::size_t index = 0; index < sent_.size(); ++index) {
        const journal_entry& entry = sent_[index];
        if (entry.fate == fate_of_record::acknowledged)
            acknowledged_.push_back({entry.partition, entry.offset, index});
    }
    std::sort(acknowledged_.begin(), acknowledged_.end());
}

void proof::stored(std::int32_t partition, std::int64_t offset, std::optional<std::string_view> key,
                   std::optional<std::string_view> value) {
    ++verdict_.stored_count;
    const auto at = static_cast<std::size_t>(partition);
    if (at >= has_partition_.size()) has_partition_.resize(at + 1);
    has_partition_[at] = true;
    pass_missing({partition, offset, 0});

    const auto known = key_ids_.find(key.value_or(""));
    if (!key || !value || known == key_ids_.end()) {
        return violation(fmt::format("partition {} offset {}: key '{}' was never sent so", partition, offset,
                                     key.value_or("(null)")));
    }
    has_key_[known->second] = true;
    const input_record shown{*key, *value, known->second};
    if (next_acknowledged_ < acknowledged_.size() &&
        acknowledged_[next_acknowledged_].partition == partition &&
        acknowledged_[next_acknowledged_].offset == offset) {
        check_acknowledged(acknowledged_[next_acknowledged_++], shown);
    } else {
        check_unacknowledged(partition, offset, shown);
    }
}

void proof::check_acknowledged(const place& here, const input_record& shown) {
    const input_record& sent = sent_record(here.index);
    if (sent.key != shown.key || sent.value != shown.value) {
        violation(fmt::format("partition {} offset {}: record {} should stand here, and does not",
                              here.partition, here.offset, here.index + 1));
    } else if (here.index < next_of_key_[shown.key_id]) {
        violation(fmt::format("partition {} offset {}: record {} of key '{}' stands behind a later one",
                              here.partition, here.offset, here.index + 1, shown.key));
    }
    next_of_key_[shown.key_id] = std::max(next_of_key_[shown.key_id], here.index + 1);
}

// It must be one whose fate is not known, later in the order of its key than those before.
void proof::check_unacknowledged(std::int32_t partition, std::int64_t offset, const input_record& shown) {
    const std::size_t records_of_key = source_.of_key(shown.key_id).size();
    std::size_t occurrence = next_of_key_[shown.key_id] / source_.size() * records_of_key;
    for (; const auto index = sent_index(shown.key_id, occurrence); ++occurrence) {
        const fate_of_record fate = sent_[*index].fate;
        if (*index < next_of_key_[shown.key_id] || sent_record(*index).value != shown.value) continue;
        if (fate != fate_of_record::maybe_stored && fate != fate_of_record::pending) continue;
        ++verdict_.unacknowledged;
        next_of_key_[shown.key_id] = *index + 1;
        return;
    }
    violation(fmt::format(
        "partition {} offset {}: key '{}' is stored here, though nothing was acknowledged or is unknown",
        partition, offset, shown.key));
}

std::optional<std::size_t> proof::sent_index(std::uint32_t key_id, std::size_t occurrence) const {
    const std::vector<std::uint32_t>& of_key = source_.of_key(key_id);
    const std::size_t index =
        occurrence / of_key.size() * source_.size() + of_key[occurrence % of_key.size()];
    if (index >= sent_.size() || sent_[index].fate == fate_of_record::unsent) return std::nullopt;
    return index;
}

void proof::pass_missing(const place& until) {
    for (; next_acknowledged_ < acknowledged_.size() && acknowledged_[next_acknowledged_] < until;
         ++next_acknowledged_) {
        const place& missing = acknowledged_[next_acknowledged_];
        violation(fmt::format(
            "record {} (key '{}') was acknowledged at partition {} offset {}, and is not there",
            missing.index + 1, sent_record(missing.index).key, missing.partition, missing.offset));
    }
}

void proof::violation(std::string text) {
    ++verdict_.violation_count;
    if (verdict_.first_violations.size() < kept_violations)
        verdict_.first_violations.push_back(std::move(text));
}

proof::verdict proof::finish() {
    if (!acknowledged_.empty()) {
        place end = acknowledged_.back();
        ++end.index;
        pass_missing(end);
    }
    verdict_.partition_count =
        static_cast<std::size_t>(std::count(has_partition_.begin(), has_partition_.end(), true));
    verdict_.key_count = static_cast<std::size_t>(std::count(has_key_.begin(), has_key_.end(), true));
    return std::move(verdict_);
}

}  // namespace sluice::demo
