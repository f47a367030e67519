// Every record of a schedule: what was sent, what was said about it, and whether the logs agree.
//
//   begun      send() was called               accepted   a delivery was given, or try_send() said yes
//   order      the journal's clock: it ticks with every event, so that before and after are exact
//
// Owner: one schedule.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "simulation/schedule_plan.hpp"
#include "sluice/header.hpp"
#include "sluice/record.hpp"
#include "sluice/record_metadata.hpp"

namespace sluice::simulation {

inline constexpr std::uint64_t not_yet = std::numeric_limits<std::uint64_t>::max();
inline constexpr int no_loop = -1;  // the place that is none

struct sent_record {
    std::uint64_t id = 0;
    // ---- the record
    std::string topic;
    std::optional<std::string> key;
    std::optional<std::string> value;
    std::vector<testing::log_header> headers;
    std::int32_t partition = any_partition;
    std::int64_t timestamp = time_of_send;
    std::vector<header> header_views;

    // ---- who sent it
    int place = 0;             // loop, or no_loop
    bool is_confined = false;  // called back on that loop, too
    bool is_deliver = false;   // both phases in one
    std::uint64_t begun = not_yet;
    time_point begun_at{};
    bool has_call_deadline = false;

    // ---- acceptance
    enum class acceptance : std::uint8_t { none, accepted, refused, withdrawn, unknown };
    acceptance first = acceptance::none;
    error_code refusal;
    std::uint64_t accepted = not_yet;
    time_point accepted_at{};

    // ---- acknowledgement
    enum class result : std::uint8_t { none, held, awaited, dropped, stopped, finished, lost };
    result second = result::none;
    error_code error;
    record_metadata metadata;
    bool knows_metadata = false;
    time_point awaited_at{};

    record view() const;
    std::string text() const;
};

class record_journal {
public:
    using complaint = std::function<void(std::string what)>;
    record_journal(const schedule_plan& plan, complaint complain)
        : plan_(plan), complain_(std::move(complain)) {}

    sent_record& add();
    sent_record& at(std::uint64_t id) { return records_[id]; }
    std::deque<sent_record>& records() noexcept { return records_; }
    const std::deque<sent_record>& all() const noexcept { return records_; }
    std::uint64_t tick() noexcept { return ++clock_; }

    // ---- what callers see
    void begins(sent_record& record, time_point now);
    void is_accepted(sent_record& record, time_point now);
    void is_refused(sent_record& record, error_code why, time_point now);
    // It was taken back before it was accepted, for certain or (`unknown`) perhaps after.
    void is_withdrawn(sent_record& record, bool is_certain);
    // Of its delivery; `knows_metadata` as in call_events.
    void is_finished(sent_record& record, error_code why, const record_metadata& metadata,
                     bool knows_metadata, time_point now);
    // The producer's word about records that nobody awaited.
    void on_dropped_failure(const delivery_failure& failure);
    // From now on nothing may be accepted.
    void producer_closes() { closed_at_ = std::min(closed_at_, tick()); }
    std::uint64_t closed_at() const noexcept { return closed_at_; }

    // At the end: what the logs hold against what was said.
    void check(const testing::fake_cluster& cluster);

    using codec_counts = std::array<std::uint64_t, 5>;  // by compression
    struct counts {
        std::uint64_t begun = 0, accepted = 0, refused = 0, withdrawn = 0, acknowledged = 0, failed = 0,
                      dropped = 0, stored = 0, duplicates = 0;
        std::map<std::string, std::uint64_t> errors;
        codec_counts stored_by_codec{};
    };
    counts count() const;

private:
    struct place_in_log {
        std::int32_t partition;
        std::int64_t offset;
        std::int64_t producer_id;
        std::int16_t producer_epoch;
        std::int32_t sequence;
        std::string text() const;
    };
    std::string where(const sent_record& sent) const;  // all its copies
    void check_log(const testing::fake_cluster& cluster, const std::string& topic, std::int32_t partition);
    void check_content(const sent_record& sent, const testing::log_record& stored, std::int32_t partition,
                       bool is_log_append_time);
    void check_order(const std::vector<const sent_record*>& log, const std::string& topic,
                     std::int32_t partition, std::int32_t partition_count);
    void check_record(const sent_record& sent);
    void check_dropped();
    const sent_record* find(const testing::log_record& stored) const;

    const schedule_plan& plan_;
    complaint complain_;
    std::deque<sent_record> records_;
    std::uint64_t clock_ = 0;
    std::uint64_t closed_at_ = not_yet;
    std::vector<std::vector<place_in_log>> stored_;  // by id
    std::set<std::int64_t> timestamps_;              // in the log that is being checked
    std::map<std::pair<std::string, std::int32_t>, std::uint64_t> dropped_failures_;
    codec_counts stored_by_codec_{};
};

}  // namespace sluice::simulation
