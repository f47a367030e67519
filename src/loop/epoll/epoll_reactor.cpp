#include "loop/epoll/epoll_reactor.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/ensure.hpp"
#include "loop/system_clocks.hpp"
#include "loop/tcp_socket.hpp"

namespace sluice {

namespace {

constexpr std::uint32_t all_edges = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
constexpr std::uint64_t of_doorbell = ~std::uint64_t{0};  // an event's data; else the number of a socket

// Where a pending operation is found again: the number of its socket, and which of the four it is.
enum place_kind : std::uint64_t { a_connect, a_send, a_receive, an_accept };
constexpr std::uint64_t place_of(socket_id socket, place_kind kind) noexcept {
    return static_cast<std::uint64_t>(socket) << 2 | kind;
}

error_code last_error() noexcept {
    return {errno, boost::system::system_category()};
}

// The result of a system call on a non-blocking socket: >= 0, or -errno.
template <class Call>
int answer_of(Call call) noexcept {
    for (;;) {
        const auto answer = call();
        if (answer >= 0) return static_cast<int>(answer);
        if (errno != EINTR) return -errno;
    }
}

}  // namespace

result<std::unique_ptr<epoll_reactor>> epoll_reactor::make(const logger& log) {
    descriptor epoll(::epoll_create1(EPOLL_CLOEXEC));
    if (!epoll.is_open()) return last_error();
    auto bell = doorbell::make();
    if (!bell) return bell.error();
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;
    event.data.u64 = of_doorbell;
    if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, bell->handle(), &event) < 0) return last_error();
    return std::unique_ptr<epoll_reactor>(new epoll_reactor(std::move(epoll), std::move(*bell), log));
}

epoll_reactor::epoll_reactor(descriptor epoll, doorbell bell, const logger& log) noexcept
    : epoll_(std::move(epoll)), doorbell_(std::move(bell)), log_(log) {}

epoll_reactor::~epoll_reactor() {
    ensure(pending_count_ == 0);
}

result<socket_id> epoll_reactor::open(int family, const socket_options& options) {
    auto file = open_tcp_socket(family, options);
    if (!file) return file.error();
    slot opened;
    opened.file = std::move(*file);
    return slots_.add(std::move(opened));
}

// Watched from now on: what it is ready for is its first edge.
result<socket_id> epoll_reactor::adopt(descriptor file) {
    slot adopted;
    adopted.file = std::move(file);
    const socket_id socket = slots_.add(std::move(adopted));
    if (const int watched = watch(slots_[socket], socket); watched < 0) {
        slots_.remove(socket);
        return error_code(-watched, boost::system::system_category());
    }
    return socket;
}

void epoll_reactor::close(socket_id socket) noexcept {
    slot& closed = slots_[socket];
    ensure(closed.connecting == nullptr);
    ensure(closed.sending == nullptr);
    ensure(closed.receiving == nullptr);
    ensure(closed.accepting == nullptr);
    slots_.remove(socket);
}

void epoll_reactor::connect(socket_id socket, connect_operation& operation) noexcept {
    slot& of = slots_[socket];
    ensure(of.file.is_open());
    ensure(of.connecting == nullptr);
    ensure(of.sending == nullptr);
    begin(operation, place_of(socket, a_connect));
    const int called = ::connect(of.file.get(), operation.peer.address(), operation.peer.size());
    int answer = called == 0 ? 0 : -errno;
    if (answer == 0 || answer == -EINPROGRESS || answer == -EINTR) {
        if (const int watched = watch(of, socket); watched < 0) answer = watched;
    }
    if (answer == -EINPROGRESS || answer == -EINTR) {
        of.connecting = &operation;
    } else {
        complete(operation, answer);
    }
}

void epoll_reactor::send(socket_id socket, send_operation_base& operation) noexcept {
    slot& of = slots_[socket];
    ensure(of.file.is_open());
    ensure(of.connecting == nullptr);
    ensure(of.sending == nullptr);
    ensure(operation.message.msg_iovlen <= UIO_MAXIOV);
    begin(operation, place_of(socket, a_send));
    of.sending = &operation;
    if (of.may_be_writable) try_send(of);
}

void epoll_reactor::receive(socket_id socket, receive_operation& operation) noexcept {
    slot& of = slots_[socket];
    ensure(of.file.is_open());
    ensure(of.receiving == nullptr);
    ensure(!operation.buffer.empty());
    begin(operation, place_of(socket, a_receive));
    of.receiving = &operation;
    if (of.may_be_readable) try_receive(of);
}

void epoll_reactor::accept(socket_id socket, accept_operation& operation) noexcept {
    slot& of = slots_[socket];
    ensure(of.file.is_open());
    ensure(of.receiving == nullptr);
    ensure(of.accepting == nullptr);
    begin(operation, place_of(socket, an_accept));
    of.accepting = &operation;
    if (of.may_be_readable) try_accept(of);
}

void epoll_reactor::begin(io_operation& operation, std::uint64_t place) noexcept {
    ensure(!operation.is_pending);
    operation.is_pending = true;
    operation.of_reactor = place;
    ++pending_count_;
}

void epoll_reactor::complete(io_operation& operation, int answer) noexcept {
    operation.result = answer;
    done_.push(operation);
}

void epoll_reactor::cancel(io_operation& operation) noexcept {
    if (!operation.is_pending) return;
    slot& of = slots_[static_cast<socket_id>(operation.of_reactor >> 2)];
    if (of.connecting == &operation) {
        of.connecting = nullptr;
    } else if (of.sending == &operation) {
        of.sending = nullptr;
    } else if (of.receiving == &operation) {
        of.receiving = nullptr;
    } else if (of.accepting == &operation) {
        of.accepting = nullptr;
    } else {
        return;  // completed; its callback is on the way
    }
    complete(operation, -ECANCELED);
}

int epoll_reactor::watch(slot& watched, socket_id socket) noexcept {
    watched.may_be_readable = false;
    watched.may_be_writable = false;
    watched.has_ended = false;
    if (watched.is_watched) return 0;
    epoll_event event{};
    event.events = all_edges;
    event.data.u64 = static_cast<std::uint64_t>(socket);
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, watched.file.get(), &event) < 0) return -errno;
    watched.is_watched = true;
    return 0;
}

void epoll_reactor::submit() noexcept {
    if (!done_.empty() && is_hosted_) doorbell_.ring();
}

void epoll_reactor::submit_and_wait(time_point deadline, completion_list& completed) noexcept {
    // Operations that were done when they were started need no system call to be handed over. But every
    // second time the sockets are looked at, however many such operations there are.
    const bool is_call_saved = !done_.empty() && did_poll_;
    did_poll_ = !is_call_saved;
    if (!is_call_saved) {
        std::array<epoll_event, 128> events;
        const duration wait = done_.empty() ? time_until(deadline) : duration::zero();
        const int count = wait_for_events(events.data(), static_cast<int>(events.size()), wait);
        for (int i = 0; i < count; ++i) {
            const epoll_event& event = events[static_cast<std::size_t>(i)];
            if (event.data.u64 == of_doorbell) continue;  // it has woken us, and that is all
            on_events(slots_[static_cast<socket_id>(event.data.u64)], event.events);
        }
    }
    while (io_operation* operation = done_.pop()) {
        --pending_count_;
        completed.push(*operation);
    }
}

int epoll_reactor::wait_for_events(epoll_event* events, int count_max, duration wait) noexcept {
    using namespace std::chrono;
    const bool is_limited = wait != duration::max();
    if (waits_precisely_) {
        const auto whole = duration_cast<seconds>(wait);
        const timespec limit{whole.count(), nanoseconds(wait - whole).count()};
        const int count =
            ::epoll_pwait2(epoll_.get(), events, count_max, is_limited ? &limit : nullptr, nullptr);
        if (count >= 0 || errno == EINTR) return count;
        // Kernels before 5.11 do not have it, and filters of system calls may not know it.
        log_.debug("no epoll_pwait2 here ({}): deadlines are kept to the millisecond",
                   last_error().message());
        waits_precisely_ = false;
    }
    const int limit_ms = is_limited ? static_cast<int>(ceil<milliseconds>(wait).count()) : -1;
    const int count = ::epoll_wait(epoll_.get(), events, count_max, limit_ms);
    if (count >= 0 || errno == EINTR) return count;
    log_.error("epoll_wait failed: {}", last_error().message());
    ensure(count >= 0);
    return 0;
}

void epoll_reactor::on_events(slot& of, std::uint32_t events) noexcept {
    const bool has_failed = (events & (EPOLLERR | EPOLLHUP)) != 0;
    if (has_failed || (events & EPOLLRDHUP) != 0) of.has_ended = true;
    if (has_failed || (events & EPOLLOUT) != 0) {
        of.may_be_writable = true;
        if (of.connecting != nullptr) finish_connect(of);
        if (of.sending != nullptr) try_send(of);
    }
    if (of.has_ended || (events & EPOLLIN) != 0) {
        of.may_be_readable = true;
        if (of.receiving != nullptr) try_receive(of);
        if (of.accepting != nullptr) try_accept(of);
    }
}

void epoll_reactor::finish_connect(slot& of) noexcept {
    int error = 0;
    socklen_t size = sizeof error;
    if (::getsockopt(of.file.get(), SOL_SOCKET, SO_ERROR, &error, &size) < 0) error = errno;
    complete(*std::exchange(of.connecting, nullptr), -error);
}

void epoll_reactor::try_send(slot& of) noexcept {
    const int answer = answer_of(
        [&of] { return ::sendmsg(of.file.get(), &of.sending->message, MSG_NOSIGNAL | MSG_DONTWAIT); });
    if (answer == -EAGAIN) {
        of.may_be_writable = false;
        return;
    }
    complete(*std::exchange(of.sending, nullptr), answer);
}

void epoll_reactor::try_receive(slot& of) noexcept {
    const mutable_bytes buffer = of.receiving->buffer;
    const int answer =
        answer_of([&] { return ::recv(of.file.get(), buffer.data(), buffer.size(), MSG_DONTWAIT); });
    // Less than asked for: the socket was empty then, and what comes later comes with an edge. The end of the
    // stream has had its edge.
    const bool was_emptied =
        answer == -EAGAIN || (answer > 0 && static_cast<std::size_t>(answer) < buffer.size());
    if (was_emptied && !of.has_ended) of.may_be_readable = false;
    if (answer == -EAGAIN) return;
    complete(*std::exchange(of.receiving, nullptr), answer);
}

void epoll_reactor::try_accept(slot& of) noexcept {
    const int answer =
        answer_of([&of] { return ::accept4(of.file.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC); });
    if (answer == -EAGAIN) {
        of.may_be_readable = false;
        return;
    }
    complete(*std::exchange(of.accepting, nullptr), answer);
}

int epoll_reactor::native_handle() const noexcept {
    if (!std::exchange(is_hosted_, true)) doorbell_.ring();  // the host has a first turn run
    return epoll_.get();
}

time_point epoll_reactor::now() const noexcept {
    return steady_now();
}
wall_time epoll_reactor::wall_now() const noexcept {
    return wall_clock_now();
}

}  // namespace sluice
