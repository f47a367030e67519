// A server on plain epoll that hosts a loop: one thread serves sockets, and sends.
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
#include <cstring>
#include <exception>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include <sluice/producer.hpp>

namespace asio = boost::asio;
using namespace std::chrono_literals;

constexpr auto usage = R"(usage: epoll_server PORT TOPIC BOOTSTRAP

Each line that a client sends is a record. The answer is the line's number, and where the record is stored:
"17 orders-2@4711"; or why it is not: "17 failed: ...".

    PORT         to listen on, at 127.0.0.1; 0 is any, and is told
    TOPIC        where the records go
    BOOTSTRAP    brokers of the cluster: HOST:PORT[,HOST:PORT...]

    epoll_server 7000 orders localhost:9092
)";

constexpr std::size_t line_size_max = 64 * 1024;
constexpr std::size_t unanswered_max = 500;  // lines of a client

// The host: descriptors with what to do when they are ready, and the loop as one of them.
class reactor {
public:
    explicit reactor(sluice::loop& hosted) : hosted_(hosted) {
        watch(hosted.native_handle(), [] {});
    }

    void watch(int fd, std::function<void()> on_ready) {
        epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
        epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
        watched_[fd] = std::make_shared<std::function<void()>>(std::move(on_ready));
    }
    // EPOLLIN, EPOLLOUT, or 0: then only the end of the connection is told.
    void wait_for(int fd, std::uint32_t events) const {
        epoll_event event{.events = events, .data = {.fd = fd}};
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

// A client. It is read again when all that it sent has been answered, and it has taken the answers: nobody gets ahead of
// the cluster, or of his own reading, and the two buffers have a maximum.
class connection : public std::enable_shared_from_this<connection> {
public:
    connection(int fd, reactor& host, sluice::loop& loop, sluice::producer& producer, sluice::topic topic)
        : fd_(fd), host_(host), loop_(loop), producer_(producer), topic_(std::move(topic)) {}

    void start() {
        host_.watch(fd_, [self = shared_from_this()] { self->on_ready(); });
    }

private:
    void on_ready() {
        if (unanswered_ > 0) return close();  // nobody is there any more
        output_.empty() ? read() : write();
    }

    void read() {
        char bytes[16 * 1024];
        const auto size = recv(fd_, bytes, sizeof bytes, 0);
        if (size < 0 && errno == EAGAIN) return;
        if (size <= 0) return close();
        input_.append(bytes, static_cast<std::size_t>(size));
        take_lines();
    }

    // What was read, as far as it may go; then waits for the answers, or for more.
    void take_lines() {
        // Inside of a scope this thread sends without an atomic operation, and callbacks come in its own turns.
        const sluice::loop::scope on_the_loop(loop_);
        std::size_t start = 0;
        for (auto end = input_.find('\n'); end != input_.npos && unanswered_ < unanswered_max;
             end = input_.find('\n', start)) {
            if (!std::exchange(is_rest_, false)) send(std::string_view(input_).substr(start, end - start));
            start = end + 1;
        }
        input_.erase(0, start);
        host_.wait_for(fd_, unanswered_ > 0 ? 0u : EPOLLIN);
        if (unanswered_ > 0 || input_.size() <= line_size_max) return;
        input_.clear();
        if (std::exchange(is_rest_, true)) return;  // of a line that was too long, and answered already
        add_answer(++line_, "failed: the line is longer than " + std::to_string(line_size_max) + " bytes");
        write();
    }

    void send(std::string_view line) {
        ++unanswered_;
        // The record is copied, at the latest when it has to wait.
        producer_.deliver({topic_, line})(
            [self = shared_from_this(), number = ++line_](sluice::error_code failed,
                                                          const sluice::record_metadata& placed) {
                self->on_delivered(number, failed, placed);
            });
    }

    void on_delivered(std::size_t number, sluice::error_code failed, const sluice::record_metadata& placed) {
        if (failed) {
            add_answer(number, "failed: " + std::string(placed.message.view()));
        } else {
            add_answer(number, std::string(placed.topic.view()) + '-' + std::to_string(placed.partition) +
                                   '@' + std::to_string(placed.offset));
        }
        if (--unanswered_ == 0) write();
    }

    void add_answer(std::size_t number, const std::string& text) {
        output_ += std::to_string(number) + ' ' + text + '\n';
    }

    // A socket takes what it has room for; the rest waits until there is more.
    void write() {
        if (fd_ < 0) return;
        const auto size = ::send(fd_, output_.data(), output_.size(), MSG_NOSIGNAL);
        if (size < 0 && errno != EAGAIN) return close();
        if (size > 0) output_.erase(0, static_cast<std::size_t>(size));
        if (!output_.empty()) return host_.wait_for(fd_, EPOLLOUT);
        take_lines();
    }

    void close() { host_.close(std::exchange(fd_, -1)); }

    int fd_;
    reactor& host_;
    sluice::loop& loop_;
    sluice::producer& producer_;
    sluice::topic topic_;
    std::string input_;     // at most a line and what one read adds
    std::string output_;    // at most the answers to unanswered_max lines
    bool is_rest_ = false;  // what comes up to the next line's end belongs to a line that was too long
    std::size_t line_ = 0;
    std::size_t unanswered_ = 0;
};

int listen_on(int port) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int yes = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in address{.sin_family = AF_INET,
                        .sin_port = htons(static_cast<std::uint16_t>(port)),
                        .sin_addr = {htonl(INADDR_LOOPBACK)},
                        .sin_zero = {}};
    socklen_t size = sizeof address;
    if (bind(fd, reinterpret_cast<sockaddr*>(&address), size) < 0 || listen(fd, SOMAXCONN) < 0) {
        throw std::runtime_error("port " + std::to_string(port) + ": " + std::strerror(errno));
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
    std::exception_ptr failed;
    asio::co_spawn(loop, std::move(work), [&](std::exception_ptr why) {
        is_over = true;
        failed = why;
    });
    host.run_until(is_over);
    if (failed) std::rethrow_exception(failed);
}

int main(int count, char** arguments) try {
    const std::string_view first = count > 1 ? arguments[1] : "";
    if (first == "--help" || first == "-h") {
        std::cout << usage;
        return 0;
    }
    if (count != 4) {
        std::cerr << "epoll_server: it takes three arguments (see --help)\n";
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
    const int listener = listen_on(std::atoi(arguments[1]));
    host.watch(listener, [&] {
        const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) std::make_shared<connection>(fd, host, loop, producer, topic)->start();
    });
    host.run_until(is_over);
    host.close(listener);
    run(host, loop, close(producer));
} catch (const std::exception& failed) {
    std::cerr << "epoll_server: " << failed.what() << '\n';
    return 1;
}
