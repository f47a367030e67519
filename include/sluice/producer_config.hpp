// How a producer is set up. The fields are Kafka's keys with `_` for `.` and without the unit; defaults, ranges and
// combinations are those of Kafka's producer (spec: producer-config).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/compression.hpp"
#include "sluice/error.hpp"
#include "sluice/log.hpp"
#include "sluice/record_metadata.hpp"

namespace sluice {

enum class acks : std::int16_t {
    all = -1,   // every in-sync replica has it
    none = 0,   // handed to the network; no answer, no offset
    leader = 1  // the leader has it
};

// Records of one batch that failed, and whose deliveries were dropped: nobody else will hear of them.
struct delivery_failure {
    shared_text topic;
    std::int32_t partition = -1;
    std::uint32_t record_count = 0;
    error_code error;
    sluice::outcome outcome = sluice::outcome::not_persisted;
    shared_text message;
};

struct producer_config {
    using milliseconds = std::chrono::milliseconds;

    // ---- core
    std::string bootstrap_servers;  // "host:port,host:port"; required
    std::string client_id;          // empty: "producer-<n>"
    sluice::acks acks = sluice::acks::all;
    std::optional<bool> enable_idempotence;  // unset: on, unless acks or retries rule it out
    std::int32_t retries = 2147483647;
    std::optional<milliseconds>
        delivery_timeout;           // unset: 120000, or linger + request_timeout if that is longer
    milliseconds max_block{60000};  // for send() and partitions_for(): metadata and memory together

    // ---- batching and memory
    std::int32_t batch_size = 16384;  // bytes
    milliseconds linger{5};
    std::int64_t buffer_memory = 33554432;    // bytes, over all shards
    std::int32_t max_request_size = 1048576;  // bytes; also the largest record

    // ---- compression
    compression compression_type = compression::none;
    std::int32_t compression_gzip_level = -1;  // 1 (fast) to 9 (small), or -1: zlib's default, 6
    // 9: the fast compressor; others, 1 to 17: the high-compression one, which from 6 on does what 5 does (src/DECISIONS.md).
    std::int32_t compression_lz4_level = 9;
    std::int32_t compression_zstd_level = 3;  // -131072 (fast) to 22 (small)

    // ---- network
    std::int32_t max_in_flight_requests_per_connection = 5;
    milliseconds request_timeout{30000};
    milliseconds retry_backoff{100};
    milliseconds retry_backoff_max{1000};
    milliseconds reconnect_backoff{50};
    std::optional<milliseconds>
        reconnect_backoff_max;  // unset: 1000, or reconnect_backoff if only that was set
    milliseconds socket_connection_setup_timeout{10000};
    milliseconds socket_connection_setup_timeout_max{30000};
    std::int32_t send_buffer = -1;  // bytes; -1: the system tunes it (Kafka: 131072; src/DECISIONS.md)
    std::int32_t receive_buffer = 32768;

    // ---- metadata
    milliseconds metadata_max_age{300000};
    milliseconds metadata_max_idle{300000};

    // ---- not Kafka's
    log_sink log = stderr_log();
    // Of records that failed after their delivery was dropped; on the shard's loop; must not block or throw. Unset: one warning
    // in the log for each batch. (Not heard of: what failed in a part of a batch that was too large and was cut, where other
    // deliveries of that batch were kept.)
    std::function<void(const delivery_failure&)> on_delivery_error;
    std::uint64_t seed = 0;  // for jitter and sticky choice; 0: from the system
    std::vector<std::string>
        unknown_keys;  // given to set(), and not Kafka's: producer::create() warns about each

    // What is wrong with a key or a value, in words that name key, value and what is allowed.
    struct problem {
        std::string key;
        std::string text;
    };

    // Sets one of Kafka's keys from text ("linger.ms", "10"). Keys of Kafka's producer that are not implemented are
    // refused by name; unknown keys are no problem, but have no effect, and are noted in `unknown_keys`.
    std::optional<problem> set(std::string_view key, std::string_view value);
    // One of the keys of Kafka's producer.
    static bool is_known(std::string_view key) noexcept;
    // Checks ranges and combinations, and fills in what follows from other values. producer::create() does it.
    std::optional<problem> validate();

    // Of compression_type.
    std::int32_t compression_level() const noexcept {
        switch (compression_type) {
            case compression::gzip: return compression_gzip_level;
            case compression::lz4: return compression_lz4_level;
            case compression::zstd: return compression_zstd_level;
            case compression::none:
            case compression::snappy: break;
        }
        return 0;
    }
    // After validate().
    bool is_idempotent() const noexcept { return enable_idempotence.value_or(true); }
};

}  // namespace sluice
