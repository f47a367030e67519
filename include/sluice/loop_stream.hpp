// Sockets of a loop, for servers that live on it: Boost.Asio's composed operations and Boost.Beast run on them.
// (asio::ip::tcp::socket works on a loop, too, but waits on a hidden thread of Asio's and hands over each completion.)
#pragma once

#include <array>
#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/recycling_allocator.hpp>
#include <cstddef>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>

#include "sluice/detail/task.hpp"
#include "sluice/error.hpp"
#include "sluice/loop.hpp"

namespace sluice {

class loop_stream;

namespace detail {

// A socket and what is pending on it (src/loop/loop_stream.cpp).
class loop_socket;

// Frees itself when its handle has let go of it and nothing is pending on it.
struct loop_socket_deleter {
    void operator()(loop_socket* closed) const noexcept;
};
using loop_socket_handle = std::unique_ptr<loop_socket, loop_socket_deleter>;

// What an operation of a socket came to.
struct socket_outcome {
    error_code error;
    std::size_t size_bytes = 0;
    loop_socket_handle accepted;
};

// A handler that waits for an operation of a socket, its type erased: run when that has ended, dropped when the loop ends
// first.
struct socket_handler : task {
    using task::task;
    void cancel() noexcept;

    loop_socket* waits_for = nullptr;
    socket_outcome outcome;
};

// Any number of buffers, of which an operation takes the first ones.
constexpr std::size_t gathered_max = 16;
template <class Buffer>
struct gathered {
    template <class Sequence>
    explicit gathered(const Sequence& buffers) {
        const auto end = boost::asio::buffer_sequence_end(buffers);
        for (auto each = boost::asio::buffer_sequence_begin(buffers); each != end && count < gathered_max;
             ++each) {
            const Buffer buffer(*each);
            if (buffer.size() != 0) pieces[count++] = buffer;
        }
    }
    std::span<const Buffer> view() const noexcept { return {pieces.data(), count}; }
    std::array<Buffer, gathered_max> pieces;
    std::size_t count = 0;
};

loop_socket_handle listen_on(loop& on, const boost::asio::ip::tcp::endpoint& at);
// Each starts an operation, on the loop; the handler runs later, also where the error is known at once.
void start_connect(loop& on, loop_socket_handle& socket, const boost::asio::ip::tcp::endpoint& peer,
                   socket_handler& handler) noexcept;  // opens it where it is not open
void start_accept(loop& on, loop_socket* socket, socket_handler& handler) noexcept;
void start_read(loop& on, loop_socket* socket, std::span<const boost::asio::mutable_buffer> into,
                socket_handler& handler) noexcept;
void start_write(loop& on, loop_socket* socket, std::span<const boost::asio::const_buffer> from,
                 socket_handler& handler) noexcept;
void cancel_pending(loop_socket& on) noexcept;
int descriptor_of(const loop_socket& of) noexcept;

// A handler with its executors kept alive by outstanding work: its own, and the loop's. `End` calls it.
template <class Handler, class End>
class socket_handler_of final : public socket_handler {
public:
    static socket_handler_of* make(Handler&& handler, loop& on) {
        allocator memory = allocator_of(handler);
        socket_handler_of* made = std::allocator_traits<allocator>::allocate(memory, 1);
        new (made) socket_handler_of(std::move(handler), on);
        auto slot = boost::asio::get_associated_cancellation_slot(made->handler_);
        if (slot.is_connected()) {
            slot.assign([made](boost::asio::cancellation_type type) {
                if (type != boost::asio::cancellation_type::none) made->cancel();
            });
        }
        return made;
    }

private:
    using executor = boost::asio::associated_executor_t<Handler, loop::executor_type>;
    using handler_allocator =
        boost::asio::associated_allocator_t<Handler, boost::asio::recycling_allocator<void>>;
    using allocator =
        typename std::allocator_traits<handler_allocator>::template rebind_alloc<socket_handler_of>;

    static allocator allocator_of(const Handler& handler) {
        return allocator(
            boost::asio::get_associated_allocator(handler, boost::asio::recycling_allocator<void>()));
    }

    socket_handler_of(Handler&& handler, loop& on)
        : socket_handler(&arrive),
          on_(&on),
          handler_(std::move(handler)),
          loop_work_(on.get_executor()),
          work_(boost::asio::get_associated_executor(handler_, on.get_executor())) {}

    static void arrive(task& self, fate what) {
        auto* arrived = static_cast<socket_handler_of*>(&self);
        allocator memory = allocator_of(arrived->handler_);
        auto slot = boost::asio::get_associated_cancellation_slot(arrived->handler_);
        if (slot.is_connected()) slot.clear();
        // Out of the memory that is given back before the handler runs: it may want to use it again.
        const auto loop_work = std::move(arrived->loop_work_);
        const auto work = std::move(arrived->work_);
        socket_outcome outcome = std::move(arrived->outcome);
        Handler handler(std::move(arrived->handler_));
        loop* const on = arrived->on_;
        arrived->~socket_handler_of();
        std::allocator_traits<allocator>::deallocate(memory, arrived, 1);
        if (what == fate::drop) return;
        boost::asio::dispatch(work.get_executor(),
                              [on, handler = std::move(handler), outcome = std::move(outcome)]() mutable {
                                  End::call(handler, *on, outcome);
                              });
    }

    loop* on_;
    Handler handler_;
    boost::asio::executor_work_guard<loop::executor_type> loop_work_;
    boost::asio::executor_work_guard<executor> work_;
};

// What starts an operation, whichever token asks for it.
template <class End, class Start>
struct socket_initiation {
    using executor_type = loop::executor_type;
    executor_type get_executor() const noexcept { return on->get_executor(); }
    template <class Handler>
    void operator()(Handler handler) {
        start(*socket_handler_of<Handler, End>::make(std::move(handler), *on));
    }
    loop* on;
    Start start;
};
template <class Signature, class End, class Token, class Start>
auto initiate_on_socket(loop& on, std::remove_reference_t<Token>& token, Start start) {
    return boost::asio::async_initiate<Token, Signature>(socket_initiation<End, Start>{&on, std::move(start)},
                                                         token);
}

struct ends_with_error {
    static void call(auto& handler, loop&, socket_outcome& ended) { std::move(handler)(ended.error); }
};
struct ends_with_size {
    static void call(auto& handler, loop&, socket_outcome& ended) {
        std::move(handler)(ended.error, ended.size_bytes);
    }
};
struct ends_with_stream {
    static void call(auto& handler, loop& on, socket_outcome& ended);
};

}  // namespace detail

// A TCP connection: AsyncReadStream and AsyncWriteStream of Boost.Asio.
//
//   sluice::loop_stream client = co_await acceptor.async_accept(use_awaitable);
//   co_await http::async_read(client, buffer, request, use_awaitable);
//
// At most one read and one write (or connect) at a time. Cancellation of every type ends an operation with
// operation_aborted, or with what it had done by then; so does destroying the stream, or closing it.
//
// Thread rules: on the loop only, inside of its turns; handlers run on their associated executor, the loop's by default.
// Lifetime:     the loop outlives it. Buffers stay in place until the handler runs or is destroyed.
class loop_stream {
public:
    using executor_type = loop::executor_type;
    using endpoint_type = boost::asio::ip::tcp::endpoint;

    explicit loop_stream(loop& on) noexcept : loop_(&on) {}  // not open
    loop_stream(loop& on, detail::loop_socket_handle socket) noexcept
        : loop_(&on), socket_(std::move(socket)) {}

    executor_type get_executor() const noexcept { return loop_->get_executor(); }
    bool is_open() const noexcept { return socket_ != nullptr; }
    // For getsockopt(2) and its like; -1 if it is not open.
    int native_handle() const noexcept { return socket_ == nullptr ? -1 : detail::descriptor_of(*socket_); }

    // Opens it, too. Completes with void(error_code).
    template <boost::asio::completion_token_for<void(error_code)> Token>
    auto async_connect(const endpoint_type& peer, Token&& token) {
        return detail::initiate_on_socket<void(error_code), detail::ends_with_error, Token>(
            *loop_, token, [this, peer](detail::socket_handler& handler) {
                detail::start_connect(*loop_, socket_, peer, handler);
            });
    }
    // At least one byte, or error::eof. Completes with void(error_code, std::size_t).
    template <class MutableBuffers, boost::asio::completion_token_for<void(error_code, std::size_t)> Token>
    auto async_read_some(const MutableBuffers& buffers, Token&& token) {
        const detail::gathered<boost::asio::mutable_buffer> into(buffers);
        return detail::initiate_on_socket<void(error_code, std::size_t), detail::ends_with_size, Token>(
            *loop_, token, [this, into](detail::socket_handler& handler) {
                detail::start_read(*loop_, socket_.get(), into.view(), handler);
            });
    }
    template <class ConstBuffers, boost::asio::completion_token_for<void(error_code, std::size_t)> Token>
    auto async_write_some(const ConstBuffers& buffers, Token&& token) {
        const detail::gathered<boost::asio::const_buffer> from(buffers);
        return detail::initiate_on_socket<void(error_code, std::size_t), detail::ends_with_size, Token>(
            *loop_, token, [this, from](detail::socket_handler& handler) {
                detail::start_write(*loop_, socket_.get(), from.view(), handler);
            });
    }

    // The peer reads the end of the stream after what was sent.
    error_code shutdown_send() noexcept;
    void cancel() noexcept {
        if (socket_ != nullptr) detail::cancel_pending(*socket_);
    }
    void close() noexcept { socket_.reset(); }

private:
    loop* loop_;
    detail::loop_socket_handle socket_;
};

// Listens, with SO_REUSEPORT: each loop of a server has an acceptor of its own at the same port, and the kernel
// distributes the connections.
//
// Thread rules and lifetime: those of loop_stream. Errors: the constructor throws system_error, whose text has the address.
class loop_acceptor {
public:
    using executor_type = loop::executor_type;
    using endpoint_type = boost::asio::ip::tcp::endpoint;

    loop_acceptor(loop& on, const endpoint_type& at) : loop_(&on), socket_(detail::listen_on(on, at)) {}

    executor_type get_executor() const noexcept { return loop_->get_executor(); }
    endpoint_type local_endpoint() const;

    // Completes with void(error_code, loop_stream). One at a time.
    template <boost::asio::completion_token_for<void(error_code, loop_stream)> Token>
    auto async_accept(Token&& token) {
        return detail::initiate_on_socket<void(error_code, loop_stream), detail::ends_with_stream, Token>(
            *loop_, token, [this](detail::socket_handler& handler) {
                detail::start_accept(*loop_, socket_.get(), handler);
            });
    }
    void cancel() noexcept {
        if (socket_ != nullptr) detail::cancel_pending(*socket_);
    }
    void close() noexcept { socket_.reset(); }

private:
    loop* loop_;
    detail::loop_socket_handle socket_;
};

void detail::ends_with_stream::call(auto& handler, loop& on, socket_outcome& ended) {
    std::move(handler)(ended.error, loop_stream(on, std::move(ended.accepted)));
}

}  // namespace sluice
