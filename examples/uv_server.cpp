// A libuv program that hosts a loop: one thread serves sockets, and sends.
#include <uv.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include <sluice/producer.hpp>

namespace asio = boost::asio;
using namespace std::chrono_literals;

constexpr auto usage = R"(usage: uv_server PORT TOPIC BOOTSTRAP

Each line that a client sends is a record. The answer is the line's number, and where the record is stored:
"17 orders-2@4711"; or why it is not: "17 failed: ...".

    PORT         to listen on, at 127.0.0.1; 0 is any, and is told
    TOPIC        where the records go
    BOOTSTRAP    brokers of the cluster: HOST:PORT[,HOST:PORT...]

    uv_server 7000 orders localhost:9092
)";

constexpr std::size_t line_size_max = 64 * 1024;
constexpr std::size_t unanswered_max = 500;  // lines of a client

// A sluice::loop inside of a uv_loop_t: a turn when its handle is readable, and when its deadline has come.
class hosted_loop {
public:
    explicit hosted_loop(uv_loop_t* host) {
        uv_poll_init(host, &readable_, loop.native_handle());
        uv_timer_init(host, &alarm_);
        readable_.data = alarm_.data = this;
        uv_poll_start(&readable_, UV_READABLE, [](uv_poll_t* handle, int, int) { turn(handle->data); });
    }
    sluice::loop loop;

private:
    static void turn(void* data) {
        auto& self = *static_cast<hosted_loop*>(data);
        const bool is_wanted = self.loop.run_ready(1ms);
        const auto due = self.loop.next_deadline();
        if (!is_wanted && due == due.max()) {
            uv_timer_stop(&self.alarm_);
            return;
        }
        const auto wait =
            std::chrono::ceil<std::chrono::milliseconds>(due - std::chrono::steady_clock::now());
        uv_update_time(self.alarm_.loop);
        uv_timer_start(
            &self.alarm_, [](uv_timer_t* alarm) { turn(alarm->data); },
            is_wanted ? 0 : static_cast<std::uint64_t>(std::max(wait, 0ms).count()), 0);
    }

    uv_poll_t readable_;
    uv_timer_t alarm_;
};

// What all connections share.
struct server {
    hosted_loop& hosted;
    sluice::producer producer;
    sluice::topic topic;
    uv_tcp_t listener;
    uv_signal_t signals[2];
    std::exception_ptr failed;  // ends the program; nothing is thrown through libuv, which is C
};

// A client. It is read again when all that it sent has been answered, and it has taken the answers: nobody gets ahead of
// the cluster, or of his own reading, and the two buffers have a maximum.
class connection : public std::enable_shared_from_this<connection> {
public:
    static void accept(server& in, uv_stream_t* listener) {
        const auto made = std::make_shared<connection>(in);
        uv_tcp_init(listener->loop, &made->socket_);
        made->socket_.data = made.get();
        made->open_ = made;
        if (uv_accept(listener, made->stream()) < 0) return made->close();
        made->read();
    }
    explicit connection(server& in) : server_(in) {}

private:
    uv_stream_t* stream() { return reinterpret_cast<uv_stream_t*>(&socket_); }
    static connection& of(void* handle) {
        return *static_cast<connection*>(static_cast<uv_handle_t*>(handle)->data);
    }

    void read() {
        uv_read_start(
            stream(),
            [](uv_handle_t* handle, std::size_t, uv_buf_t* into) {
                *into = uv_buf_init(of(handle).bytes_, sizeof of(handle).bytes_);
            },
            [](uv_stream_t* handle, ssize_t size, const uv_buf_t*) { of(handle).on_read(size); });
    }

    void on_read(ssize_t size) {
        if (size < 0) return close();
        input_.append(bytes_, static_cast<std::size_t>(size));
        uv_read_stop(stream());
        take_lines();
    }

    // What was read, as far as it may go; then waits for the answers, or for more.
    void take_lines() {
        // Inside of a scope this thread sends without an atomic operation, and callbacks come in its own turns.
        const sluice::loop::scope on_the_loop(server_.hosted.loop);
        std::size_t start = 0;
        for (auto end = input_.find('\n'); end != input_.npos && unanswered_ < unanswered_max;
             end = input_.find('\n', start)) {
            if (!std::exchange(is_rest_, false)) send(std::string_view(input_).substr(start, end - start));
            start = end + 1;
        }
        input_.erase(0, start);
        if (unanswered_ > 0) return;
        if (input_.size() <= line_size_max) return read();
        input_.clear();
        if (std::exchange(is_rest_, true)) return read();  // of a line that was too long, and answered
        add_answer(++line_, "failed: the line is longer than " + std::to_string(line_size_max) + " bytes");
        write();
    }

    void send(std::string_view line) {
        ++unanswered_;
        // The record is copied, at the latest when it has to wait.
        server_.producer.deliver({server_.topic, line})(
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

    // Calls back when the socket has taken all of it.
    void write() {
        const uv_buf_t answers = uv_buf_init(output_.data(), static_cast<unsigned>(output_.size()));
        writing_.data = this;
        const auto on_written = [](uv_write_t* written, int error) {
            auto& self = *static_cast<connection*>(written->data);
            self.output_.clear();
            error == 0 ? self.take_lines() : self.close();
        };
        if (uv_write(&writing_, stream(), &answers, 1, on_written) < 0) close();
    }

    // Only while nothing is under way.
    void close() {
        uv_close(reinterpret_cast<uv_handle_t*>(&socket_),
                 [](uv_handle_t* handle) { of(handle).open_.reset(); });
    }

    server& server_;
    uv_tcp_t socket_;
    std::shared_ptr<connection> open_;  // itself, until it is closed
    uv_write_t writing_;
    char bytes_[16 * 1024];
    std::string input_;     // at most a line and what one read adds
    std::string output_;    // at most the answers to unanswered_max lines
    bool is_rest_ = false;  // what comes up to the next line's end belongs to a line that was too long
    std::size_t line_ = 0;
    std::size_t unanswered_ = 0;
};

void listen_on(server& in, uv_loop_t* host, int port) {
    sockaddr_storage address;
    uv_ip4_addr("127.0.0.1", port, reinterpret_cast<sockaddr_in*>(&address));
    uv_tcp_init(host, &in.listener);
    in.listener.data = &in;
    int failed = uv_tcp_bind(&in.listener, reinterpret_cast<sockaddr*>(&address), 0);
    if (failed == 0) {
        failed = uv_listen(reinterpret_cast<uv_stream_t*>(&in.listener), SOMAXCONN,
                           [](uv_stream_t* listener, int error) {
                               if (error == 0)
                                   connection::accept(*static_cast<server*>(listener->data), listener);
                           });
    }
    if (failed != 0) throw std::runtime_error("port " + std::to_string(port) + ": " + uv_strerror(failed));
    int size = sizeof address;
    uv_tcp_getsockname(&in.listener, reinterpret_cast<sockaddr*>(&address), &size);
    std::cout << "listening on port " << ntohs(reinterpret_cast<sockaddr_in*>(&address)->sin_port)
              << std::endl;
}

// What a signal starts: what was accepted is delivered first.
asio::awaitable<void> close(server& in) {
    co_await in.producer.close();
    uv_stop(in.listener.loop);
}

void watch_signals(server& in, uv_loop_t* host) {
    for (const int number : {0, 1}) {
        uv_signal_init(host, &in.signals[number]);
        in.signals[number].data = &in;
        uv_signal_start_oneshot(
            &in.signals[number],
            [](uv_signal_t* caught, int) {
                auto& of = *static_cast<server*>(caught->data);
                asio::co_spawn(of.hosted.loop, close(of), asio::detached);
            },
            number == 0 ? SIGINT : SIGTERM);
    }
}

asio::awaitable<void> open(server& in, uv_loop_t* host, char** arguments) {
    sluice::producer_config config;
    config.bootstrap_servers = arguments[3];
    in.producer = co_await sluice::producer::create(in.hosted.loop, std::move(config));
    in.topic = in.producer.topic(arguments[2]);
    watch_signals(in, host);
    listen_on(in, host, std::atoi(arguments[1]));
}

int main(int count, char** arguments) try {
    const std::string_view first = count > 1 ? arguments[1] : "";
    if (first == "--help" || first == "-h") {
        std::cout << usage;
        return 0;
    }
    if (count != 4) {
        std::cerr << "uv_server: it takes three arguments (see --help)\n";
        return 2;
    }
    std::signal(SIGPIPE, SIG_IGN);  // libuv leaves that to the program
    uv_loop_t* const host = uv_default_loop();
    hosted_loop hosted(host);
    server in{.hosted = hosted, .producer = {}, .topic = {}, .listener = {}, .signals = {}, .failed = {}};
    asio::co_spawn(hosted.loop, open(in, host, arguments), [&in, host](std::exception_ptr failed) {
        in.failed = failed;
        if (failed) uv_stop(host);
    });
    uv_run(host, UV_RUN_DEFAULT);
    if (in.failed) std::rethrow_exception(in.failed);
} catch (const std::exception& failed) {
    std::cerr << "uv_server: " << failed.what() << '\n';
    return 1;
}
