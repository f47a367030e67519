// The border to the kernel: sockets that connect, send and receive, a doorbell, a clock.
//
// Three kinds: uring/ (io_uring), epoll/ (readiness, system calls of our own), and the simulated one of
// `testing`, which moves bytes late and fails operations by seed. Whatever is true of one is true of all:
//
//   start          a call here starts an operation; it stays in place, with its buffers, until its callback ran
//   completion     reaped inside submit_and_wait(), copied out, queued in `completed`; no callback runs in there
//   one of a kind  at most one send and one receive pend per socket (two sends may interleave their bytes)
//   close          not before every operation of that socket has completed; closing cancels nothing
//
// Owner: one loop; only ring() may be called from other threads.
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <cstdint>
#include <span>

#include "base/bytes.hpp"
#include "base/endpoint.hpp"
#include "base/time.hpp"
#include "loop/descriptor.hpp"
#include "sluice/error.hpp"
#include "sluice/reactor.hpp"

namespace sluice {

// One asynchronous operation. In place and unchanged from its start until `on_complete` ran; freeing it or
// what it points to earlier is a memory error that no sanitizer sees.
struct io_operation {
    using callback = void (*)(io_operation& self) noexcept;

    explicit io_operation(callback on_complete_) noexcept : on_complete(on_complete_) {}
    io_operation(const io_operation&) = delete;
    io_operation& operator=(const io_operation&) = delete;

    callback on_complete;  // runs in the completions phase of a turn
    int result = 0;        // >= 0: bytes (connect: 0); a receive of 0: end of stream; < 0: -errno
    bool is_pending =
        false;  // set by the reactor at the start, cleared by the loop before it calls `on_complete`
    io_operation* next = nullptr;  // the reactor's: list of completed operations
    std::uint64_t of_reactor = 0;  // the reactor's: what it needs to find the operation again
};

// Connects. The address stays in place for the kernel.
struct connect_operation : io_operation {
    using io_operation::io_operation;
    endpoint peer;
};

// Sends what the gathered pieces hold; may end short. The iovec array and the bytes stay in place.
struct send_operation_base : io_operation {
    using io_operation::io_operation;
    msghdr message{};
};

// Receives at least one byte into `buffer`, which is not empty.
struct receive_operation : io_operation {
    using io_operation::io_operation;
    mutable_bytes buffer;
};

// Accepts one connection of a listening socket. `result` is its descriptor then, non-blocking, which the callback owns.
struct accept_operation : io_operation {
    using io_operation::io_operation;
};

// Completed operations, oldest first. Filled by the reactor, emptied by the loop.
class completion_list {
public:
    void push(io_operation& operation) noexcept {
        operation.next = nullptr;
        (last_ == nullptr ? first_ : last_->next) = &operation;
        last_ = &operation;
    }
    io_operation* pop() noexcept {
        io_operation* operation = first_;
        if (operation != nullptr) {
            first_ = operation->next;
            if (first_ == nullptr) last_ = nullptr;
        }
        return operation;
    }
    bool empty() const noexcept { return first_ == nullptr; }

private:
    io_operation* first_ = nullptr;
    io_operation* last_ = nullptr;
};

// A socket of one reactor.
enum class socket_id : std::int32_t { none = -1 };

struct socket_options {
    int send_buffer_bytes = -1;     // SO_SNDBUF; -1 = the system's choice (send.buffer.bytes)
    int receive_buffer_bytes = -1;  // SO_RCVBUF
};

class reactor {
public:
    virtual ~reactor() = default;

    virtual reactor_kind kind() const noexcept = 0;

    // A non-blocking TCP socket with TCP_NODELAY and SO_KEEPALIVE (NET-3); not connected.
    virtual result<socket_id> open(int family, const socket_options& options) = 0;
    // Takes over a non-blocking socket that was made elsewhere: connected, to be connected, or listening.
    virtual result<socket_id> adopt(descriptor file);
    // Its descriptor; -1 where there is none.
    virtual int file_of(socket_id socket) const noexcept;
    // Gives the socket back. No operation of it may be pending (ensured).
    virtual void close(socket_id socket) noexcept = 0;

    // Starts. `operation` completes once, in a later turn, also when the error is known at once.
    virtual void connect(socket_id socket, connect_operation& operation) noexcept = 0;
    // At most 1024 pieces (UIO_MAXIOV). SIGPIPE is never raised.
    virtual void send(socket_id socket, send_operation_base& operation) noexcept = 0;
    virtual void receive(socket_id socket, receive_operation& operation) noexcept = 0;
    // In place of a receive: one of both pends.
    virtual void accept(socket_id socket, accept_operation& operation) noexcept;

    // Asks for an early end. The operation still completes exactly once: with -ECANCELED, or with what had
    // happened already (a cancelled send may have sent a part).
    virtual void cancel(io_operation& operation) noexcept = 0;

    // How many operations were started and not handed over in `completed` yet. A loop ends at 0 only.
    virtual std::size_t pending_count() const noexcept = 0;

    // Hands what was started to the kernel, then waits until something completes, the doorbell rings or
    // `deadline` comes; with a deadline in the past it does not wait. `never` waits without limit. Signals
    // end the wait early.
    virtual void submit_and_wait(time_point deadline, completion_list& completed) noexcept = 0;
    // The same without waiting and without reaping: what a hosted caller does after a burst of sends. The
    // handle gets readable if something completed at once.
    virtual void submit() noexcept = 0;

    // Wakes submit_and_wait, now or the next time. Any thread; async-signal-safe.
    virtual void ring() noexcept = 0;

    // Readable when a hosted loop has something to do (an eventfd, or the epoll fd); -1 in simulation. It is
    // readable after the first call, so that the host has a first turn run.
    virtual int native_handle() const noexcept = 0;

    // The clocks, here so that simulation can replace them.
    virtual time_point now() const noexcept = 0;
    virtual wall_time wall_now() const noexcept = 0;
};

}  // namespace sluice
