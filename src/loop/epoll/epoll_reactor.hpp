// The reactor on epoll(7), where io_uring is refused or too old.
//
//   watch     each socket once, from its connect on, for edges of everything: one epoll_ctl in its life
//   try       an operation runs its system call when it is started; if the socket is known not to be ready, at
//             the next edge
//   hand over what completed goes to the loop in submit_and_wait, as with io_uring
//
// Owner: one loop.
#pragma once

#include <sys/epoll.h>

#include <memory>

#include "base/log.hpp"
#include "loop/doorbell.hpp"
#include "loop/reactor.hpp"
#include "loop/slot_table.hpp"

namespace sluice {

class epoll_reactor final : public reactor {
public:
    // Errors: the errno of epoll_create(2) or eventfd(2).
    static result<std::unique_ptr<epoll_reactor>> make(const logger& log);
    ~epoll_reactor() override;

    reactor_kind kind() const noexcept override { return reactor_kind::epoll; }
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
    void ring() noexcept override { doorbell_.ring(); }
    int native_handle() const noexcept override;
    time_point now() const noexcept override;
    wall_time wall_now() const noexcept override;

private:
    struct slot {
        descriptor file;
        connect_operation* connecting = nullptr;
        send_operation_base* sending = nullptr;
        receive_operation* receiving = nullptr;
        accept_operation* accepting = nullptr;
        bool is_watched = false;
        // What the last edges and system calls say. Edges come only after a call found the socket not ready.
        bool may_be_readable = false;
        bool may_be_writable = false;
        bool has_ended = false;  // no edge will announce the end of the stream again
    };

    epoll_reactor(descriptor epoll, doorbell bell, const logger& log) noexcept;

    void begin(io_operation& operation, std::uint64_t place) noexcept;
    void complete(io_operation& operation, int answer) noexcept;
    int watch(slot& watched, socket_id socket) noexcept;
    void on_events(slot& of, std::uint32_t events) noexcept;
    void finish_connect(slot& of) noexcept;
    void try_send(slot& of) noexcept;
    void try_receive(slot& of) noexcept;
    void try_accept(slot& of) noexcept;
    int wait_for_events(epoll_event* events, int count_max, duration wait) noexcept;

    descriptor epoll_;
    doorbell doorbell_;
    logger log_;
    slot_table<slot> slots_;
    completion_list done_;  // completed, and counted as pending until submit_and_wait hands them over
    std::size_t pending_count_ = 0;
    bool did_poll_ = false;
    bool waits_precisely_ = true;  // epoll_pwait2(2) is there
    mutable bool is_hosted_ = false;
};

}  // namespace sluice
