// Whether a cluster holds exactly what was sent to it.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "input.hpp"
#include "journal.hpp"

namespace sluice::demo {

// Shown every stored record, in the order of partitions and offsets; then asked.
class proof {
public:
    proof(const input& source, const journal& sent);

    void stored(std::int32_t partition, std::int64_t offset, std::optional<std::string_view> key,
                std::optional<std::string_view> value);

    struct verdict {
        std::size_t stored_count;
        std::size_t partition_count;  // with a record in them
        std::size_t key_count;        // with a record that was stored
        std::size_t unacknowledged;   // stored, though no acknowledgement had come
        std::size_t violation_count;
        std::vector<std::string> first_violations;
    };
    // Looks for what is missing.
    verdict finish();

private:
    struct place {
        std::int32_t partition;
        std::int64_t offset;
        std::size_t index;  // of what was acknowledged there
        auto operator<=>(const place&) const = default;
    };
    const input_record& sent_record(std::size_t index) const { return source_[index % source_.size()]; }
    // What was acknowledged at places before this one, and has not been shown.
    void pass_missing(const place& until);
    void check_acknowledged(const place& here, const input_record& shown);
    void check_unacknowledged(std::int32_t partition, std::int64_t offset, const input_record& shown);
    // The index of a key's n-th record; none if that was not sent.
    std::optional<std::size_t> sent_index(std::uint32_t key_id, std::size_t occurrence) const;
    void violation(std::string text);

    const input& source_;
    const std::vector<journal_entry>& sent_;
    std::unordered_map<std::string_view, std::uint32_t> key_ids_;
    std::vector<place> acknowledged_;  // by partition and offset
    std::size_t next_acknowledged_ = 0;
    std::vector<std::size_t> next_of_key_;  // the lowest index that may follow in the order of its key
    std::vector<bool> has_key_;
    std::vector<bool> has_partition_;
    verdict verdict_{};
};

}  // namespace sluice::demo
