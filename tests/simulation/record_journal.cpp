#include "simulation/record_journal.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <tuple>

#include "partitioner/murmur2.hpp"

namespace sluice::simulation {
namespace {

using acceptance = sent_record::acceptance;

// What pauses of a loop, slow system calls and the steps of a foreign thread may add.
constexpr duration slack = std::chrono::seconds(3);

constexpr const char* acceptance_names[] = {"none", "accepted", "refused", "withdrawn", "perhaps withdrawn"};
constexpr const char* result_names[] = {"none", "held", "awaited", "dropped", "stopped", "finished", "lost"};

double seconds(duration span) {
    return std::chrono::duration<double>(span).count();
}

}  // namespace

record sent_record::view() const {
    record made;
    made.topic = topic;
    if (key) made.key = bytes_view(*key);
    if (value) made.value = bytes_view(*value);
    made.partition = partition;
    made.timestamp = timestamp;
    made.headers = header_views;
    return made;
}

std::string sent_record::text() const {
    std::string said =
        fmt::format("record #{} ({}, place {}, {}, {}", id, topic, place,
                    acceptance_names[static_cast<int>(first)], result_names[static_cast<int>(second)]);
    if (partition != any_partition) said += fmt::format(", for partition {}", partition);
    if (key) said += fmt::format(", key '{}'", *key);
    if (refusal) said += fmt::format(", refused: {}", refusal.message());
    if (second == result::finished) {
        said += fmt::format(", {}: {}, {}-{} @ {}", error.message(), to_string(metadata.outcome),
                            metadata.topic.view(), metadata.partition, metadata.offset);
    }
    return said + ")";
}

sent_record& record_journal::add() {
    sent_record& added = records_.emplace_back();
    added.id = records_.size() - 1;
    return added;
}

// ---- what callers see

void record_journal::begins(sent_record& record, time_point now) {
    if (record.begun != not_yet) complain_(record.text() + " began twice");
    record.begun = tick();
    record.begun_at = now;
}

void record_journal::is_accepted(sent_record& record, time_point now) {
    if (record.first != acceptance::none) complain_(record.text() + " was accepted after its end");
    record.first = acceptance::accepted;
    record.second = sent_record::result::held;
    record.accepted = tick();
    record.accepted_at = now;
    if (record.begun > closed_at_)
        complain_(record.text() + " was accepted though the producer had been closed before");
    const duration waited = now - record.begun_at;
    if (waited > duration(plan_.producer.max_block) + slack) {
        complain_(fmt::format("{} was accepted after {:.3f} s", record.text(), seconds(waited)));
    }
}

void record_journal::is_refused(sent_record& record, error_code why, time_point now) {
    if (record.first != acceptance::none) complain_(record.text() + " was refused after its end");
    record.first = acceptance::refused;
    record.refusal = why;
    if (!why) complain_(record.text() + " was refused without an error");
    const duration waited = now - record.begun_at;
    if (waited > duration(plan_.producer.max_block) + slack) {
        complain_(fmt::format("{} was refused after {:.3f} s", record.text(), seconds(waited)));
    }
}

void record_journal::is_withdrawn(sent_record& record, bool is_certain) {
    record.first = is_certain ? acceptance::withdrawn : acceptance::unknown;
    if (!is_certain && record.second == sent_record::result::none)
        record.second = sent_record::result::dropped;
}

void record_journal::is_finished(sent_record& record, error_code why, const record_metadata& metadata,
                                 bool knows_metadata, time_point now) {
    if (record.second == sent_record::result::finished) complain_(record.text() + " has a second outcome");
    record.second = sent_record::result::finished;
    record.error = why;
    record.metadata = metadata;
    record.knows_metadata = knows_metadata;
    if (record.awaited_at != time_point{} && !record.is_deliver) {
        const duration waited = now - std::max(record.awaited_at, record.accepted_at);
        if (waited > 2 * duration(*plan_.producer.delivery_timeout) + slack) {
            complain_(fmt::format("{} has its outcome after {:.3f} s", record.text(), seconds(waited)));
        }
    }
    if (!knows_metadata) return;
    if (!why && metadata.outcome != outcome::persisted)
        complain_(record.text() + " succeeded and is not persisted");
    if (why && metadata.outcome == outcome::persisted) complain_(record.text() + " failed and is persisted");
    if (record.first == acceptance::accepted && metadata.topic != std::string_view(record.topic)) {
        complain_(record.text() + " does not name its topic");
    }
    if (why) return;
    const auto size_of = [](const std::optional<std::string>& text) {
        return text ? static_cast<std::int32_t>(text->size()) : -1;
    };
    if (metadata.serialized_key_size != size_of(record.key) ||
        metadata.serialized_value_size != size_of(record.value)) {
        complain_(record.text() + " has other sizes in its metadata");
    }
}

void record_journal::on_dropped_failure(const delivery_failure& failure) {
    if (!failure.error) complain_("on_delivery_error was called without an error");
    if (failure.record_count == 0) complain_("on_delivery_error was called for no records");
    dropped_failures_[{std::string(failure.topic.view()), failure.partition}] += failure.record_count;
}

// ---- the logs

std::string record_journal::place_in_log::text() const {
    return fmt::format("{} @ {} (producer {}, epoch {}, sequence {})", partition, offset, producer_id,
                       producer_epoch, sequence);
}

std::string record_journal::where(const sent_record& sent) const {
    std::string said;
    for (const place_in_log& each : stored_[sent.id]) said += (said.empty() ? "" : " and ") + each.text();
    return said;
}

const sent_record* record_journal::find(const testing::log_record& stored) const {
    std::string_view named;
    for (const testing::log_header& each : stored.headers) {
        if (each.key == "id" && each.value) named = *each.value;
    }
    if (named.empty() && stored.value) named = *stored.value;
    std::uint64_t id = 0;
    const auto read = std::from_chars(named.data(), named.data() + named.size(), id);
    if (read.ec != std::errc{} || id >= records_.size()) return nullptr;
    return &records_[id];
}

void record_journal::check_content(const sent_record& sent, const testing::log_record& stored,
                                   std::int32_t partition, bool is_log_append_time) {
    const auto where = [&] { return fmt::format("{}-{} @ {}", sent.topic, partition, stored.offset); };
    if (stored.key != sent.key || stored.value != sent.value || stored.headers != sent.headers) {
        complain_(sent.text() + " is stored with another content at " + where());
    }
    if (sent.partition != any_partition && sent.partition != partition) {
        complain_(sent.text() + " is stored in another partition than it was sent to: " + where());
    }
    if (!is_log_append_time && sent.timestamp != time_of_send && stored.timestamp != sent.timestamp) {
        complain_(fmt::format("{} is stored with the timestamp {} and not {}", sent.text(), stored.timestamp,
                              sent.timestamp));
    }
    if (sent.second != sent_record::result::finished || sent.error || !sent.knows_metadata) return;
    if (!plan_.stores_what_it_acknowledges() || sent.metadata.offset != stored.offset) return;
    // To a batch that it has already, a broker answers with the latest timestamp of that batch, and so says Java.
    if (sent.metadata.timestamp != stored.timestamp && !timestamps_.contains(sent.metadata.timestamp)) {
        complain_(fmt::format("{} is stored with the timestamp {}, its metadata says {}", sent.text(),
                              stored.timestamp, sent.metadata.timestamp));
    }
}

// Who was accepted before another one began is before it in the log, wherever the two were sent from; and the calls that
// are made on one loop are accepted in the order in which they were made.
void record_journal::check_order(const std::vector<const sent_record*>& log, const std::string& topic,
                                 std::int32_t partition, std::int32_t partition_count) {
    const auto planned = std::ranges::find(plan_.topics, topic, &topic_plan::name);
    const testing::topic_config& config = planned->exists ? planned->config : plan_.cluster.auto_created;
    const bool is_balanced = static_cast<std::size_t>(partition_count) % plan_.loop_count == 0;
    const bool has_grown = partition_count > config.partition_count;
    const sent_record* accepted = nullptr;            // of those behind, the one accepted first
    std::map<int, const sent_record*> begun_by_loop;  // and the one begun first
    for (std::size_t i = log.size(); i-- > 0;) {
        const sent_record& here = *log[i];
        if (accepted != nullptr && accepted->accepted < here.begun) {
            complain_(fmt::format("{} was accepted before {} began, and is behind it in {}-{}: at {}, and {}",
                                  accepted->text(), here.text(), topic, partition, where(*accepted),
                                  where(here)));
        }
        if (accepted == nullptr || here.accepted < accepted->accepted) accepted = &here;
        // Where a record waits depends on its partition: of a key it changes when partitions are added, and an open one
        // is chosen at last, maybe for another shard, unless every shard owns as many.
        const bool is_fixed =
            here.partition != any_partition || (!has_grown && (here.key.has_value() || is_balanced));
        if (here.place == no_loop || !is_fixed) continue;
        const sent_record*& begun = begun_by_loop[here.place];
        if (begun != nullptr && begun->begun < here.begun) {
            complain_(
                fmt::format("{} began before {} on the same loop, and is behind it in {}-{}: at {}, and {}",
                            begun->text(), here.text(), topic, partition, where(*begun), where(here)));
        }
        if (begun == nullptr || here.begun < begun->begun) begun = &here;
    }
}

void record_journal::check_log(const testing::fake_cluster& cluster, const std::string& topic,
                               std::int32_t partition) {
    const auto planned = std::ranges::find(plan_.topics, topic, &topic_plan::name);
    const testing::topic_config& config = planned->exists ? planned->config : plan_.cluster.auto_created;
    const bool is_log_append_time = config.message_timestamp_type == testing::timestamp_type::log_append_time;
    std::vector<const sent_record*> log;
    const std::vector<testing::log_record> records = cluster.records(topic, partition);
    timestamps_.clear();
    for (const testing::log_record& stored : records) timestamps_.insert(stored.timestamp);
    for (const testing::log_record& stored : records) {
        const sent_record* const sent = find(stored);
        if (sent == nullptr || sent->topic != topic) {
            complain_(fmt::format("{}-{} @ {} holds what nobody sent", topic, partition, stored.offset));
            continue;
        }
        check_content(*sent, stored, partition, is_log_append_time);
        if (stored.compression != compression::none &&
            stored.compression != plan_.producer.compression_type) {
            complain_(fmt::format("{} is compressed with {}", sent->text(), to_string(stored.compression)));
        }
        ++stored_by_codec_[static_cast<std::size_t>(stored.compression)];
        if (stored_[sent->id].empty()) log.push_back(sent);
        stored_[sent->id].push_back(
            {partition, stored.offset, stored.producer_id, stored.producer_epoch, stored.sequence});
    }
    if (plan_.is_idempotent()) check_order(log, topic, partition, cluster.partition_count(topic));
}

void record_journal::check_record(const sent_record& sent) {
    const std::vector<place_in_log>& copies = stored_[sent.id];
    const bool is_stored = !copies.empty();
    if (copies.size() > 1 && plan_.is_idempotent()) {
        complain_(fmt::format("{} is stored {} times: {}", sent.text(), copies.size(), where(sent)));
    }
    if (sent.begun == not_yet && is_stored) complain_(sent.text() + " was never sent and is stored");
    if (sent.first == acceptance::refused && is_stored) complain_(sent.text() + " was refused and is stored");
    if (sent.first == acceptance::withdrawn && is_stored)
        complain_(sent.text() + " was withdrawn and is stored");
    if (sent.second != sent_record::result::finished) return;
    if (sent.error) {
        if (sent.knows_metadata && sent.metadata.outcome == outcome::not_persisted && is_stored) {
            complain_(sent.text() + " is stored");
        }
        return;
    }
    if (!plan_.stores_what_it_acknowledges()) return;
    if (!is_stored) return complain_(sent.text() + " was acknowledged and is not stored");
    const auto is_there = [&](const place_in_log& each) {
        return each.partition == sent.metadata.partition &&
               (sent.metadata.offset < 0 || each.offset == sent.metadata.offset);
    };
    if (sent.knows_metadata && std::ranges::none_of(copies, is_there)) {
        complain_(fmt::format("{} is stored elsewhere: {}", sent.text(), where(sent)));
    }
}

// Whoever dropped a delivery hears of failures through on_delivery_error.
void record_journal::check_dropped() {
    std::map<std::string, std::uint64_t> reported, most, least;
    for (const auto& [where, count] : dropped_failures_) reported[where.first] += count;
    for (const sent_record& each : records_) {
        const bool is_dropped = each.second == sent_record::result::dropped;
        if (each.first == acceptance::accepted && is_dropped) {
            ++most[each.topic];
            if (stored_[each.id].empty() && plan_.stores_what_it_acknowledges()) ++least[each.topic];
        } else if (each.first == acceptance::unknown || each.second == sent_record::result::lost ||
                   each.second == sent_record::result::stopped) {
            ++most[each.topic];
        }
    }
    for (const auto& [topic, count] : reported) {
        if (count > most[topic]) {
            complain_(
                fmt::format("on_delivery_error heard of {} dropped records of {}, of {} that there were",
                            count, topic, most[topic]));
        }
    }
    if (plan_.how_it_ends == ending::end_loops) return;
    for (const auto& [topic, count] : least) {
        // Of a batch that was cut into parts it is not known which records were dropped.
        const auto planned = std::ranges::find(plan_.topics, topic, &topic_plan::name);
        const testing::topic_config& config = planned->exists ? planned->config : plan_.cluster.auto_created;
        if (config.max_message_bytes < 1 << 20 || plan_.produce_trouble > 0) continue;
        if (reported[topic] < count) {
            std::string which;
            for (const sent_record& each : records_) {
                if (each.topic == topic && each.first == acceptance::accepted && stored_[each.id].empty() &&
                    each.second == sent_record::result::dropped) {
                    which += fmt::format(" #{}", each.id);
                }
            }
            complain_(
                fmt::format("{} dropped records of {} are not stored ({} ), on_delivery_error heard of {}",
                            count, topic, which, reported[topic]));
        }
    }
}

void record_journal::check(const testing::fake_cluster& cluster) {
    stored_.assign(records_.size(), {});
    for (const topic_plan& each : plan_.topics) {
        for (std::int32_t i = 0; i < cluster.partition_count(each.name); ++i)
            check_log(cluster, each.name, i);
    }
    for (const sent_record& each : records_) check_record(each);
    check_dropped();
}

record_journal::counts record_journal::count() const {
    counts made;
    made.stored_by_codec = stored_by_codec_;
    for (const sent_record& each : records_) {
        if (each.begun == not_yet) continue;
        ++made.begun;
        made.accepted += each.first == acceptance::accepted;
        made.refused += each.first == acceptance::refused;
        made.withdrawn += each.first == acceptance::withdrawn || each.first == acceptance::unknown;
        made.dropped += each.second == sent_record::result::dropped;
        if (each.second == sent_record::result::finished) ++(each.error ? made.failed : made.acknowledged);
        if (each.refusal) ++made.errors["refused: " + each.refusal.message()];
        if (each.error) ++made.errors["failed: " + each.error.message()];
        if (each.id < stored_.size()) {
            made.stored += !stored_[each.id].empty();
            made.duplicates += stored_[each.id].size() > 1;
        }
    }
    return made;
}

}  // namespace sluice::simulation
