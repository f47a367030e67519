#include "simulation/schedule_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "base/ensure.hpp"
#include "testing/sim_draw.hpp"

namespace sluice::simulation {

using namespace std::chrono_literals;
using std::chrono::milliseconds;
using testing::between;
using testing::of_any_length;
using testing::of_any_size;

namespace {

milliseconds some_milliseconds(random& from, std::uint64_t least, std::uint64_t most) {
    return milliseconds(static_cast<std::int64_t>(of_any_size(from, least, most)));
}

producer_config draw_config(random& from) {
    const auto one_in = [&from](std::uint64_t count) { return from.below(count) == 0; };
    producer_config drawn;
    drawn.client_id = "simulated";
    drawn.seed = from.next() | 1;
    drawn.log = nullptr;
    if (one_in(6)) drawn.acks = one_in(2) ? acks::leader : acks::none;
    if (one_in(10)) drawn.enable_idempotence = false;
    if (one_in(4)) drawn.retries = static_cast<std::int32_t>(from.below(6));
    drawn.linger = one_in(3) ? 0ms : some_milliseconds(from, 1, 200);
    drawn.request_timeout = some_milliseconds(from, 20, 10'000);
    drawn.delivery_timeout = drawn.linger + drawn.request_timeout + some_milliseconds(from, 1, 30'000);
    drawn.max_block = one_in(8) ? 0ms : some_milliseconds(from, 1, 20'000);
    drawn.batch_size = one_in(10) ? 0 : static_cast<std::int32_t>(of_any_size(from, 1, 1 << 16));
    drawn.buffer_memory = static_cast<std::int64_t>(of_any_size(from, 4096, 1 << 20));
    if (one_in(2)) drawn.max_request_size = static_cast<std::int32_t>(of_any_size(from, 512, 1 << 20));
    drawn.max_in_flight_requests_per_connection = static_cast<std::int32_t>(between(from, 1, 5));
    drawn.retry_backoff = one_in(10) ? 0ms : some_milliseconds(from, 1, 200);
    drawn.retry_backoff_max = drawn.retry_backoff + some_milliseconds(from, 1, 1000);
    drawn.reconnect_backoff = one_in(10) ? 0ms : some_milliseconds(from, 1, 100);
    drawn.reconnect_backoff_max = drawn.reconnect_backoff + some_milliseconds(from, 1, 1000);
    drawn.socket_connection_setup_timeout = some_milliseconds(from, 50, 10'000);
    drawn.socket_connection_setup_timeout_max = drawn.socket_connection_setup_timeout + 1s;
    drawn.metadata_max_age = some_milliseconds(from, 100, 300'000);
    drawn.metadata_max_idle = some_milliseconds(from, 5'000, 300'000);
    return drawn;
}

// Levels of which a turn compresses much, and little: then batches are half done when something happens to them.
void draw_compression(random& from, producer_config& drawn) {
    constexpr std::int32_t gzip_levels[] = {-1, 1, 9};
    constexpr std::int32_t lz4_levels[] = {9, 1, 12};
    constexpr std::int32_t zstd_levels[] = {3, -5, 1, 10};
    const auto one_of = [&from](std::span<const std::int32_t> levels) {
        return levels[from.below(levels.size())];
    };
    if (from.below(2) == 0) return;
    drawn.compression_type = static_cast<compression>(between(from, 1, 4));
    drawn.compression_gzip_level = one_of(gzip_levels);
    drawn.compression_lz4_level = one_of(lz4_levels);
    drawn.compression_zstd_level = one_of(zstd_levels);
}

testing::topic_config draw_topic(random& from, std::int32_t broker_count) {
    const auto one_in = [&from](std::uint64_t count) { return from.below(count) == 0; };
    testing::topic_config drawn;
    drawn.partition_count = static_cast<std::int32_t>(of_any_size(from, 1, 12));
    drawn.replication_factor =
        static_cast<std::int16_t>(between(from, 1, static_cast<std::uint64_t>(std::min(broker_count, 3))));
    if (one_in(4)) {
        drawn.min_insync_replicas =
            static_cast<std::int16_t>(between(from, 1, static_cast<std::uint64_t>(drawn.replication_factor)));
    }
    if (one_in(4)) drawn.max_message_bytes = static_cast<std::int32_t>(of_any_size(from, 256, 64 * 1024));
    if (one_in(4)) drawn.message_timestamp_type = testing::timestamp_type::log_append_time;
    if (one_in(8)) drawn.is_compacted = true;
    return drawn;
}

}  // namespace

const char* to_string(planted_bug bug) noexcept {
    switch (bug) {
        case planted_bug::none: return "none";
        case planted_bug::forgets_idempotence: return "forgets_idempotence";
        case planted_bug::lying_leader: return "lying_leader";
        case planted_bug::lost_doorbell: return "lost_doorbell";
        case planted_bug::silent_drop: return "silent_drop";
    }
    return "?";
}

const char* to_string(ending how) noexcept {
    switch (how) {
        case ending::close: return "close";
        case ending::close_early: return "close early";
        case ending::destroy: return "destroy";
        case ending::end_loops: return "end loops";
    }
    return "?";
}

schedule_plan schedule_plan::draw(std::uint64_t seed, planted_bug planted) {
    random from(seed ^ 0x5eed5u);  // not the numbers that the world draws
    const auto one_in = [&from](std::uint64_t count) { return from.below(count) == 0; };
    schedule_plan drawn;
    drawn.seed = seed;
    drawn.planted = planted;

    // Half of the schedules see few faults, so that deeper states than reconnecting are reached.
    const duration active = of_any_length(from, 200ms, 20s);
    drawn.faults = one_in(2) ? testing::fault_plan::from_seed(seed, active) : testing::fault_plan::calm();
    if (drawn.faults.heals_after == duration::max()) {
        drawn.faults.heals_after = active;
        if (one_in(2)) drawn.faults.latency_max = of_any_length(from, 200us, 50ms);
        if (one_in(3)) drawn.faults.reset = 0.3;
        if (one_in(3)) drawn.faults.pause = 0.01;
    }

    drawn.cluster.broker_count = static_cast<std::int32_t>(between(from, 1, 4));
    drawn.cluster.auto_create_topics_enable = !one_in(4);
    drawn.cluster.not_ready_answers = static_cast<std::int32_t>(from.below(3));
    drawn.cluster.auto_created = draw_topic(from, drawn.cluster.broker_count);
    if (one_in(5)) drawn.cluster.profile = testing::broker_profile::kafka_3_9();
    if (one_in(8)) drawn.cluster.profile = testing::broker_profile::kafka_2_1();

    const std::uint64_t topic_count = between(from, 1, 3);
    for (std::uint64_t i = 0; i < topic_count; ++i) {
        drawn.topics.push_back(
            {fmt::format("topic-{}", i), draw_topic(from, drawn.cluster.broker_count), !one_in(6)});
    }

    drawn.producer = draw_config(from);
    if (planted == planted_bug::forgets_idempotence) drawn.producer.enable_idempotence = false;
    if (planted == planted_bug::lying_leader) drawn.producer.acks = acks::all;
    drawn.loop_count = one_in(6) ? between(from, 4, 6) : between(from, 1, 3);
    drawn.caller_count = static_cast<int>(between(from, 1, 6));
    drawn.step_count = static_cast<int>(of_any_size(from, 1, 150));
    drawn.step_gap_max = one_in(4) ? duration(0) : of_any_length(from, 1us, 300ms);
    drawn.value_size_max = of_any_size(from, 16, 16 * 1024);
    if (one_in(2)) drawn.trouble_count = static_cast<int>(of_any_size(from, 1, 20));
    if (one_in(2)) drawn.produce_trouble = 0.5 / static_cast<double>(of_any_size(from, 1, 32));
    if (one_in(4)) drawn.other_trouble = 0.5 / static_cast<double>(of_any_size(from, 1, 32));
    drawn.has_fatal_errors = one_in(8);
    constexpr ending endings[] = {ending::close,       ending::close,   ending::close,    ending::close_early,
                                  ending::close_early, ending::destroy, ending::end_loops};
    drawn.how_it_ends = endings[from.below(std::size(endings))];
    draw_compression(from, drawn.producer);
    drawn.has_random_values = one_in(3);
    return drawn;
}

bool schedule_plan::is_idempotent() const {
    if (planted == planted_bug::forgets_idempotence) return true;
    producer_config checked = producer;
    checked.bootstrap_servers = "broker-1:9092";
    const auto problem = checked.validate();
    ensure(!problem.has_value());
    return checked.is_idempotent();
}

std::string schedule_plan::text() const {
    std::string said = fmt::format("seed {}: {} brokers ({}), {} loops, {} callers, {} steps, ends by {}\n",
                                   seed, cluster.broker_count, cluster.profile.name, loop_count, caller_count,
                                   step_count, to_string(how_it_ends));
    for (const topic_plan& each : topics) {
        said += fmt::format("  {}: {}{} partitions, {} replicas, min.insync {}, max.message {}{}{}\n",
                            each.name, each.exists ? "" : "does not exist, ", each.config.partition_count,
                            each.config.replication_factor, each.config.min_insync_replicas,
                            each.config.max_message_bytes, each.config.is_compacted ? ", compacted" : "",
                            each.config.message_timestamp_type == testing::timestamp_type::log_append_time
                                ? ", log append time"
                                : "");
    }
    const producer_config& with = producer;
    said += fmt::format(
        "  acks {}, {}, retries {}, linger {} ms, batch.size {}, buffer.memory {}, max.request.size {}, "
        "max.block {} ms, delivery.timeout {} ms, request.timeout {} ms, in flight {}, backoff {}-{} ms, "
        "compression {} at level {}{}\n",
        static_cast<int>(with.acks), is_idempotent() ? "idempotent" : "not idempotent", with.retries,
        with.linger.count(), with.batch_size, with.buffer_memory, with.max_request_size,
        with.max_block.count(), with.delivery_timeout->count(), with.request_timeout.count(),
        with.max_in_flight_requests_per_connection, with.retry_backoff.count(),
        with.retry_backoff_max.count(), to_string(with.compression_type), with.compression_level(),
        has_random_values ? ", random values" : "");
    said +=
        fmt::format("  faults: {}\n  troubles {}, produce {}, others {}{}{}\n", faults.text(), trouble_count,
                    produce_trouble, other_trouble, has_fatal_errors ? ", fatal errors too" : "",
                    planted == planted_bug::none ? "" : fmt::format(", planted: {}", to_string(planted)));
    return said;
}

}  // namespace sluice::simulation
