// The reactor on io_uring(7).
//
//   SQ 256, CQ 1024 entries; one io_uring_enter a turn: what it started goes in, what completed comes out.
//
// An operation's tag (`user_data`) is not its address but its place: socket number and direction. A
// completion finds its operation in the socket's slot, and at most one of a kind is pending, so a tag never
// leads to freed memory.
//
// Owner: the thread that first submits or waits; the kernel refuses others. A loop that is destroyed, or run
// again, on another thread gets a new ring there, and what was pending ends with -ECANCELED (move_here).
#pragma once

#include <atomic>
#include <memory>

#include "base/log.hpp"
#include "loop/doorbell.hpp"
#include "loop/reactor.hpp"
#include "loop/slot_table.hpp"
#include "loop/uring/kernel_ring.hpp"

namespace sluice {

class uring_reactor final : public reactor {
public:
    // Errors: the errno of io_uring_setup(2) or eventfd(2).
    static result<std::unique_ptr<uring_reactor>> make(const logger& log);
    ~uring_reactor() override;

    const ring_request& size_and_flags() const noexcept { return ring_->size_and_flags(); }

    reactor_kind kind() const noexcept override { return reactor_kind::uring; }
    result<socket_id> open(int family, const socket_options& options) override;
    result<socket_id> adopt(descriptor file) override;
    int file_of(socket_id socket) const noexcept override { return slots_[socket].file.get(); }
    void close(socket_id socket) noexcept override;
    void connect(socket_id socket, connect_operation& operation) noexcept override;
    void send(socket_id socket, send_operation_base& operation) noexcept override;
    void receive(socket_id socket, receive_operation& operation) noexcept override;
    void accept(socket_id socket, accept_operation& operation) noexcept override;
    void cancel(io_operation& operation) noexcept override;
    std::size_t pending_count() const noexcept override { return pending_count_; }
    void submit_and_wait(time_point deadline, completion_list& completed) noexcept override;
    void submit() noexcept override;
    void ring() noexcept override;
    // An eventfd that the ring rings: a ring of this kind never wakes who watches its own descriptor.
    int native_handle() const noexcept override;
    time_point now() const noexcept override;
    wall_time wall_now() const noexcept override;

private:
    enum direction : unsigned { incoming, outgoing };  // receive or accept; connect or send
    struct slot {
        descriptor file;
        bool is_registered = false;
        io_operation* pending[2] = {nullptr, nullptr};
        bool is_cancel_wanted[2] = {false, false};  // and no entry was free to say so
    };

    uring_reactor(std::unique_ptr<kernel_ring> made, doorbell bell, const logger& log);

    template <class Prepare>
    void start(socket_id socket, direction way, io_operation& operation, Prepare prepare) noexcept;
    bool submit_cancel(std::uint64_t tag) noexcept;
    io_uring_sqe* next_entry() noexcept;
    void enable() noexcept;
    void arm_doorbell() noexcept;
    void submit_late_cancels() noexcept;
    bool is_host_rung_before_wait() noexcept;
    void take(const io_uring_cqe& completion) noexcept;
    void complete(slot& of, direction way, int answer) noexcept;
    void check(int answer) noexcept;
    void move_here() noexcept;
    void set_up_ring() noexcept;
    bool register_file(std::size_t index, int file) noexcept;

    std::unique_ptr<kernel_ring> ring_;
    doorbell doorbell_;
    mutable doorbell host_bell_;  // made when a host asks for it
    mutable std::atomic<const doorbell*> host_bell_to_ring_{nullptr};
    std::atomic<bool> waits_despite_host_{false};
    logger log_;
    slot_table<slot> slots_;
    completion_list done_;  // completed, and counted as pending until submit_and_wait hands them over
    std::size_t pending_count_ = 0;
    std::size_t late_cancel_count_ = 0;
    bool is_enabled_ = false;
    bool is_doorbell_armed_ = false;
    bool has_file_table_ = false;
};

}  // namespace sluice
