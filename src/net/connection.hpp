// The connection to one broker: it resolves, connects, shakes hands, writes requests in order, reads answers, and says
// when it is lost. One object per broker for as long as the broker is known; each loss brings it back to `idle`.
//
//   idle --open--> resolving --> connecting --> negotiating --> ready
//    ^                 |              |              |            |
//    `---- closing <---+--------------+--------------+------------'   until the kernel is done with every operation
//
// Writing: requests queue up and leave together, as one gathered send; one send is in flight per socket. Reading: one
// receive at a time into a buffer that grows with what really arrives, never with what a size field claims.
// Callbacks to the owner come in the completions, timers or resume phase of a turn.
//
// Owner: one shard; not synchronised. Not destroyed before it is idle (ensured).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "loop/event_loop.hpp"
#include "net/resolver.hpp"
#include "session/handshake.hpp"
#include "session/pipeline.hpp"
#include "session/reconnect_policy.hpp"
#include "wire/frame.hpp"
#include "wire/writer.hpp"

namespace sluice {

class connection;

struct outgoing_tag;

// A request that goes out over a connection, encoded except for its correlation id. The connection calls, in this order:
//
//   on_written     every byte was handed to the kernel                    (at most once)
//   on_answer      the answer came            | exactly one of the two; a request that expects no answer gets neither
//   on_failure     it never will              |  on_answer, and on_failure only if it was not written
//   on_released    last: neither the kernel nor the connection needs it or its bytes any more
class outgoing_request : public answer_receiver, public list_hook<outgoing_tag> {
public:
    virtual void on_written(time_point now) { static_cast<void>(now); }
    // `was_sent`: at least one byte was given to the kernel, so that the broker may have acted on it.
    virtual void on_failure(error_code why, bool was_sent, time_point now) = 0;
    virtual void on_released() = 0;

    wire::api_key key{};
    std::int16_t version = 0;
    bool expects_answer = true;
    wire::writer frame;  // size, header, body; the correlation id is put in by the connection
    std::size_t size_bytes() const noexcept { return frame.size(); }

protected:
    ~outgoing_request() = default;

private:
    friend class connection;
    bool was_sent_ = false;
    bool is_failed_ = false;
};

struct connection_config {
    std::string client_id;
    reconnect_limits reconnect;
    duration request_timeout = std::chrono::seconds(30);
    std::size_t in_flight_max = 5;  // Produce requests; some more for metadata and the like are let through
    std::uint32_t frame_size_max = wire::frame_size_max;
    socket_options socket;
};

class connection {
public:
    enum class state { idle, resolving, connecting, negotiating, ready, closing };

    class owner {
    public:
        // Negotiated: requests may be sent.
        virtual void on_ready(connection& ready, time_point now) = 0;
        // Not ready after a while, and not given up either. Once for each attempt.
        virtual void on_slow(connection& slow, const std::string& text, time_point now) = 0;
        // Idle again; its requests have failed already. `text` names the address and what went wrong.
        virtual void on_closed(connection& closed, error_code why, const std::string& text,
                               time_point now) = 0;

    protected:
        ~owner() = default;
    };

    connection(event_loop& loop, resolver& names, owner& owned_by, const connection_config& config,
               host_port address, std::int32_t node_id, std::uint64_t seed);
    ~connection();
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;

    std::int32_t node_id() const noexcept { return node_id_; }
    const host_port& address() const noexcept { return address_; }
    // Another host or port for this broker (NET-8); used from the next attempt on.
    void set_address(host_port address);

    state current_state() const noexcept { return state_; }
    bool is_ready() const noexcept { return state_ == state::ready; }
    bool is_idle() const noexcept { return state_ == state::idle; }
    // The backoff after the last failure is over.
    bool may_open(time_point now) const noexcept { return is_idle() && policy_.next_attempt() <= now; }
    time_point next_attempt() const noexcept { return policy_.next_attempt(); }
    void open(time_point now);

    // When ready: what the broker speaks.
    const wire::negotiated_versions& versions() const noexcept { return handshake_.versions(); }
    // Requests that wait for an answer or are not written yet.
    std::size_t in_flight_count() const noexcept { return pipeline_.size() + unanswered_unsent_; }

    // Queues a request; it leaves at the next flush(). When ready only (ensured). The deadline counts from now.
    void send(outgoing_request& request, time_point now);
    // Starts sending what is queued, if no send is in flight.
    void flush(time_point now);

    // Fails everything and closes. on_closed follows, in a later phase or turn.
    void close(error_code why, std::string text, time_point now);

    // Set-up and request time-outs.
    void on_time(time_point now);
    time_point next_deadline() const noexcept;

private:
    struct lookup_operation : name_lookup {
        explicit lookup_operation(connection& of) noexcept : name_lookup(&done), self(of) {}
        static void done(name_lookup& lookup) noexcept;
        connection& self;
    };
    struct connecting_operation : connect_operation {
        explicit connecting_operation(connection& of) noexcept : connect_operation(&done), self(of) {}
        static void done(io_operation& operation) noexcept;
        connection& self;
    };
    struct sending_operation : send_operation_base {
        explicit sending_operation(connection& of) noexcept : send_operation_base(&done), self(of) {}
        static void done(io_operation& operation) noexcept;
        connection& self;
    };
    struct receiving_operation : receive_operation {
        explicit receiving_operation(connection& of) noexcept : receive_operation(&done), self(of) {}
        static void done(io_operation& operation) noexcept;
        connection& self;
    };
    struct closed_task : task {
        explicit closed_task(connection& of) noexcept : task(&run_or_drop), self(of) {}
        static void run_or_drop(task& task, fate what);
        connection& self;
    };

    using outgoing_list = list_of<outgoing_request, outgoing_tag>;

    void on_resolved();
    void connect_to_next();
    void on_connected(int result);
    void start_handshake();
    void on_sent(int result);
    void start_send();
    void receive();
    void on_received(int result);
    void read_frames();
    bool handle_frame(bytes frame);
    void on_handshake_answer(bytes body);
    void fail_requests(error_code why);
    void finish_closing_if_done();
    void deliver_closed();
    bool has_pending_operation() const noexcept {
        return connecting_.is_pending || sending_.is_pending || receiving_.is_pending;
    }
    std::string peer_text() const;
    const char* what_it_waits_for() const noexcept;

    event_loop& loop_;
    resolver& names_;
    owner& owner_;
    const connection_config& config_;
    host_port address_;
    std::int32_t node_id_;
    random randomness_;
    reconnect_policy policy_;

    state state_ = state::idle;
    socket_id socket_ = socket_id::none;
    std::vector<endpoint> endpoints_;  // of address_, tried in turn (NET-7)
    std::size_t next_endpoint_ = 0;
    bool wants_resolving_ = true;
    time_point setup_deadline_ = never;
    time_point tell_slow_at_ = never;
    handshake handshake_;
    pipeline pipeline_;

    outgoing_list queued_;  // not given to the kernel yet, in order
    std::size_t unanswered_unsent_ =
        0;                       // of those in queued_ and sending_now_, which are not in the pipeline
    outgoing_list sending_now_;  // of the send in flight, in order
    std::vector<iovec> pieces_;  // of the send in flight
    std::size_t sent_of_first_request_ = 0;
    struct handshake_request;
    std::unique_ptr<handshake_request> handshake_request_;

    std::vector<std::byte> received_;
    std::size_t received_begin_ = 0;
    std::size_t received_end_ = 0;

    error_code closing_error_;
    std::string closing_text_;
    bool was_connected_ = false;

    lookup_operation lookup_{*this};
    connecting_operation connecting_{*this};
    sending_operation sending_{*this};
    receiving_operation receiving_{*this};
    closed_task closed_task_{*this};
};

}  // namespace sluice
