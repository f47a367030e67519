// The decisions of sending, without I/O: which batches go to which broker, and what each answer means (Kafka's Sender).
// Events come in as calls; what is wanted from outside is asked for by the `wants_` functions, once a turn:
//
//   sendable queues ----> ready list of the leader's broker_queue --fill()--> produce_attempt --encode()--> bytes
//   leaders, brokers -->  (unknown leader: metadata is wanted)                     |
//   identity ---------->  (idempotent and none: InitProducerId is wanted)          v
//                                                         on_answer / on_lost: judge each batch
//                                                         acknowledge | retry, after a backoff | split | fail
//
// At most one batch of a partition is in a request (RB-10, ACC-15). A queue that may not send now, for order or backoff,
// is on no list; what changes that puts it back. Brokers are independent of each other (SDR-14).
//
// Owner: one shard; not synchronised.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "accumulator/shard_accumulator.hpp"
#include "base/backoff.hpp"
#include "cluster/merge.hpp"
#include "record/batch_header.hpp"
#include "sender/broker_queue.hpp"
#include "sender/judge.hpp"
#include "wire/api/produce.hpp"
#include "wire/writer.hpp"

namespace sluice {

struct sender_config {
    std::int16_t acks = -1;
    bool is_idempotent = true;
    std::uint32_t in_flight_max = 5;           // max.in.flight.requests.per.connection
    std::uint32_t request_size_max = 1048576;  // max.request.size
    std::uint32_t batch_size = 16384;          // what a batch that was too large is split to first
    std::int32_t request_timeout_ms = 30000;   // the TimeoutMs of Produce
    std::uint32_t retries = 2147483647;
    duration delivery_timeout = std::chrono::milliseconds(120000);
    std::chrono::milliseconds retry_backoff{100};
    std::chrono::milliseconds retry_backoff_max{1000};
};

class sender {
public:
    sender(const sender_config& config, shard_accumulator& accumulator, std::uint64_t seed);

    // ---- what is known of the cluster
    // New metadata for a topic: leaders of the queues that exist. `node` is nullptr for a topic that is gone.
    void on_topic(topic_queues& topic, const topic_node* node, const snapshot& in);
    // The leader of one queue, when it is made or hinted at. An epoch that is not newer than the known one is ignored
    // where it `is_hint`.
    void set_leader(partition_queue& queue, std::int32_t leader, std::int32_t leader_epoch);
    broker_queue& broker(std::int32_t node_id);
    void on_broker_usable(std::int32_t node_id) { broker(node_id).is_usable = true; }
    void on_broker_lost(std::int32_t node_id) { broker(node_id).is_usable = false; }

    // ---- identity
    const producer_identity& identity() const noexcept { return identity_; }
    void set_identity(const producer_identity& identity);
    // There is something to send, and no id to send it with (IDM-1).
    bool wants_identity() const noexcept { return wants_identity_; }

    // ---- a turn
    // Moves queues that became sendable to their brokers; raises the epoch where a partition wants it (IDM-11).
    void collect();
    // Fills `attempt` with the next request for this broker; false if there is none now.
    bool fill(broker_queue& to, produce_attempt& attempt, time_point now);
    // Appends the request, a whole frame, to `out`; the batches' bytes by reference. The version is at most 12 if a
    // topic's id is not known. Errors: as of wire::write_request; unsupported_compression_type, if the version is too old for
    // what a batch is compressed with: then it is refused.
    error_code encode(produce_attempt& attempt, std::int16_t version, std::string_view client_id,
                      wire::writer& out);

    // Brokers that have something to send, in the order in which they got it.
    template <class Visit>
    void for_each_active(Visit&& visit) {
        for (std::size_t i = 0; i < active_.size(); ++i) visit(*active_[i]);
        std::erase_if(active_, [](broker_queue* each) {
            each->is_active = !each->ready.empty();
            return !each->is_active;
        });
    }

    // ---- what came of a request; afterwards its bytes are not needed any more
    // The answer's body. Errors: protocol_error if it is not one; then call on_lost.
    error_code on_answer(produce_attempt& attempt, bytes body, time_point now);
    // No answer will come; `was_sent`: the broker may have got it.
    void on_lost(produce_attempt& attempt, error_code why, bool was_sent, std::string_view text,
                 time_point now);
    // It cannot be sent to this broker, now or later: its batches fail.
    void on_refused(produce_attempt& attempt, error_code why, std::string_view text, time_point now);
    // acks=0: handed to the kernel, which is all there will be (SND-19).
    void on_written(produce_attempt& attempt);

    // ---- time
    // Ends backoffs, and fails batches that are older than delivery.timeout.ms.
    void on_time(time_point now);
    time_point next_deadline() const noexcept;

    // Fails every batch that is not resolved, those in flight too (ACC-33).
    void fail_all(error_code why, std::string_view text);
    // An error that ends the producer: set once, by an answer.
    const batch_result* fatal() const noexcept { return fatal_.get(); }
    void set_fatal(error_code why, std::string_view text);

    // ---- wants, taken once a turn
    struct metadata_wants {
        bool update = false;                      // a leader is stale or unknown
        std::vector<const topic_queues*> topics;  // with queued data and no leader (ACC-14)
        std::vector<leader_hint> hints;           // KIP-951; `topic` is a view into the topic
    };
    bool wants_metadata() const noexcept { return wants_.update || !wants_.hints.empty(); }
    metadata_wants take_metadata_wants() { return std::exchange(wants_, {}); }

    // For time-out texts: why brokers could not be reached, newest last.
    void set_connection_trouble(std::string text) { connection_trouble_ = std::move(text); }
    const std::string& connection_trouble() const noexcept { return connection_trouble_; }

private:
    struct waiting_backoff {
        time_point due;
        partition_queue* queue;
        std::uint16_t number;  // the queue's then: if it has begun another since, this one is over
    };
    using answered_partition = wire::partition_produce_response;

    void assign(partition_queue& queue);
    bool may_send(partition_queue& queue) const noexcept;
    void raise_epoch();
    void note_epoch_wanted(partition_queue& queue);
    void conclude(batch& attempted, const answered_partition& answer, time_point now);
    void acknowledge(batch& stored, const answered_partition& answer);
    void retry_or_fail(batch& attempted, const verdict& judged, error_code error, std::string_view text,
                       std::int64_t log_start_offset, time_point now);
    void retry(batch& attempted, time_point now);
    void fail(batch& attempted, error_code error, std::string_view text);
    void split(batch& whole);
    void close_flight(batch& resolved);
    void apply_hint(batch& attempted, const answered_partition& answer,
                    const wire::produce_response& response);
    void expire(batch& old, time_point now);
    batch* find(produce_attempt& attempt, std::size_t& guess, const wire::topic_produce_response& topic,
                std::int32_t partition) const;

    const sender_config& config_;
    shard_accumulator& accumulator_;
    backoff backoff_;
    random randomness_;
    producer_identity identity_;
    bool wants_identity_ = false;
    std::map<std::int32_t, std::unique_ptr<broker_queue>> brokers_;
    std::vector<broker_queue*> active_;
    std::vector<partition_queue*> epoch_wanted_by_;
    std::vector<waiting_backoff> backoffs_;  // a heap, soonest first
    std::unique_ptr<batch_result> fatal_;
    metadata_wants wants_;
    std::string connection_trouble_;

    // Scratch, to allocate nothing in the steady state.
    wire::produce_request request_;
    wire::produce_response response_;
    std::vector<std::array<std::byte, batch_header::size_bytes>> headers_;
    std::vector<bytes> pieces_;
};

}  // namespace sluice
