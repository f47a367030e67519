// What is sent: where to, a key, a value, headers, a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/bytes.hpp"
#include "sluice/detail/copy_apart.hpp"
#include "sluice/header.hpp"
#include "sluice/topic.hpp"

namespace sluice {

inline constexpr std::int32_t any_partition = -1;  // by the key's hash, or the producer's choice (PRT-1)
inline constexpr std::int64_t time_of_send = -1;   // the time at which send() accepts it (SND-13)

// A record as views (Kafka's ProducerRecord). Its bytes are copied when it is accepted, so for
//
//   co_await producer.send(sluice::record{"orders", order_id, order_json});
//
// everything lives long enough. A record whose send() is started later than in the expression that made it, or with a
// token that returns at once (a callback, a future), may have to wait: then what it views must live until it is accepted,
// or be an owning_record.
struct record {
    record() = default;
    record(topic_ref topic_, bytes_view value_) noexcept : topic(topic_), value(value_) {}
    record(topic_ref topic_, bytes_view key_, bytes_view value_) noexcept
        : topic(topic_), key(key_), value(value_) {}

    topic_ref topic;
    bytes_view key;    // null: no key
    bytes_view value;  // null: a tombstone
    std::int32_t partition = any_partition;
    std::int64_t timestamp = time_of_send;  // milliseconds since 1970, UTC
    std::span<const header> headers;        // in order; names may repeat
};

namespace detail {

inline record copy_apart(const record& from) noexcept {
    return copy_by_words(from, offsetof(record, partition));
}

}  // namespace detail

// A record that holds its bytes. Converts to a record that views it.
class owning_record {
public:
    owning_record() = default;
    explicit owning_record(const record& copied);
    owning_record(std::string_view topic, bytes_view key, bytes_view value);
    owning_record(const sluice::topic& topic, bytes_view key, bytes_view value);

    void set_partition(std::int32_t partition) noexcept { partition_ = partition; }
    void set_timestamp(std::int64_t milliseconds) noexcept { timestamp_ = milliseconds; }
    void add_header(std::string_view key, bytes_view value);

    // Views into this object; valid until it is changed, moved or destroyed.
    record view() const;
    operator record() const { return view(); }

private:
    struct owned_header {
        std::string key;
        std::optional<std::string> value;
    };

    std::string topic_name_;
    sluice::topic topic_;
    std::optional<std::string> key_;
    std::optional<std::string> value_;
    std::vector<owned_header> headers_;
    mutable std::vector<header> header_views_;
    std::int32_t partition_ = any_partition;
    std::int64_t timestamp_ = time_of_send;
};

}  // namespace sluice
