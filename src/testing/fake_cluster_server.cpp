#include "sluice/testing/fake_cluster_server.hpp"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "base/endpoint.hpp"
#include "base/ensure.hpp"
#include "base/time.hpp"
#include "loop/system_clocks.hpp"
#include "testing/cluster_state.hpp"
#include "testing/server_connection.hpp"
#include "testing/server_socket.hpp"

namespace sluice::testing {
namespace {

// First come, first served: under load the server's thread would take a plain mutex again before anybody else
// wakes.
class fair_mutex {
public:
    void lock() {
        const std::lock_guard next(next_);
        held_.lock();
    }
    void unlock() { held_.unlock(); }

private:
    std::mutex next_;
    std::mutex held_;
};

//   id   0 wake   1 timer   2, 3, ... listener of node 1, 2, ...   2^20, ... connections, never used again
constexpr std::uint64_t wake_id = 0;
constexpr std::uint64_t timer_id = 1;
constexpr std::uint64_t first_listener_id = 2;
constexpr std::uint64_t first_connection_id = 1u << 20;
constexpr duration accept_pause = std::chrono::milliseconds(10);  // when no descriptors are left

}  // namespace

class fake_cluster_server::state {
public:
    explicit state(server_config config)
        : address_(config.address),
          cluster_(std::move(config.cluster)),
          poll_(::epoll_create1(EPOLL_CLOEXEC)),
          wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
          timer_(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)) {
        ensure(poll_);
        ensure(wake_);
        ensure(timer_);
        watch(wake_.get(), wake_id, EPOLLIN);
        watch(timer_.get(), timer_id, EPOLLIN);
        const auto since_zero =
            std::chrono::floor<std::chrono::milliseconds>(steady_now().time_since_epoch());
        const std::chrono::milliseconds wall_time(static_cast<std::int64_t>(wall_clock_now()));
        cluster_.state_->set_wall_time_at_zero(wall_time - since_zero);
        const auto count = static_cast<std::size_t>(cluster_.broker_count());
        ports_.resize(count);
        paces_.resize(count);
        for (std::size_t index = 0; index < count; ++index) open_port(index, config.first_port);
        thread_ = std::thread([this] { serve(); });
    }

    ~state() {
        {
            const std::lock_guard lock(mutex_);
            is_stopping_ = true;
        }
        const std::uint64_t one = 1;
        [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof one);
        thread_.join();
    }

    void run(const std::function<void(fake_cluster&)>& use) {
        const std::lock_guard lock(mutex_);
        use(cluster_);
        follow_cluster(steady_now());
        set_timer();
    }

    void slow(std::int32_t node, std::uint64_t bytes_per_second) {
        const std::lock_guard lock(mutex_);
        if (cluster_.state_->find_broker(node) == nullptr) return;
        read_pace& pace = paces_[static_cast<std::size_t>(node) - 1];
        pace.set(bytes_per_second);
        for (auto& [id, connection] : connections_) {
            if (connection.tcp.node() != node) continue;
            if (pace.is_limited()) connection.tcp.limit_receive_buffer();
            update(id, connection, steady_now());
        }
        set_timer();
    }

    std::string bootstrap() const {
        std::string all;
        for (const server_port& port : ports_) {
            if (!all.empty()) all += ',';
            all += host_port{address_, port.number()}.text();
        }
        return all;
    }

    std::uint16_t port(std::int32_t node) const noexcept {
        const auto index = static_cast<std::size_t>(node) - 1;
        return index < ports_.size() ? ports_[index].number() : std::uint16_t{0};
    }

    std::size_t connection_count() {
        const std::lock_guard lock(mutex_);
        return connections_.size();
    }

private:
    struct polled_connection {
        server_connection tcp;
        std::uint32_t events = 0;  // what is polled for
        time_point due = never;    // as it stands in due_
    };
    using connection_map = std::map<std::uint64_t, polled_connection>;

    void open_port(std::size_t index, std::uint16_t first_port) {
        const auto number = static_cast<std::uint16_t>(first_port == 0 ? 0 : first_port + index);
        server_port& port = ports_[index];
        error_code error = port.reserve(address_, number);
        if (!error) error = port.listen();
        if (error) {
            throw sluice::error(error, fmt::format("fake_cluster_server: cannot listen on {}: {}",
                                                   host_port{address_, number}.text(), error.message()));
        }
        cluster_.set_address(static_cast<std::int32_t>(index) + 1, address_, port.number());
        watch(port.listener(), first_listener_id + index, EPOLLIN);
    }

    void watch(int descriptor, std::uint64_t id, std::uint32_t events) noexcept {
        epoll_event event{.events = events, .data = {.u64 = id}};
        ::epoll_ctl(poll_.get(), EPOLL_CTL_ADD, descriptor, &event);
    }

    // ---- the thread
    void serve() {
        std::array<epoll_event, 256> events;
        while (true) {
            const int count = ::epoll_wait(poll_.get(), events.data(), static_cast<int>(events.size()), -1);
            const std::lock_guard lock(mutex_);
            if (is_stopping_) return;
            const time_point now = steady_now();
            for (int index = 0; index < count; ++index)
                on_event(events[static_cast<std::size_t>(index)], now);
            advance_due(now);
            resume_accepting(now);
            follow_cluster(now);
            set_timer();
        }
    }

    void on_event(const epoll_event& event, time_point now) {
        const std::uint64_t id = event.data.u64;
        if (id >= first_connection_id) {
            const auto found = connections_.find(id);
            if (found != connections_.end()) on_connection(found, event.events, now);
        } else if (id >= first_listener_id) {
            accept(id - first_listener_id, now);
        } else {
            std::uint64_t ignored = 0;
            [[maybe_unused]] const ssize_t read =
                ::read(id == wake_id ? wake_.get() : timer_.get(), &ignored, sizeof ignored);
        }
    }

    void accept(std::size_t index, time_point now) {
        server_port& port = ports_[index];
        while (port.is_listening()) {
            error_code error;
            server_socket accepted = port.accept(error);
            if (error) {  // no descriptors left: whoever gives one back may be anybody in this process
                ::epoll_ctl(poll_.get(), EPOLL_CTL_DEL, port.listener(), nullptr);
                accept_again_ = after(now, accept_pause);
                return;
            }
            if (!accepted) return;
            const std::uint64_t id = next_connection_id_++;
            const auto node = static_cast<std::int32_t>(index) + 1;
            server_connection made(std::move(accepted), fake_broker_connection(cluster_, node));
            if (paces_[index].is_limited()) made.limit_receive_buffer();
            polled_connection& added =
                connections_.emplace(id, polled_connection{std::move(made)}).first->second;
            watch(added.tcp.descriptor(), id, 0);
            update(id, added, now);
        }
    }

    void on_connection(connection_map::iterator found, std::uint32_t events, time_point now) {
        polled_connection& connection = found->second;
        if ((events & EPOLLOUT) != 0) connection.tcp.advance(now);
        if ((events & EPOLLIN) != 0) connection.tcp.read(now, pace_of(connection));
        if ((connection.events & EPOLLIN) == 0) {  // not read from now, so a read does not tell
            if ((events & EPOLLRDHUP) != 0) connection.tcp.peer_closed();
            if ((events & (EPOLLHUP | EPOLLERR)) != 0) connection.tcp.break_off();
        }
        finish_or_update(found, now);
    }

    void advance_due(time_point now) {
        while (!due_.empty() && due_.begin()->first <= now) {
            const auto found = connections_.find(due_.begin()->second);
            due_.erase(due_.begin());
            found->second.due = never;
            found->second.tcp.advance(now);
            finish_or_update(found, now);
        }
    }

    // Sockets become what the cluster says: brokers may have died or come back.
    void follow_cluster(time_point now) {
        if (liveness_version_ == cluster_.state_->liveness_version()) return;
        liveness_version_ = cluster_.state_->liveness_version();
        for (auto next = connections_.begin(); next != connections_.end();) {
            const auto found = next++;
            if (!cluster_.is_alive(found->second.tcp.node())) found->second.tcp.break_off();
            found->second.tcp.advance(now);
            finish_or_update(found, now);
        }
        for (std::size_t index = 0; index < ports_.size(); ++index) {
            const bool is_alive = cluster_.is_alive(static_cast<std::int32_t>(index) + 1);
            if (is_alive == ports_[index].is_listening()) continue;
            ports_[index].stop_listening();
            if (!is_alive) continue;
            const error_code error = ports_[index].listen();
            ensure(!error);  // the port is reserved
            watch(ports_[index].listener(), first_listener_id + index, EPOLLIN);
        }
    }

    // ---- a connection after something happened to it
    void finish_or_update(connection_map::iterator found, time_point now) {
        if (!found->second.tcp.is_done()) return update(found->first, found->second, now);
        set_due(found->first, found->second, never);
        found->second.tcp.finish();
        connections_.erase(found);
    }

    void resume_accepting(time_point now) {
        if (accept_again_ > now) return;
        accept_again_ = never;
        for (std::size_t index = 0; index < ports_.size(); ++index) {
            if (ports_[index].is_listening())
                watch(ports_[index].listener(), first_listener_id + index, EPOLLIN);
        }
    }

    void update(std::uint64_t id, polled_connection& connection, time_point now) {
        time_point due = connection.tcp.due();
        std::uint32_t events = connection.tcp.has_unsent() ? EPOLLOUT : 0u;
        if (!connection.tcp.is_closed_by_peer()) events |= EPOLLRDHUP;
        if (connection.tcp.wants_to_read()) {
            const time_point free_at = pace_of(connection).free_at();
            if (free_at <= now) {
                events |= EPOLLIN;
            } else {
                due = std::min(due, free_at);
            }
        }
        set_due(id, connection, due);
        if (connection.events == events) return;
        connection.events = events;
        epoll_event event{.events = events, .data = {.u64 = id}};
        ::epoll_ctl(poll_.get(), EPOLL_CTL_MOD, connection.tcp.descriptor(), &event);
    }

    void set_due(std::uint64_t id, polled_connection& connection, time_point due) {
        if (connection.due == due) return;
        if (connection.due != never) due_.erase({connection.due, id});
        connection.due = due;
        if (due != never) due_.emplace(due, id);
    }

    void set_timer() noexcept {
        const time_point wanted = std::min(due_.empty() ? never : due_.begin()->first, accept_again_);
        if (wanted == timer_set_to_) return;
        timer_set_to_ = wanted;
        itimerspec when{};
        if (wanted != never) {
            const auto nanoseconds = std::max<std::int64_t>(
                std::chrono::duration_cast<std::chrono::nanoseconds>(wanted.time_since_epoch()).count(), 1);
            when.it_value = {.tv_sec = nanoseconds / 1'000'000'000, .tv_nsec = nanoseconds % 1'000'000'000};
        }
        ::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
    }

    read_pace& pace_of(const polled_connection& connection) noexcept {
        return paces_[static_cast<std::size_t>(connection.tcp.node()) - 1];
    }

    const std::string address_;
    fair_mutex mutex_;  // of everything below that changes
    fake_cluster cluster_;
    std::vector<server_port> ports_;
    std::vector<read_pace> paces_;
    server_socket poll_;
    server_socket wake_;
    server_socket timer_;
    std::uint64_t next_connection_id_ = first_connection_id;
    connection_map connections_;
    std::set<std::pair<time_point, std::uint64_t>> due_;
    time_point timer_set_to_ = never;
    std::uint32_t liveness_version_ = 0;
    time_point accept_again_ = never;  // after descriptors ran out
    bool is_stopping_ = false;
    std::thread thread_;
};

fake_cluster_server::fake_cluster_server(server_config config)
    : state_(std::make_unique<state>(std::move(config))) {}
fake_cluster_server::~fake_cluster_server() = default;

std::string fake_cluster_server::bootstrap() const {
    return state_->bootstrap();
}
std::uint16_t fake_cluster_server::port(std::int32_t node) const {
    return state_->port(node);
}
void fake_cluster_server::run(const std::function<void(fake_cluster&)>& use) {
    state_->run(use);
}
void fake_cluster_server::kill(std::int32_t node) {
    run([node](fake_cluster& cluster) { cluster.kill(node); });
}
void fake_cluster_server::start(std::int32_t node) {
    run([node](fake_cluster& cluster) { cluster.start(node); });
}
void fake_cluster_server::slow(std::int32_t node, std::uint64_t bytes_per_second) {
    state_->slow(node, bytes_per_second);
}
std::size_t fake_cluster_server::connection_count() const {
    return state_->connection_count();
}

}  // namespace sluice::testing
