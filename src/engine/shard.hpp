// One core's part of a producer: accumulator, sender, connections, memory and producer id, on one loop.
//
//   messages   from other threads: control (flush, close, metadata), then staged records (ingress)
//   turn       on_time: linger, time-outs, backoff  ->  serve: memory  ->  drain: batches become requests
//   I/O        connections call back: ready, closed, answers
//
// A caller on this loop sends without a lock or an atomic: try_accept() appends to the open batch and returns. Results gather
// in the accumulator, and their waiters are moved to the loop at one point of the turn, so that no coroutine is resumed
// inside of anything here.
//
// Owner: its loop, except what is marked "any thread".
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "accumulator/shard_accumulator.hpp"
#include "engine/send_status.hpp"
#include "engine/shard_topic.hpp"
#include "engine/staged_record.hpp"
#include "loop/event_loop.hpp"
#include "net/connection.hpp"
#include "net/resolver.hpp"
#include "sender/sender.hpp"
#include "sluice/send_operation.hpp"

namespace sluice {

class producer_core;
class shard;

// What another thread wants a shard to do. Freed after it ran, or when the shard is closed before.
class control_message : public mpsc_node {
public:
    virtual ~control_message() = default;
    virtual void run(shard& on) = 0;
};

class local_send;
class produce_exchange;
class identity_exchange;

class shard final : public participant, public connection::owner {
public:
    shard(producer_core& core, event_loop& loop, std::uint32_t index, std::size_t memory_bytes,
          std::uint64_t seed, std::unique_ptr<resolver> names);
    ~shard();

    event_loop& loop() const noexcept { return loop_; }
    std::uint32_t index() const noexcept { return index_; }
    producer_core& core() noexcept { return core_; }

    // ---- callers on this loop
    struct refusal {
        error_code error;  // of a refused record
        shared_text message;
        std::int32_t partition = any_partition;  // of one that goes elsewhere, if it is chosen
    };
    // Accepts the record, or says what it would have to wait for, or why it is refused. `accepted` must be empty.
    // `behind`: of one that has waited, the last staged record that arrived before it.
    send_status try_accept(const record& wanted, served_by turn, delivery& accepted, refusal& why,
                           std::uint64_t behind = 0);
    // A record whose caller is called back elsewhere waits among the callers on this loop for what try_accept() said.
    void wait_here(staged_record& staged, send_status why);
    shard_topic& topic(const topic_ref& named);
    shard_topic& topic(topic_entry& entry);

    // ---- any thread
    // False, and the message is dropped, if the shard is closed.
    bool post(std::unique_ptr<control_message> message) noexcept;
    template <class Function>
    bool post_function(Function function) {
        struct calling final : control_message {
            explicit calling(Function&& called_) : called(std::move(called_)) {}
            void run(shard& on) override { called(on); }
            Function called;
        };
        return post(std::make_unique<calling>(std::move(function)));
    }
    // Before the push: pays with ingress credit, if there is enough, and the record is accepted. What was taken is given
    // back when the record is in a batch.
    bool try_pay(staged_record& staged) noexcept;
    // False, and it stays the caller's, if the shard is closed.
    bool push(staged_record& staged) noexcept;
    // The largest record that can ever be accepted here.
    std::size_t memory_bytes() const noexcept;

    // ---- participant
    void take_messages(time_point now) override;
    void on_time(time_point now) override;
    void serve(time_point now) override;
    void drain(time_point now) override;
    time_point next_deadline() const override;
    bool has_messages() const noexcept override;
    void abandon() noexcept override;

    // ---- connection::owner
    void on_ready(connection& ready, time_point now) override;
    void on_slow(connection& slow, const std::string& text, time_point now) override;
    void on_closed(connection& closed, error_code why, const std::string& text, time_point now) override;

    // ---- control, on this loop
    // A new view of the cluster: leaders, topics. Those who wait for a topic are served here.
    void set_view(const std::shared_ptr<const snapshot>& view);
    // Calls `done` when every record accepted up to now has a result.
    void flush(std::function<void()> done);
    // Calls `done` when every record accepted up to now is in a batch, or with the shard that owns it.
    void drain_ingress(std::function<void()> done);
    // No more records; what is accepted is sent. Calls `done` when nothing of the shard runs any more. What is left at
    // `deadline` fails.
    void close(time_point deadline, std::function<void()> done);
    void abort();
    // It keeps the connections and the metadata while other shards close; until let_end().
    void hold_open() noexcept { may_end_ = false; }
    void let_end() noexcept { may_end_ = true; }

    // ---- for the exchanges and the metadata home, on this loop
    // A ready connection, the one with the fewest requests under way; or nullptr, and one is being opened, unless all must
    // wait: then until `next_try`.
    connection* least_loaded_connection(time_point now, time_point& next_try);
    void on_exchange_idle(produce_exchange& idle);
    void set_fatal(error_code why, const std::string& text);
    void finish_if_quiet();
    sender& sending() noexcept { return sender_; }
    random& randomness() noexcept { return randomness_; }
    const std::vector<std::unique_ptr<shard_topic>>& topics() const noexcept { return topics_; }
    shard_topic& add_topic(std::shared_ptr<topic_entry> entry);

    // ---- for tests and metrics, on this loop
    std::size_t batch_count() const noexcept { return accumulator_.batch_count(); }
    const buffer_pool& pool() const noexcept { return pool_; }

    // The producer is closed, or about to be.
    bool is_ending() const noexcept { return phase_ != phase::running; }
    // What to say when a topic did not show up in time, or never will.
    shared_text metadata_text(const shard_topic& topic, std::int32_t partition, duration waited) const;
    shared_text hopeless_text(const shard_topic& topic) const;
    // A topic that is used elsewhere: kept, and published when it is known.
    void want_for_others(const std::shared_ptr<topic_entry>& topic);
    // Its loop has ended before it got there.
    void end_unjoined();

private:
    friend class local_send;
    friend class producer_core;
    friend class staged_record;
    struct ingress_waiter final : memory_waiter {
        explicit ingress_waiter(shard& of_) noexcept : of(of_) {}
        bool serve_memory(time_point now) override;
        shard& of;
    };
    enum class phase : std::uint8_t { running, closing, aborting, closed };
    enum class take_status { gone, appended, wait_topic, wait_memory, wait_turn };

    // ---- records in (shard_send.cpp)
    struct placement {
        send_status status = send_status::accepted;
        std::int32_t partition = any_partition;  // any: sticky
    };
    placement place(shard_topic& topic, std::int32_t wanted, const bytes_view& key);
    // The usual record without a key: the partition is chosen when it is appended.
    static bool is_left_open(const shard_topic& topic, std::int32_t wanted, const bytes_view& key) noexcept {
        return wanted == any_partition && key.is_null() && topic.is_sticky_local;
    }
    error_code check_size(std::size_t content_size) const noexcept {
        return content_size > content_size_max_ ? error_code(errc::record_too_large) : error_code();
    }
    static send_status refuse_send(refusal& why, error_code error, shared_text text);
    // `parts` has a key, a value and headers, and a record_content_size of at most `content_bound`. `partition` comes back
    // chosen where it was open. No result: memory is missing.
    template <class Parts>
    [[gnu::always_inline]] shard_accumulator::appended append(shard_topic& topic, std::int32_t& partition,
                                                              const Parts& parts, std::int64_t timestamp,
                                                              std::size_t content_bound) {
        const bool is_sticky = partition == any_partition;
        partition_queue* const to = is_sticky ? topic.sticky_queue : topic.queues.find(partition);
        if (to != nullptr && (is_sticky || topic.is_sticky_local)) [[likely]] {
            const shard_accumulator::appended done =
                accumulator_.append_quickly(*to, parts, timestamp, content_bound);
            if (done.result != nullptr) [[likely]] {
                if (is_sticky) note_sticky_choice(topic, done);
                partition = to->partition;
                return done;
            }
        }
        const record_parts made{timestamp, parts.key, parts.value, parts.headers};
        return is_sticky ? append_sticky(topic, partition, made) : append_chosen(topic, partition, made);
    }
    void note_sticky_choice(shard_topic& topic, const shard_accumulator::appended& done) noexcept {
        if (topic.sticky.on_appended(done.grown_bytes, done.is_batch_full, batch_size_))
            topic.sticky_queue = nullptr;
    }
    shard_accumulator::appended append_chosen(shard_topic& topic, std::int32_t partition,
                                              const record_parts& parts);
    shard_accumulator::appended append_to_new(shard_topic& topic, partition_queue& to,
                                              const record_parts& parts);
    shard_accumulator::appended append_sticky(shard_topic& topic, std::int32_t& partition,
                                              const record_parts& parts);
    partition_queue& queue(shard_topic& topic, std::int32_t partition);
    std::int32_t draw(const shard_topic& topic) noexcept;
    std::int32_t any_of_own(const shard_topic& topic) const noexcept;
    std::int32_t common_choice(shard_topic& topic);
    void note_common_choice(shard_topic& topic, std::int32_t partition,
                            const shard_accumulator::appended& done);
    bool is_turn_spent() const noexcept;
    bool is_ingress_first(served_by turn, std::uint64_t behind) const noexcept;
    void want(shard_topic& topic, time_point now);
    shared_text memory_text(std::size_t size_bytes, duration waited) const;
    shared_text size_text(std::string_view topic, std::size_t content_size) const;

    // ---- ingress (shard_ingress.cpp)
    void receive_staged(time_point now);
    void adopt(staged_record& staged, time_point now);
    // Has anybody pushed a record that is in no batch yet, and waits for no topic?
    bool has_arrivals() const noexcept { return !pushed_.empty() || !ingress_.empty(); }
    bool has_ingress_up_to(std::uint64_t arrival) const noexcept {
        return !ingress_.empty() && ingress_.front().arrival <= arrival;
    }
    void catch_up();
    bool take_ingress_up_to(std::uint64_t arrival, time_point now);
    std::size_t run_ingress(time_point now, std::size_t budget_bytes);  // how many bytes it took
    take_status take(staged_record& staged, served_by turn, time_point now);
    void serve_topic(staged_record& staged, time_point now);
    bool serve_memory(staged_record& staged, time_point now);
    void note_appended(staged_record& staged, const shard_accumulator::appended& done);
    void refuse(staged_record& staged, error_code why, shared_text text);
    void leave_queues(staged_record& staged) noexcept;
    static void leave_waiting(staged_record& staged) noexcept;
    void forward(staged_record& staged, shard& owner);
    static void settle_route(staged_record& staged) noexcept;
    void lend_credit() noexcept;
    void withdraw_credit() noexcept;
    void give_back_credit(staged_record& staged) noexcept;
    void publish_credit() noexcept;
    void tell_dropped(result_block& failed);
    void tell_refused();
    void on_staged_deadline(staged_record& staged);
    void expire_unappended(time_point now);
    time_point unappended_deadline() const noexcept;

    // ---- topics
    void look_up(shard_topic& topic);
    void choose_candidates(shard_topic& topic);
    void serve_topic_waiters(shard_topic& topic, time_point now);

    // ---- I/O (shard_io.cpp)
    void send_requests(time_point now);
    void send_produce(broker_queue& to, connection& over, time_point now);
    produce_exchange& idle_exchange();
    void ask_identity(time_point now);
    void tell_home(time_point now);
    connection& connection_to(std::int32_t node_id, const host_port& address);
    void wake_finished();
    void log_trouble(const connection& with, const std::string& text, time_point now);

    // ---- end (shard_close.cpp)
    bool is_appended_up_to(std::uint64_t arrival) const noexcept;
    void check_flushes();
    void fail_callers(error_code why);
    void for_each_local_waiter(const std::function<void(local_send&)>& act);
    void refuse_staged();
    void close_connections();
    void advance_closing(time_point now);
    bool is_quiet() const noexcept;
    void end();
    void seal();
    struct final_task final : task {
        explicit final_task(shard& of_) noexcept : task(&run_or_drop), of(of_) {}
        static void run_or_drop(task& self, fate) { static_cast<final_task&>(self).of.end(); }
        shard& of;
    };

    producer_core& core_;
    event_loop& loop_;
    const std::uint32_t index_;
    random randomness_;
    const logger& log_;
    buffer_pool pool_;
    shard_accumulator accumulator_;
    sender sender_;
    std::unique_ptr<resolver> names_;
    std::map<std::int32_t, std::unique_ptr<connection>> connections_;  // by node id
    std::shared_ptr<const snapshot> view_;
    std::vector<std::unique_ptr<shard_topic>> topics_;
    by_name<shard_topic*> topics_by_name_;

    // Fairness: what callers may append before the loop gets its turn (design §4).
    std::uint32_t batch_size_;
    // A batch that would be due so soon leaves in this turn: the loop is awake, and waking up again costs more (17 µs of CPU
    // where it was measured) than that bit of linger is worth. linger.ms / 16, and at most 250 µs.
    const duration linger_slack_;
    std::size_t content_size_max_;  // of a record: max.request.size, and what the pool could ever lend
    static constexpr std::size_t turn_bytes_max = 384 * 1024;  // appended without a pause for the loop
    static constexpr std::uint32_t turn_sends_max = 3584;      // 100 to 200 µs
    std::size_t turn_bytes_ = 0;
    std::uint32_t turn_sends_ = 0;
    bool has_late_memory_ = false;  // given back after this turn's serve, and somebody waits for it
    list_of<topic_waiter, topic_waiter> yielded_;  // go on in the next turn

    // Ingress. What other threads write is on cache lines of its own.
    alignas(64) mpsc_queue<staged_record> pushed_;
    alignas(64) std::atomic<std::int64_t> credit_{0};
    alignas(64)
        list_of<staged_record, ingress_tag> ingress_;    // taken over, in order; the head may wait for memory
    list_of<staged_record, unappended_tag> unappended_;  // accepted, and in no batch yet, by arrival
    std::uint64_t arrived_ = 0;
    ingress_waiter ingress_waiter_{*this};
    struct refused_delivery {
        shared_text topic;
        std::int32_t partition;
        batch_result why;
    };
    std::vector<refused_delivery> refused_;  // accepted, refused later, and nobody holds their deliveries
    std::int64_t returned_credit_ = 0;       // not in `credit_` yet
    std::uint32_t credit_chunks_ = 0;        // of the pool, lent to the ingress

    // Control.
    alignas(64) mpsc_queue<control_message> control_;

    // Requests.
    std::vector<std::unique_ptr<produce_exchange>> exchanges_;
    std::vector<produce_exchange*> idle_exchanges_;
    std::unique_ptr<identity_exchange> identity_;
    time_point next_try_ = never;                     // of a broker that must wait before it is tried again
    std::map<std::int32_t, time_point> last_logged_;  // trouble with a broker, by node id

    // End.
    struct pending_flush {
        std::uint64_t arrived;  // staged records up to this one
        std::uint64_t ordinal;  // and batches up to this one, once those are appended
        bool has_ordinal;
        std::function<void()> done;
    };
    std::deque<pending_flush> flushes_;
    std::deque<pending_flush> ingress_flushes_;
    phase phase_ = phase::running;
    time_point close_deadline_ = never;
    bool may_end_ = true;
    std::vector<std::function<void()>> on_closed_;
    final_task final_task_{*this};
};

// A caller on the shard's loop that waits for its topic, for memory, or for the next turn; inside its send_operation.
class local_send final : public topic_waiter, public memory_waiter {
public:
    local_send(shard& at, send_operation& sent, completion& done, send_status why);
    ~local_send() = default;

    void serve_topic(time_point now) override;
    bool serve_memory(time_point now) override;
    std::uint64_t arrival_number() const noexcept override { return arrival_; }
    // Completes it with an error, off every queue.
    void fail(error_code why, shared_text text);
    // The loop ends: whoever waits is let go of.
    void drop();

private:
    struct deadline_timer : timer {
        explicit deadline_timer(local_send& of) noexcept : timer(&expire), self(of) {}
        static void expire(timer& due) noexcept;
        local_send& self;
    };
    void wait_for(send_status why);
    bool serve(served_by turn);
    void finish() noexcept;
    void leave_queues() noexcept;

    shard& shard_;
    send_operation& sent_;
    completion& done_;
    time_point started_;
    std::uint64_t arrival_;  // it comes behind the staged records that arrived before
    bool is_yielded_ = false;
    deadline_timer deadline_{*this};
};

}  // namespace sluice
