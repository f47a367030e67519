// A server on plain epoll that hosts a loop: one thread serves sockets, and sends.
//
//   epoll_server PORT TOPIC BOOTSTRAP      each line that it is sent is a record; it answers with the line's number, and
//                                          where the record is stored: "17 orders-2@4711"
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include <sluice/producer.hpp>

namespace asio = boost::asio;
using namespace std::chrono_literals;

// The host: descriptors with what to do when they can be read, and the loop as one of them.
class reactor {
public:
    explicit reactor(sluice::loop& hosted) : hosted_(hosted) {
        watch(hosted.native_handle(), [] {});
    }

    void watch(int fd, std::function<void()> on_readable) {
        epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
        epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
        watched_[fd] = std::make_shared<std::function<void()>>(std::move(on_readable));
    }
    void pause(int fd, bool is_paused) const {
        epoll_event event{.events = is_paused ? 0u : EPOLLIN, .data = {.fd = fd}};
        epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event);
    }
    void close(int fd) {
        watched_.erase(fd);
        ::close(fd);
    }

    void run_until(const bool& is_over) {
        while (!is_over) {
            const bool is_wanted =
                hosted_.run_ready(1ms);  // the loop has a millisecond, then it is the sockets' turn
            if (is_over) return;
            epoll_event events[64];
            const int count =
                epoll_wait(epoll_, events, 64, is_wanted ? 0 : milliseconds_until(hosted_.next_deadline()));
            for (int i = 0; i < count; ++i) {
                const auto found = watched_.find(events[i].data.fd);
                if (found == watched_.end()) continue;
                const auto call = found->second;  // it may close itself
                (*call)();
            }
        }
    }

private:
    static int milliseconds_until(std::chrono::steady_clock::time_point due) {
        if (due == due.max()) return -1;
        const auto wait =
            std::chrono::ceil<std::chrono::milliseconds>(due - std::chrono::steady_clock::now());
        return static_cast<int>(std::clamp(wait, 0ms, 60'000ms).count());
    }

    sluice::loop& hosted_;
    int epoll_ = epoll_create1(EPOLL_CLOEXEC);
    std::map<int, std::shared_ptr<std::function<void()>>> watched_;
};

// A client. It is read again when all that it sent has been answered: nobody gets ahead of the cluster.
class connection : public std::enable_shared_from_this<connection> {
public:
    connection(int fd, reactor& host, sluice::loop& loop, sluice::producer& producer, sluice::topic topic)
        : fd_(fd), host_(host), loop_(loop), producer_(producer), topic_(std::move(topic)) {}

    void start() {
        host_.watch(fd_, [self = shared_from_this()] { self->read(); });
    }

private:
    void read() {
        char bytes[16 * 1024];
        const auto size = recv(fd_, bytes, sizeof bytes, 0);
        if (size <= 0) return host_.close(std::exchange(fd_, -1));
        text_.append(bytes, static_cast<std::size_t>(size));

        // Inside of a scope this thread sends without an atomic operation, and callbacks come in its own turns.
        const sluice::loop::scope on_the_loop(loop_);
        std::size_t start = 0;
        for (auto end = text_.find('\n'); end != text_.npos; end = text_.find('\n', start)) {
            send(std::string_view(text_).substr(start, end - start));
            start = end + 1;
        }
        text_.erase(0, start);
        host_.pause(fd_, unanswered_ > 0);
    }

    void send(std::string_view line) {
        ++unanswered_;
        // The record is copied, at the latest when it has to wait.
        producer_.deliver({topic_, line})(
            [self = shared_from_this(), number = ++line_](sluice::error_code failed,
                                                          const sluice::record_metadata& placed) {
                self->answer(number, failed, placed);
            });
    }

    void answer(std::size_t number, sluice::error_code failed, const sluice::record_metadata& placed) {
        std::string text = std::to_string(number) + ' ';
        if (failed) {
            text += "failed: " + failed.message() + '\n';
        } else {
            text += std::string(placed.topic.view()) + '-' + std::to_string(placed.partition) + '@' +
                    std::to_string(placed.offset) + '\n';
        }
        ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
        if (--unanswered_ == 0) host_.pause(fd_, false);
    }

    int fd_;
    reactor& host_;
    sluice::loop& loop_;
    sluice::producer& producer_;
    sluice::topic topic_;
    std::string text_;
    std::size_t line_ = 0;
    std::size_t unanswered_ = 0;
};

int listen_on(std::uint16_t port) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int yes = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in address{
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
    socklen_t size = sizeof address;
    if (bind(fd, reinterpret_cast<sockaddr*>(&address), size) < 0 || listen(fd, SOMAXCONN) < 0) {
        throw std::system_error(errno, std::system_category(), "listen");
    }
    getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    std::cout << "listening on port " << ntohs(address.sin_port) << std::endl;
    return fd;
}

asio::awaitable<void> open(sluice::loop& loop, sluice::producer_config config, sluice::producer& producer) {
    producer = co_await sluice::producer::create(loop, std::move(config));
}
asio::awaitable<void> close(sluice::producer& producer) {
    co_await producer.close();  // what was accepted is delivered first
}

// Runs a coroutine on the loop, and everything else meanwhile.
void run(reactor& host, sluice::loop& loop, asio::awaitable<void> work) {
    bool is_over = false;
    asio::co_spawn(loop, std::move(work), [&is_over](std::exception_ptr failed) {
        is_over = true;
        if (failed) std::rethrow_exception(failed);
    });
    host.run_until(is_over);
}

int main(int count, char** arguments) {
    if (count != 4) {
        std::cerr << "usage: epoll_server PORT TOPIC BOOTSTRAP\n";
        return 2;
    }
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, nullptr);

    sluice::loop loop;
    reactor host(loop);
    sluice::producer producer;
    sluice::producer_config config;
    config.bootstrap_servers = arguments[3];
    run(host, loop, open(loop, std::move(config), producer));
    const sluice::topic topic = producer.topic(arguments[2]);

    bool is_over = false;
    host.watch(signalfd(-1, &signals, SFD_CLOEXEC), [&is_over] { is_over = true; });
    const int listener = listen_on(static_cast<std::uint16_t>(std::atoi(arguments[1])));
    host.watch(listener, [&] {
        const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) std::make_shared<connection>(fd, host, loop, producer, topic)->start();
    });
    host.run_until(is_over);
    host.close(listener);
    run(host, loop, close(producer));
}
