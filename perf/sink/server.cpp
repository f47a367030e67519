#include "sink/server.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <stdexcept>
#include <system_error>

namespace sluice::sink {
namespace {

// Below that, one receive that copies is cheaper than two that do not.
constexpr std::size_t skip_min = 4 << 10;
// What is read of one connection before the others are looked at.
constexpr std::size_t turn_size = 1 << 20;
// Sent answers are cut off from the front of their buffer at this size.
constexpr std::size_t sent_max = 64 << 10;

// What epoll tells of: connections have ids from `first_connection_id` on, listeners their place below.
constexpr std::uint64_t signal_id = 0;
constexpr std::uint64_t first_listener_id = 1;
constexpr std::uint64_t first_connection_id = 1000;

[[noreturn]] void throw_error(const std::string& what) {
    throw std::system_error(errno, std::generic_category(), what);
}

void check(bool is_good, const char* what) {
    if (!is_good) throw_error(what);
}

double seconds(const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

}  // namespace

struct server::connection {
    int fd;
    std::uint64_t id;
    request_reader requests;
    std::size_t sent = 0;      // of the answers
    std::size_t sendable = 0;  // up to there they are due
    bool waits_for_room = false;
    // With --delay-ms: answers up to `end` are due at `when`.
    struct late_answer {
        std::size_t end;
        clock::time_point when;
    };
    std::deque<late_answer> late{};
};

server::server(const server_options& options, topics& all) : options_(options), topics_(all) {
    last_id_ = first_connection_id;
    check((epoll_ = ::epoll_create1(EPOLL_CLOEXEC)) >= 0, "epoll_create1");
    sigset_t handled;
    sigemptyset(&handled);
    for (const int each : {SIGTERM, SIGINT, SIGUSR1}) sigaddset(&handled, each);
    check((signals_ = ::signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK)) >= 0, "signalfd");
    watch(signals_, signal_id, EPOLLIN, EPOLL_CTL_ADD);
    counts_.refuse_after = options.refuse_after;
    resolve();
    for (std::size_t broker = 0; broker < options.brokers; ++broker) {
        listen(options.port == 0 ? std::uint16_t{0} : static_cast<std::uint16_t>(options.port + broker));
    }
    rare_ = std::make_unique<rare_requests>(all, options.host, ports_);
}

server::~server() {
    for (const auto& [id, each] : connections_) ::close(each->fd);
    for (const int each : listeners_) ::close(each);
    ::close(signals_);
    ::close(epoll_);
}

void server::resolve() {
    addrinfo wanted{};
    wanted.ai_family = AF_INET;
    wanted.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (const int error = ::getaddrinfo(options_.host.c_str(), nullptr, &wanted, &found); error != 0) {
        throw std::runtime_error(
            fmt::format("--host {}: {}; an IPv4 address of this machine is needed, or a name of one",
                        options_.host, ::gai_strerror(error)));
    }
    address_ = reinterpret_cast<const sockaddr_in*>(found->ai_addr)->sin_addr;
    ::freeaddrinfo(found);
}

void server::listen(std::uint16_t port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    check(fd >= 0, "socket");
    listeners_.push_back(fd);
    const int on = 1;
    check(::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0, "SO_REUSEADDR");
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr = address_;
    const bool is_bound = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    if (!is_bound) throw_error(fmt::format("{}:{}", options_.host, port));
    check(::listen(fd, SOMAXCONN) == 0, "listen");
    socklen_t size = sizeof address;
    check(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0, "getsockname");
    ports_.push_back(ntohs(address.sin_port));
    watch(fd, first_listener_id + listeners_.size() - 1, EPOLLIN, EPOLL_CTL_ADD);
}

std::string server::bootstrap() const {
    std::string text;
    for (const std::uint16_t port : ports_)
        text += fmt::format("{}{}:{}", text.empty() ? "" : ",", options_.host, port);
    return text;
}

void server::watch(int fd, std::uint64_t id, std::uint32_t events, int operation) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = id;
    check(::epoll_ctl(epoll_, operation, fd, &event) == 0, "epoll_ctl");
}

void server::run() {
    while (!is_ended_) {
        wait_for_events();
        send_late();
    }
}

void server::wait_for_events() {
    std::array<epoll_event, 64> events;
    timespec left{};
    if (!late_.empty()) {
        const auto until = std::max(late_.front().when - clock::now(), clock::duration::zero());
        const auto nanoseconds = std::chrono::duration_cast<std::chrono::nanoseconds>(until).count();
        left.tv_sec = nanoseconds / 1'000'000'000;
        left.tv_nsec = nanoseconds % 1'000'000'000;
    }
    const int count = ::epoll_pwait2(epoll_, events.data(), static_cast<int>(events.size()),
                                     late_.empty() ? nullptr : &left, nullptr);
    check(count >= 0 || errno == EINTR, "epoll_pwait2");
    for (int i = 0; i < count; ++i) {
        const epoll_event& event = events[static_cast<std::size_t>(i)];
        const std::uint64_t id = event.data.u64;
        if (id == signal_id) {
            handle_signal();
        } else if (id < first_connection_id) {
            accept(listeners_[id - first_listener_id]);
        } else if (const auto found = connections_.find(id); found != connections_.end()) {
            connection& of = *found->second;
            const bool is_readable = (event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0;
            if ((is_readable && !read(of)) || !send_answers(of)) close(of);
        }
    }
}

void server::handle_signal() {
    signalfd_siginfo signal;
    while (::read(signals_, &signal, sizeof signal) == sizeof signal) {
        if (signal.ssi_signo == SIGUSR1) {
            fmt::print("{}\n", report());
            std::fflush(stdout);
        } else {
            is_ended_ = true;
        }
    }
}

void server::accept(int listener) {
    const int fd = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    const int on = 1;
    (void)::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ++counts_.connections;
    auto made = std::make_unique<connection>(fd, ++last_id_, request_reader(topics_, *rare_, counts_));
    watch(fd, made->id, EPOLLIN, EPOLL_CTL_ADD);
    connections_.emplace(made->id, std::move(made));
}

// False when the connection is over.
bool server::read(connection& from) {
    for (std::size_t left = turn_size; left > 0;) {
        const std::size_t skippable = from.requests.skippable();
        const bool skips = skippable >= skip_min;
        const std::span<std::byte> room = from.requests.room();
        const std::size_t size = skips ? std::min(skippable, left) : room.size();
        // MSG_TRUNC on TCP takes bytes off the queue and copies none of them (tcp(7)).
        const ssize_t count = ::recv(from.fd, skips ? nullptr : room.data(), size,
                                     skips ? MSG_TRUNC | MSG_DONTWAIT : MSG_DONTWAIT);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return true;
        if (count <= 0) return false;
        const auto got = static_cast<std::size_t>(count);
        if (!(skips ? from.requests.skipped(got) : from.requests.received(got))) {
            ++counts_.errors;
            fmt::print(stderr, "sluice-sink: connection closed: {}\n", from.requests.error());
            return false;
        }
        if (got < size) return true;
        left -= std::min(left, got);
    }
    return true;
}

// Sends what is due, as far as the socket takes it. False when the connection is over.
bool server::send_answers(connection& to) {
    auto& answers = to.requests.answers();
    auto& ends = to.requests.answer_ends();
    if (!ends.empty()) {
        if (options_.delay.count() == 0) {
            to.sendable = ends.back().end;
        } else {
            const clock::time_point now = clock::now();
            for (const auto& each : ends) {
                // Answers stay in order: one that is not late waits for the late ones before it.
                if (!each.is_late && to.late.empty()) {
                    to.sendable = each.end;
                    continue;
                }
                to.late.push_back({each.end, now + options_.delay});
                late_.push_back({now + options_.delay, to.id});
            }
        }
        ends.clear();
    }
    while (to.sent < to.sendable) {
        const ssize_t count =
            ::send(to.fd, answers.data() + to.sent, to.sendable - to.sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            if (!to.waits_for_room) watch(to.fd, to.id, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
            to.waits_for_room = true;
            return true;
        }
        if (count < 0) return false;
        to.sent += static_cast<std::size_t>(count);
    }
    if (to.waits_for_room) watch(to.fd, to.id, EPOLLIN, EPOLL_CTL_MOD);
    to.waits_for_room = false;
    if (to.sent == answers.size()) {
        answers.clear();
        to.sent = to.sendable = 0;
    } else if (to.sent > sent_max) {
        answers.erase(answers.begin(), answers.begin() + static_cast<std::ptrdiff_t>(to.sent));
        for (auto& each : to.late) each.end -= to.sent;
        to.sendable -= to.sent;
        to.sent = 0;
    }
    return true;
}

void server::send_late() {
    if (late_.empty()) return;
    const clock::time_point now = clock::now();
    while (!late_.empty() && late_.front().when <= now) {
        const auto found = connections_.find(late_.front().connection_id);
        late_.pop_front();
        if (found == connections_.end()) continue;
        connection& to = *found->second;
        while (!to.late.empty() && to.late.front().when <= now) {
            to.sendable = to.late.front().end;
            to.late.pop_front();
        }
        if (!send_answers(to)) close(to);
    }
}

void server::close(connection& which) {
    ::close(which.fd);
    connections_.erase(which.id);
}

std::string server::report() const {
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    std::vector<std::string> by_topic, by_partition, by_codec;
    for (const topic& each : topics_.all()) {
        by_topic.push_back(fmt::format("\"{}\":{}", each.name, each.record_count));
        by_partition.push_back(fmt::format("\"{}\":[{}]", each.name, fmt::join(each.next_offsets, ",")));
    }
    for (std::size_t codec = 0; codec < counts::codecs.size(); ++codec)
        by_codec.push_back(fmt::format("\"{}\":{}", counts::codecs[codec], counts_.batches_by_codec[codec]));
    const std::string partitions = fmt::format(R"(,"partitions":{{{}}})", fmt::join(by_partition, ","));
    return fmt::format(
        R"({{"records":{},"batches":{},"requests":{},"bytes":{},"connections":{},"errors":{},"cpu_s":{:.3f},)"
        R"("codecs":{{{}}},"acks":{{"0":{},"1":{},"all":{}}},"idempotent":{},"topics":{{{}}}{}}})",
        counts_.records, counts_.batches, counts_.requests, counts_.bytes, counts_.connections,
        counts_.errors, seconds(used.ru_utime) + seconds(used.ru_stime), fmt::join(by_codec, ","),
        counts_.requests_by_acks[0], counts_.requests_by_acks[1], counts_.requests_by_acks[2],
        counts_.idempotent_batches, fmt::join(by_topic, ","), options_.tells_partitions ? partitions : "");
}

}  // namespace sluice::sink
