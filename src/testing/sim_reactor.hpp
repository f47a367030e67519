// The third kind of reactor: virtual time and the simulated network in place of a kernel, which does everything that
// the contract in loop/reactor.hpp allows and that real kernels do seldom.
//
//   start      hashes what the kernel was lent: the message, the array of pieces, the bytes of a send (as many as can move
//              at once, and the last ones); fills the buffer of a receive, which is the kernel's now, with rubbish
//   submit     nothing happens before; then the operation is tried at once, or later
//   moved      bytes are copied, all or some of them; only now, and only if the hash is still the same
//   completed  at once, or later; what was received is written now, or when it is reaped
//   reaped     in submit_and_wait, and the hash is compared for the last time
//   cancel     takes effect after submit: the operation ends with ECANCELED, as if it had not been cancelled, or half way
//
// Whoever breaks the contract is found (sim_world::find), where a real reactor would abort or, worse, would not notice:
//
//   two operations of a kind on one socket          an operation started, or changed, or gone, while it is pending
//   a socket closed while an operation is pending   a message, a piece, a byte or a buffer changed while it is lent
//   a socket that is not open                       a send or receive before the connect has completed
//   a call from the turn of another loop            operations left at the end
//
// Memory that was freed while it was lent is read all the same: run simulations under the address sanitizer.
// submit_and_wait with a deadline ahead runs the world's events, but no other loop.
//
// Owner: one loop of one world; neither world nor network end before it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "loop/event_loop.hpp"
#include "loop/reactor.hpp"
#include "testing/sim_connection.hpp"
#include "testing/sim_network.hpp"
#include "testing/sim_world.hpp"

namespace sluice::testing {

class sim_reactor final : public reactor, sim_connection_watcher {
public:
    // `name`: of the loop, in findings and reports. `id`: in the trace, another one for each reactor of a world.
    sim_reactor(sim_network& network, std::string name, std::uint32_t id);
    ~sim_reactor() override;

    reactor_kind kind() const noexcept override { return reactor_kind::simulated; }
    result<socket_id> open(int family, const socket_options& options) override;
    void close(socket_id socket) noexcept override;
    void connect(socket_id socket, connect_operation& operation) noexcept override;
    void send(socket_id socket, send_operation_base& operation) noexcept override;
    void receive(socket_id socket, receive_operation& operation) noexcept override;
    void cancel(io_operation& operation) noexcept override;
    std::size_t pending_count() const noexcept override { return pending_count_; }
    void submit_and_wait(time_point deadline, completion_list& completed) noexcept override;
    void submit() noexcept override;
    void ring() noexcept override {
        if (!world_.happens(lost_rings_)) is_rung_ = true;
    }
    int native_handle() const noexcept override { return -1; }
    time_point now() const noexcept override { return world_.now(); }
    wall_time wall_now() const noexcept override { return world_.wall_now(); }

    // ---- simulation
    const std::string& name() const noexcept { return name_; }
    // Calls in turns of other loops are findings from now on.
    void belongs_to(const event_loop& loop) noexcept { loop_ = &loop; }
    // A bug to plant: so often nobody hears the doorbell.
    void lose_rings(fault_plan::chance lost) noexcept { lost_rings_ = lost; }
    // There is something to reap, or it was rung.
    bool is_woken() const noexcept { return is_rung_ || !completed_.empty(); }
    // Sockets that are open.
    std::size_t socket_count() const noexcept { return slots_.size() - free_slots_.size(); }
    // What is pending, one line each.
    void report(std::string& lines) const;

private:
    enum way : std::uint32_t { connecting, sending, receiving };
    enum class stage : std::uint8_t { none, started, submitted, tried, waiting, moved, completed };

    // An operation while it is pending.
    struct pending {
        io_operation* operation = nullptr;
        io_operation::callback on_complete = nullptr;  // as it was at the start
        std::uint64_t token = 0;                       // what `of_reactor` was set to
        stage reached = stage::none;
        bool is_cancelled = false;  // and the cancel submitted
        bool is_written = false;    // a receive: `taken` is in the buffer
        bool is_found = false;      // its findings are told
        sim_world::event_id next_step{};
        time_point since{};
        std::uint64_t lent_hash = 0;     // of addresses and sizes: never traced
        std::uint64_t content_hash = 0;  // of bytes
        std::size_t size = 0;            // asked for
        std::size_t hashed_size = 0;     // of a send: so much of its beginning
        std::vector<std::byte> taken;    // by a receive: moved, in the buffer at the latest when it is reaped
        int result = 0;
    };
    struct slot {
        bool is_open = false;
        int family = 0;
        sim_connection* connection = nullptr;
        std::array<pending, 3> ways;
    };
    // Where an operation is found again.
    struct place {
        std::uint32_t socket;
        way which;
        friend bool operator==(place, place) = default;
    };
    struct completion {
        place at;
        io_operation* refused = nullptr;  // is nowhere: its start broke the contract
        int result = 0;
    };

    pending* begin(socket_id socket, way which, io_operation& operation, std::size_t size);
    void refuse(io_operation& operation, int error);
    void orphan(place of);
    void plan_step(place of, duration wait);
    void step(place of);
    void attempt(place of);
    std::optional<int> attempt_connect(place of, bool is_first);
    std::optional<int> attempt_send(place of);
    std::optional<int> attempt_receive(place of);
    int cancelled(place of);
    void copy(place of, std::size_t size);
    void move_done(place of, int result);
    void complete(place of);
    void write_taken(place of);
    void hand_over(const completion& done, completion_list& completed);
    void wait(time_point deadline);
    void on_ready(std::uint32_t socket) override;

    static std::uint64_t token_of(place of, std::uint64_t number) noexcept {
        return number << 24 | std::uint64_t{of.socket} << 2 | of.which;
    }
    static place place_of(std::uint64_t token) noexcept {
        return {static_cast<std::uint32_t>(token & 0xff'ffff) >> 2, static_cast<way>(token & 3)};
    }
    bool is_open(socket_id socket) const noexcept;
    slot& slot_of(place of) noexcept { return slots_[of.socket]; }
    pending& at(place of) noexcept { return slots_[of.socket].ways[of.which]; }
    send_operation_base& send_at(place of) noexcept {
        return static_cast<send_operation_base&>(*at(of).operation);
    }
    mutable_bytes buffer_at(place of) noexcept {
        return static_cast<receive_operation&>(*at(of).operation).buffer;
    }

    bool is_operation_there(place of);
    void check_what_is_lent(place of);
    std::uint64_t hash_what_is_lent(place of);
    void check_caller(const char* call);
    void find(place of, const char* what);
    std::string text_of(place of) const;
    std::uint64_t trace_id(place of) const noexcept { return std::uint64_t{id_} << 32 | token_of(of, 0); }
    duration some_time() { return up_to(world_.chance(), world_.faults().kernel_delay_max); }
    int one_of(std::span<const int> errors) { return errors[world_.chance().below(errors.size())]; }

    sim_network& network_;
    sim_world& world_;
    const std::string name_;
    const std::uint32_t id_;
    const event_loop* loop_ = nullptr;
    std::vector<slot> slots_;
    std::vector<std::uint32_t> free_slots_;
    std::size_t pending_count_ = 0;
    std::uint64_t last_number_ = 0;
    bool is_rung_ = false;
    fault_plan::chance lost_rings_ = 0;
    std::vector<place> started_;          // in this order, when they are submitted
    std::vector<std::uint64_t> cancels_;  // tokens; the same
    std::vector<completion> completed_;   // not reaped
    std::vector<std::byte> gathered_;     // scratch of copy()
};

}  // namespace sluice::testing
