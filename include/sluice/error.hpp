// What can go wrong, and what a caller does about it.
//
//   error_code        boost::system::error_code in one of two categories:
//     errc            the client's own errors
//     broker_errc     what a broker answered: Kafka's table of error codes, by Kafka's names and numbers
//   condition         what to do next; every code of both categories maps to exactly one
//
//   if (error == sluice::condition::retriable) ...    compare with conditions, not with single codes
//
// Thread rules: everything here is immutable and may be used from any thread.
// Source: org.apache.kafka.common.protocol.Errors, KIP-1050.
#pragma once

#include <boost/system/error_code.hpp>
#include <boost/system/result.hpp>
#include <boost/system/system_error.hpp>
#include <string>
#include <type_traits>

namespace sluice {

using error_code = boost::system::error_code;
using error_condition = boost::system::error_condition;
using error_category = boost::system::error_category;

template <class T>
using result = boost::system::result<T>;

// Errors that the client itself finds.
enum class errc {
    would_block = 1,      // try_send: the call would have to wait
    closed,               // the producer is closing or closed
    record_too_large,     // larger than max.request.size, or than this shard's part of buffer.memory (SND-11)
    invalid_record,       // no topic, a negative partition or a negative timestamp (SND-28)
    invalid_config,       // a configuration value is out of range, or two contradict each other
    bootstrap_failed,     // nothing of bootstrap.servers could be resolved
    metadata_timeout,     // the topic or the partition did not show up within max.block.ms (MDW-6)
    memory_timeout,       // no buffer memory within max.block.ms (Kafka's BufferExhaustedException, BUF-9)
    call_timeout,         // the deadline of this call passed
    delivery_timeout,     // not acknowledged within delivery.timeout.ms (ACC-23)
    request_timeout,      // a broker did not answer within request.timeout.ms (NET-13)
    connect_timeout,      // a connection was not set up in time (NET-6)
    disconnected,         // the connection was lost with a request in flight (NET-14)
    protocol_error,       // a broker sent bytes that are not Kafka's protocol
    frame_too_large,      // a broker announced a frame larger than we accept
    unsupported_version,  // the broker has no version of this request that we speak (VER-5)
    not_implemented,      // asked for something that Kafka's producer has and this one not yet
    batch_discarded       // an earlier fatal error of the producer fails everything after it (IDM-18)
};

// What a broker answered. Kafka's numbers; names in lower case.
enum class broker_errc : int {
    unknown_server_error = -1,
    offset_out_of_range = 1,
    corrupt_message = 2,
    unknown_topic_or_partition = 3,
    invalid_fetch_size = 4,
    leader_not_available = 5,
    not_leader_or_follower = 6,
    request_timed_out = 7,
    broker_not_available = 8,
    replica_not_available = 9,
    message_too_large = 10,
    stale_controller_epoch = 11,
    offset_metadata_too_large = 12,
    network_exception = 13,
    coordinator_load_in_progress = 14,
    coordinator_not_available = 15,
    not_coordinator = 16,
    invalid_topic_exception = 17,
    record_list_too_large = 18,
    not_enough_replicas = 19,
    not_enough_replicas_after_append = 20,
    invalid_required_acks = 21,
    topic_authorization_failed = 29,
    cluster_authorization_failed = 31,
    invalid_timestamp = 32,
    unsupported_version = 35,
    invalid_request = 42,
    unsupported_for_message_format = 43,
    policy_violation = 44,
    out_of_order_sequence_number = 45,
    duplicate_sequence_number = 46,
    invalid_producer_epoch = 47,
    invalid_txn_state = 48,
    invalid_producer_id_mapping = 49,
    invalid_transaction_timeout = 50,
    concurrent_transactions = 51,
    transactional_id_authorization_failed = 53,
    kafka_storage_error = 56,
    sasl_authentication_failed = 58,
    unknown_producer_id = 59,
    listener_not_found = 72,
    fenced_leader_epoch = 74,
    unknown_leader_epoch = 75,
    unsupported_compression_type = 76,
    invalid_record = 87,
    throttling_quota_exceeded = 89,
    producer_fenced = 90,
    unknown_topic_id = 100,
    inconsistent_topic_id = 103,
    transaction_abortable = 120,
    rebootstrap_required = 129
    // Every other code of Kafka's table is carried too, by its number: error_code{code, broker_category()}.
};

// What the caller does next.
enum class condition {
    rejected = 1,  // this record or call only; sending it again unchanged fails again
    retriable,  // may succeed when sent again (look at record_metadata::outcome first: it may be stored already)
    abortable,  // the transaction must be aborted; the producer lives on
    fatal       // the producer is of no use any more: close it
};

const error_category& client_category() noexcept;
const error_category& broker_category() noexcept;
const error_category& condition_category() noexcept;

inline error_code make_error_code(errc code) noexcept {
    return {static_cast<int>(code), client_category()};
}
inline error_code make_error_code(broker_errc code) noexcept {
    return {static_cast<int>(code), broker_category()};
}
inline error_condition make_error_condition(condition code) noexcept {
    return {static_cast<int>(code), condition_category()};
}

// Thrown by `co_await` of an operation that failed, in any coroutine and on any executor, and by wait(): the code, and a
// text that names the culprit (topic, partition, broker, configuration key). `what()` is that text. Completion tokens get the
// code alone, and those that throw (use_awaitable, use_future) throw boost::system::system_error, the base; so does `co_await`
// with a Boost that awaitable.hpp does not know. record_metadata::message has the text of a delivery then, and the log that of
// producer::create().
class error : public boost::system::system_error {
public:
    error(error_code code, std::string text);
    const char* what() const noexcept override { return text_.c_str(); }

private:
    std::string text_;
};

}  // namespace sluice

template <>
struct boost::system::is_error_code_enum<sluice::errc> : std::true_type {};
template <>
struct boost::system::is_error_code_enum<sluice::broker_errc> : std::true_type {};
template <>
struct boost::system::is_error_condition_enum<sluice::condition> : std::true_type {};
