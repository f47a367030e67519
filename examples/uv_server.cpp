// A libuv program that hosts a loop: one thread serves sockets, and sends.
//
//   uv_server PORT TOPIC BOOTSTRAP      each line that it is sent is a record; it answers with the line's number, and
//                                       where the record is stored: "17 orders-2@4711"
#include <uv.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>

#include <sluice/producer.hpp>

namespace asio = boost::asio;
using namespace std::chrono_literals;

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
};

// A client. It is read again when all that it sent has been answered: nobody gets ahead of the cluster.
class connection : public std::enable_shared_from_this<connection> {
public:
    static void accept(server& in, uv_stream_t* listener) {
        const auto made = std::make_shared<connection>(in);
        uv_tcp_init(listener->loop, &made->socket_);
        made->socket_.data = made.get();
        made->open_ = made;
        if (uv_accept(listener, made->stream()) < 0) return made->close();
        made->resume();
    }
    explicit connection(server& in) : server_(in) {}

private:
    uv_stream_t* stream() { return reinterpret_cast<uv_stream_t*>(&socket_); }
    static connection& of(void* handle) {
        return *static_cast<connection*>(static_cast<uv_handle_t*>(handle)->data);
    }

    void resume() {
        uv_read_start(
            stream(),
            [](uv_handle_t* handle, std::size_t, uv_buf_t* into) {
                *into = uv_buf_init(of(handle).bytes_, sizeof of(handle).bytes_);
            },
            [](uv_stream_t* handle, ssize_t size, const uv_buf_t*) { of(handle).on_read(size); });
    }

    void on_read(ssize_t size) {
        if (size < 0) return close();
        text_.append(bytes_, static_cast<std::size_t>(size));

        // Inside of a scope this thread sends without an atomic operation, and callbacks come in its own turns.
        const sluice::loop::scope on_the_loop(server_.hosted.loop);
        std::size_t start = 0;
        for (auto end = text_.find('\n'); end != text_.npos; end = text_.find('\n', start)) {
            send(std::string_view(text_).substr(start, end - start));
            start = end + 1;
        }
        text_.erase(0, start);
        if (unanswered_ > 0) uv_read_stop(stream());
    }

    void send(std::string_view line) {
        ++unanswered_;
        // The record is copied, at the latest when it has to wait.
        server_.producer.deliver({server_.topic, line})(
            [self = shared_from_this(), number = ++line_](sluice::error_code failed,
                                                          const sluice::record_metadata& placed) {
                self->answer(number, failed, placed);
            });
    }

    void answer(std::size_t number, sluice::error_code failed, const sluice::record_metadata& placed) {
        if (open_ == nullptr) return;
        std::string text = std::to_string(number) + ' ';
        if (failed) {
            text += "failed: " + failed.message() + '\n';
        } else {
            text += std::string(placed.topic.view()) + '-' + std::to_string(placed.partition) + '@' +
                    std::to_string(placed.offset) + '\n';
        }
        uv_buf_t buffer = uv_buf_init(text.data(), static_cast<unsigned>(text.size()));
        uv_try_write(stream(), &buffer, 1);
        if (--unanswered_ == 0) resume();
    }

    void close() {
        uv_close(reinterpret_cast<uv_handle_t*>(&socket_),
                 [](uv_handle_t* handle) { of(handle).open_.reset(); });
    }

    server& server_;
    uv_tcp_t socket_;
    std::shared_ptr<connection> open_;  // itself, until it is closed
    char bytes_[16 * 1024];
    std::string text_;
    std::size_t line_ = 0;
    std::size_t unanswered_ = 0;
};

void listen_on(server& in, uv_loop_t* host, int port) {
    sockaddr_storage address;
    uv_ip4_addr("127.0.0.1", port, reinterpret_cast<sockaddr_in*>(&address));
    uv_tcp_init(host, &in.listener);
    in.listener.data = &in;
    uv_tcp_bind(&in.listener, reinterpret_cast<sockaddr*>(&address), 0);
    const int failed = uv_listen(reinterpret_cast<uv_stream_t*>(&in.listener), SOMAXCONN,
                                 [](uv_stream_t* listener, int error) {
                                     if (error == 0)
                                         connection::accept(*static_cast<server*>(listener->data), listener);
                                 });
    if (failed != 0) throw std::runtime_error(uv_strerror(failed));
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

asio::awaitable<void> open(server& in, std::string bootstrap, std::string topic, int port) {
    sluice::producer_config config;
    config.bootstrap_servers = bootstrap;
    in.producer = co_await sluice::producer::create(in.hosted.loop, std::move(config));
    in.topic = in.producer.topic(topic);
    listen_on(in, uv_default_loop(), port);
}

int main(int count, char** arguments) {
    if (count != 4) {
        std::cerr << "usage: uv_server PORT TOPIC BOOTSTRAP\n";
        return 2;
    }
    uv_loop_t* const host = uv_default_loop();
    hosted_loop hosted(host);
    server in{.hosted = hosted, .producer = {}, .topic = {}, .listener = {}, .signals = {}};
    const auto rethrow = [](std::exception_ptr failed) {
        if (failed) std::rethrow_exception(failed);
    };
    asio::co_spawn(hosted.loop, open(in, arguments[3], arguments[2], std::atoi(arguments[1])), rethrow);
    for (const int number : {0, 1}) {
        uv_signal_init(host, &in.signals[number]);
        in.signals[number].data = &in;
        uv_signal_start_oneshot(
            &in.signals[number],
            [](uv_signal_t* caught, int) {
                auto& server_ = *static_cast<server*>(caught->data);
                asio::co_spawn(server_.hosted.loop, close(server_), asio::detached);
            },
            number == 0 ? SIGINT : SIGTERM);
    }
    uv_run(host, UV_RUN_DEFAULT);
}
