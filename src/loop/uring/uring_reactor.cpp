#include "loop/uring/uring_reactor.hpp"

#include <poll.h>

#include <algorithm>
#include <limits>
#include <thread>

#include "base/ensure.hpp"
#include "loop/system_clocks.hpp"
#include "loop/tcp_socket.hpp"

namespace sluice {

namespace {

using namespace std::chrono_literals;

constexpr unsigned registered_files_max = 512;

// What completions are tagged with. The lowest two bits say what the rest is.
enum tag_kind : std::uint64_t { of_incoming, of_outgoing, of_doorbell, of_cancel };
constexpr std::uint64_t kind_mask = 3;

constexpr std::uint64_t tag_of(socket_id socket, unsigned way) noexcept {
    return static_cast<std::uint64_t>(socket) << 2 | way;
}

error_code error_of(int number) noexcept {
    return {number, boost::system::system_category()};
}

// Lets a pending receive find the end of the stream and nothing before it, whenever the kernel looks.
void silence_socket(int file) noexcept {
    int is_listening = 0;
    socklen_t size = sizeof is_listening;
    ::getsockopt(file, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &size);
    if (is_listening != 0) return;  // an accept moves no bytes, and others may be waiting for theirs
    ::shutdown(file, SHUT_RDWR);
    while (::recv(file, nullptr, std::numeric_limits<int>::max(), MSG_DONTWAIT | MSG_TRUNC) > 0) {}
}

}  // namespace

result<std::unique_ptr<uring_reactor>> uring_reactor::make(const logger& log) {
    auto made = kernel_ring::make();
    if (!made) return made.error();
    auto bell = doorbell::make();
    if (!bell) return bell.error();
    return std::unique_ptr<uring_reactor>(new uring_reactor(std::move(*made), std::move(*bell), log));
}

uring_reactor::uring_reactor(std::unique_ptr<kernel_ring> made, doorbell bell, const logger& log)
    : ring_(std::move(made)), doorbell_(std::move(bell)), log_(log) {
    set_up_ring();
}

uring_reactor::~uring_reactor() {
    ensure(pending_count_ == 0);
}

void uring_reactor::set_up_ring() noexcept {
    is_enabled_ = false;
    is_doorbell_armed_ = false;
    // Refused where the limit of open files is lower: plain descriptors do as well, a little slower.
    has_file_table_ = ring_->reserve_files(registered_files_max) >= 0;
}

bool uring_reactor::register_file(std::size_t index, int file) noexcept {
    if (!has_file_table_ || index >= registered_files_max) return false;
    return ring_->set_file(static_cast<unsigned>(index), file) >= 0;
}

result<socket_id> uring_reactor::open(int family, const socket_options& options) {
    auto file = open_tcp_socket(family, options);
    if (!file) return file.error();
    return adopt(std::move(*file));
}

result<socket_id> uring_reactor::adopt(descriptor file) {
    const bool is_registered = register_file(slots_.next_index(), file.get());
    slot opened;
    opened.file = std::move(file);
    opened.is_registered = is_registered;
    return slots_.add(std::move(opened));
}

void uring_reactor::close(socket_id socket) noexcept {
    slot& closed = slots_[socket];
    ensure(closed.pending[incoming] == nullptr);
    ensure(closed.pending[outgoing] == nullptr);
    bool may_be_reused = true;
    if (closed.is_registered) {
        // The table may keep the file for a while (before kernel 6.13: as long as operations of other sockets
        // that were started earlier), and the peer has to learn that we are gone.
        ::shutdown(closed.file.get(), SHUT_RDWR);
        // On another thread than the ring's the table stays as it is, and so does the place in it.
        may_be_reused = register_file(slots_.index_of(socket), -1);
    }
    slots_.remove(socket, may_be_reused);
}

void uring_reactor::connect(socket_id socket, connect_operation& operation) noexcept {
    start(socket, outgoing, operation, [&operation](io_uring_sqe* entry, int file) {
        ::io_uring_prep_connect(entry, file, operation.peer.address(), operation.peer.size());
    });
}

void uring_reactor::send(socket_id socket, send_operation_base& operation) noexcept {
    ensure(operation.message.msg_iovlen <= UIO_MAXIOV);
    start(socket, outgoing, operation, [&operation](io_uring_sqe* entry, int file) {
        ::io_uring_prep_sendmsg(entry, file, &operation.message, MSG_NOSIGNAL);
    });
}

void uring_reactor::receive(socket_id socket, receive_operation& operation) noexcept {
    ensure(!operation.buffer.empty());
    start(socket, incoming, operation, [&operation](io_uring_sqe* entry, int file) {
        const std::size_t size_max = std::numeric_limits<int>::max();
        ::io_uring_prep_recv(entry, file, operation.buffer.data(),
                             std::min(operation.buffer.size(), size_max), 0);
        // An answer is hardly ever there already: do not try before waiting for it.
        entry->ioprio |= IORING_RECVSEND_POLL_FIRST;
    });
}

void uring_reactor::accept(socket_id socket, accept_operation& operation) noexcept {
    start(socket, incoming, operation, [](io_uring_sqe* entry, int file) {
        ::io_uring_prep_accept(entry, file, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    });
}

template <class Prepare>
void uring_reactor::start(socket_id socket, direction way, io_operation& operation,
                          Prepare prepare) noexcept {
    ensure(!operation.is_pending);
    ensure(slots_[socket].file.is_open());
    ensure(slots_[socket].pending[way] == nullptr);
    operation.is_pending = true;
    operation.of_reactor = tag_of(socket, way);
    ++pending_count_;
    io_uring_sqe* entry = next_entry();
    if (entry == nullptr) {
        operation.result = -ENOBUFS;
        done_.push(operation);
        return;
    }
    slot& started = slots_[socket];
    started.pending[way] = &operation;
    prepare(entry, started.is_registered ? static_cast<int>(socket) : started.file.get());
    if (started.is_registered) entry->flags |= IOSQE_FIXED_FILE;
    entry->user_data = operation.of_reactor;
}

void uring_reactor::cancel(io_operation& operation) noexcept {
    if (!operation.is_pending) return;
    const auto way = operation.of_reactor & kind_mask;
    slot& started = slots_[static_cast<socket_id>(operation.of_reactor >> 2)];
    if (started.pending[way] != &operation) return;  // completed; its callback is on the way
    if (submit_cancel(operation.of_reactor) || started.is_cancel_wanted[way]) return;
    started.is_cancel_wanted[way] = true;
    ++late_cancel_count_;
}

bool uring_reactor::submit_cancel(std::uint64_t tag) noexcept {
    io_uring_sqe* entry = next_entry();
    if (entry == nullptr) return false;
    ::io_uring_prep_cancel64(entry, tag, 0);
    entry->flags |= IOSQE_CQE_SKIP_SUCCESS;
    entry->user_data = of_cancel;
    return true;
}

void uring_reactor::submit_late_cancels() noexcept {
    for (std::size_t i = 0; late_cancel_count_ > 0; ++i) {
        const auto socket = static_cast<socket_id>(i);
        for (const direction way : {incoming, outgoing}) {
            if (!std::exchange(slots_[socket].is_cancel_wanted[way], false)) continue;
            --late_cancel_count_;
            if (submit_cancel(tag_of(socket, way))) continue;
            slots_[socket].is_cancel_wanted[way] = true;
            ++late_cancel_count_;
            return;
        }
    }
}

// nullptr: the queue is full and the kernel takes nothing just now.
io_uring_sqe* uring_reactor::next_entry() noexcept {
    if (io_uring_sqe* entry = ring_->next_entry()) return entry;
    submit();
    return ring_->next_entry();
}

void uring_reactor::enable() noexcept {
    if (is_enabled_) [[likely]]
        return;
    const int answer = ring_->enable();
    ensure(answer >= 0);
    is_enabled_ = true;
}

void uring_reactor::arm_doorbell() noexcept {
    if (is_doorbell_armed_) [[likely]]
        return;
    io_uring_sqe* entry = next_entry();
    if (entry == nullptr) return;  // at the next wait then, which this makes short
    // Reports each ring, and at once if it was rung before.
    ::io_uring_prep_poll_multishot(entry, doorbell_.handle(), POLLIN);
    entry->user_data = of_doorbell;
    is_doorbell_armed_ = true;
}

void uring_reactor::submit() noexcept {
    enable();
    if (ring_->has_entries()) check(ring_->submit());
    if (!done_.empty() && host_bell_.is_open()) host_bell_.ring();
}

void uring_reactor::submit_and_wait(time_point deadline, completion_list& completed) noexcept {
    // Before the ring is looked at: what comes later rings again.
    const bool was_host_rung = host_bell_.is_open() && host_bell_.silence();
    enable();
    arm_doorbell();
    if (late_cancel_count_ > 0) submit_late_cancels();

    const bool may_wait = done_.empty() && is_doorbell_armed_ && !was_host_rung;
    const duration wait = may_wait ? time_until(deadline) : duration::zero();
    if (wait > duration::zero() && !is_host_rung_before_wait()) {
        check(ring_->submit_and_wait(wait));
        waits_despite_host_.store(false, std::memory_order_relaxed);
    } else if (ring_->has_entries() || ring_->holds_back_completions()) {
        check(ring_->submit_and_fetch());
    }
    ring_->take_completions([this](const io_uring_cqe& completion) { take(completion); });
    while (io_operation* operation = done_.pop()) {
        --pending_count_;
        completed.push(*operation);
    }
    // An overflow of the queue ends the doorbell's poll. The next wait arms it again: let a host come to it.
    if (!is_doorbell_armed_ && host_bell_.is_open()) host_bell_.ring();
}

// A host waits for its bell, not for the ring, and rings come to it directly: by way of the ring they would
// arrive a grace period of the kernel later, since an eventfd must not ring another one. If the loop waits in
// the ring all the same, it says so and looks at the bell; who rings looks the other way round.
void uring_reactor::ring() noexcept {
    if (const doorbell* bell = host_bell_to_ring_.load(std::memory_order_acquire)) {
        bell->ring();
        if (!waits_despite_host_.load(std::memory_order_seq_cst)) return;
    }
    doorbell_.ring();
}

bool uring_reactor::is_host_rung_before_wait() noexcept {
    if (!host_bell_.is_open()) return false;
    waits_despite_host_.store(true, std::memory_order_seq_cst);
    return host_bell_.silence();
}

void uring_reactor::take(const io_uring_cqe& completion) noexcept {
    const std::uint64_t tag = completion.user_data;
    const auto kind = tag & kind_mask;
    if (kind == of_cancel) return;  // it came too late: the operation itself says what happened
    if (kind == of_doorbell) {
        is_doorbell_armed_ = (completion.flags & IORING_CQE_F_MORE) != 0;
        return;
    }
    complete(slots_[static_cast<socket_id>(tag >> 2)], static_cast<direction>(kind), completion.res);
}

void uring_reactor::complete(slot& of, direction way, int answer) noexcept {
    io_operation* operation = std::exchange(of.pending[way], nullptr);
    ensure(operation != nullptr);
    if (std::exchange(of.is_cancel_wanted[way], false)) --late_cancel_count_;
    operation->result = answer;
    done_.push(*operation);
}

// What the ring's system calls answer.
void uring_reactor::check(int answer) noexcept {
    switch (-answer) {
        case ETIME:   // the deadline
        case EINTR:   // a signal
        case EAGAIN:  // no memory just now, or
        case EBUSY:   // too many completions held back: what was not taken is submitted again next time
            return;
        case EEXIST: return move_here();
        default: break;
    }
    if (answer >= 0) return;
    log_.error("io_uring_enter failed: {}", error_of(-answer).message());
    ensure(answer >= 0);
}

// The ring belongs to another thread, which has left the loop. It moves bytes for nobody else's system calls,
// so closing the ring ends what is pending; a receive that the old thread's kernel side still runs finds the
// end of the stream.
void uring_reactor::move_here() noexcept {
    ring_->take_completions([this](const io_uring_cqe& completion) { take(completion); });
    std::size_t cancelled = 0;
    for (slot& each : slots_) {
        for (const direction way : {incoming, outgoing}) {
            if (each.pending[way] == nullptr) continue;
            silence_socket(each.file.get());
            complete(each, way, -ECANCELED);
            ++cancelled;
        }
    }
    log_.info("the loop moved to another thread: a new ring, {} pending operations cancelled", cancelled);

    ring_.reset();
    auto made = kernel_ring::make();
    // The kernel frees the old ring, and what it counted as locked memory, in the background.
    for (int i = 0; i < 100 && !made && made.error() == boost::system::errc::not_enough_memory; ++i) {
        std::this_thread::sleep_for(10ms);
        made = kernel_ring::make();
    }
    if (!made) log_.error("no new ring: {}", made.error().message());
    ensure(made.has_value());
    ring_ = std::move(*made);
    set_up_ring();
    if (host_bell_.is_open()) ring_->set_eventfd(host_bell_.handle());
    std::size_t index = 0;
    for (slot& each : slots_) {
        if (each.is_registered) each.is_registered = register_file(index, each.file.get());
        ++index;
    }
    enable();
}

int uring_reactor::native_handle() const noexcept {
    if (host_bell_.is_open()) return host_bell_.handle();
    // Rung once already: the host has a first turn run.
    auto made = doorbell::make(1);
    const int answer = made ? ring_->set_eventfd(made->handle()) : -made.error().value();
    if (answer < 0) {
        log_.error("no eventfd for the host: {}", error_of(-answer).message());
        return -1;
    }
    host_bell_ = std::move(*made);
    host_bell_to_ring_.store(&host_bell_, std::memory_order_release);
    return host_bell_.handle();
}

time_point uring_reactor::now() const noexcept {
    return steady_now();
}
wall_time uring_reactor::wall_now() const noexcept {
    return wall_clock_now();
}

}  // namespace sluice
