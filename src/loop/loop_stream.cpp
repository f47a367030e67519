// The sockets of loop_stream and loop_acceptor, on the loop's reactor.
//
//   an operation ends      in the completions phase; its handler is then a task of the loop, run in the resume phase
//   a handle lets go       what is pending is cancelled; the socket is closed when the last operation has completed
//   the loop ends          a service cancels everything; the handlers are dropped with the loop's other tasks
#include "sluice/loop_stream.hpp"

#include <sys/socket.h>

#include <boost/asio/error.hpp>
#include <boost/asio/execution_context.hpp>
#include <cerrno>

#include "base/ensure.hpp"
#include "loop/event_loop.hpp"

namespace sluice::detail {

namespace asio = boost::asio;

namespace {

constexpr const char* one_at_a_time = "one read and one write of a loop_stream, or one accept, at a time";
constexpr const char* on_its_loop = "a loop_stream is used on its loop only, inside of a turn";

error_code system_error_of(int number) noexcept {
    return {number, boost::system::system_category()};
}

loop_socket_handle adopt(loop& on, descriptor file, error_code& why) noexcept;

}  // namespace

class loop_socket final : public list_hook<> {
public:
    loop_socket(loop& on, socket_id id);

    void connect(const asio::ip::tcp::endpoint& peer, socket_handler& handler) noexcept;
    void accept(socket_handler& handler) noexcept;
    void read(std::span<const asio::mutable_buffer> into, socket_handler& handler) noexcept;
    void write(std::span<const asio::const_buffer> from, socket_handler& handler) noexcept;

    void cancel(const socket_handler& handler) noexcept;
    void cancel() noexcept;
    void let_go() noexcept;
    int descriptor() const noexcept { return events_.io().file_of(id_); }

private:
    template <class Base>
    struct operation : Base {
        explicit operation(loop_socket& of_) noexcept : Base(&complete), of(of_) {}
        static void complete(io_operation& self) noexcept {
            static_cast<operation&>(self).of.on_completed(self);
        }
        loop_socket& of;
    };

    void begin(socket_handler*& place, socket_handler& handler) noexcept;
    void finish(socket_handler*& place, socket_outcome outcome) noexcept;
    void on_completed(io_operation& done) noexcept;
    void free_if_unused() noexcept;

    loop& loop_;
    event_loop& events_;
    socket_id id_;
    operation<connect_operation> connecting_{*this};
    operation<accept_operation> accepting_{*this};
    operation<receive_operation> receiving_{*this};
    operation<send_operation_base> sending_{*this};
    std::array<iovec, gathered_max> pieces_{};
    socket_handler* incoming_ = nullptr;  // of a read or an accept
    socket_handler* outgoing_ = nullptr;  // of a write or a connect
    bool has_handle_ = true;
};

namespace {

class socket_service : public asio::execution_context::service {
public:
    using key_type = socket_service;
    inline static asio::execution_context::id id;

    explicit socket_service(asio::execution_context& of) : service(of) {}
    void add(loop_socket& opened) { open_.push_back(opened); }

private:
    void shutdown() override {
        for (loop_socket& each : open_) each.cancel();
    }
    list_of<loop_socket> open_;
};

}  // namespace

loop_socket::loop_socket(loop& on, socket_id id) : loop_(on), events_(on.events()), id_(id) {
    asio::use_service<socket_service>(static_cast<asio::execution_context&>(on)).add(*this);
}

void loop_socket::begin(socket_handler*& place, socket_handler& handler) noexcept {
    ensure_caller(events_.is_current(), on_its_loop);
    ensure_caller(place == nullptr, one_at_a_time);
    place = &handler;
    handler.waits_for = this;
}

void loop_socket::finish(socket_handler*& place, socket_outcome outcome) noexcept {
    socket_handler& ended = *std::exchange(place, nullptr);
    ended.waits_for = nullptr;
    ended.outcome = std::move(outcome);
    events_.post(ended);
}

void loop_socket::connect(const asio::ip::tcp::endpoint& peer, socket_handler& handler) noexcept {
    begin(outgoing_, handler);
    connecting_.peer = endpoint::from(peer.data(), static_cast<socklen_t>(peer.size()));
    events_.io().connect(id_, connecting_);
}

void loop_socket::accept(socket_handler& handler) noexcept {
    begin(incoming_, handler);
    events_.io().accept(id_, accepting_);
}

void loop_socket::read(std::span<const asio::mutable_buffer> into, socket_handler& handler) noexcept {
    begin(incoming_, handler);
    if (into.empty()) return finish(incoming_, {});
    receiving_.buffer = {static_cast<std::byte*>(into[0].data()), into[0].size()};
    events_.io().receive(id_, receiving_);
}

void loop_socket::write(std::span<const asio::const_buffer> from, socket_handler& handler) noexcept {
    begin(outgoing_, handler);
    if (from.empty()) return finish(outgoing_, {});
    for (std::size_t i = 0; i < from.size(); ++i) {
        pieces_[i] = {const_cast<void*>(from[i].data()), from[i].size()};
    }
    sending_.message.msg_iov = pieces_.data();
    sending_.message.msg_iovlen = from.size();
    events_.io().send(id_, sending_);
}

void loop_socket::on_completed(io_operation& done) noexcept {
    socket_outcome outcome;
    if (done.result < 0) {
        outcome.error = system_error_of(-done.result);
    } else if (&done == &accepting_) {
        outcome.accepted = adopt(loop_, sluice::descriptor(done.result), outcome.error);
    } else {
        outcome.size_bytes = static_cast<std::size_t>(done.result);
        if (&done == &receiving_ && done.result == 0) outcome.error = asio::error::eof;
    }
    const bool is_incoming = &done == &accepting_ || &done == &receiving_;
    finish(is_incoming ? incoming_ : outgoing_, std::move(outcome));
    free_if_unused();
}

void loop_socket::cancel(const socket_handler& handler) noexcept {
    reactor& io = events_.io();
    if (&handler == incoming_) {
        io.cancel(accepting_);
        io.cancel(receiving_);
    } else {
        io.cancel(connecting_);
        io.cancel(sending_);
    }
}

void loop_socket::cancel() noexcept {
    if (incoming_ != nullptr) cancel(*incoming_);
    if (outgoing_ != nullptr) cancel(*outgoing_);
}

void loop_socket::let_go() noexcept {
    has_handle_ = false;
    cancel();
    free_if_unused();
}

void loop_socket::free_if_unused() noexcept {
    if (has_handle_ || incoming_ != nullptr || outgoing_ != nullptr) return;
    events_.io().close(id_);
    delete this;
}

namespace {

loop_socket_handle adopt(loop& on, descriptor file, error_code& why) noexcept {
    const auto id = on.events().io().adopt(std::move(file));
    if (id) return loop_socket_handle(new loop_socket(on, *id));
    why = id.error();
    return nullptr;
}

// False where there is no socket: the handler is told.
bool is_usable(loop& on, const loop_socket* socket, socket_handler& handler) noexcept {
    if (socket != nullptr) return true;
    handler.outcome.error = asio::error::bad_descriptor;
    on.events().post(handler);
    return false;
}

std::string text_of(const asio::ip::tcp::endpoint& at) {
    return endpoint::from(at.data(), static_cast<socklen_t>(at.size())).text();
}

}  // namespace

// ---- what templates call

void loop_socket_deleter::operator()(loop_socket* closed) const noexcept {
    closed->let_go();
}

void socket_handler::cancel() noexcept {
    if (waits_for != nullptr) waits_for->cancel(*this);
}

loop_socket_handle listen_on(loop& on, const asio::ip::tcp::endpoint& at) {
    const auto check = [&at](bool is_done) {
        if (!is_done) throw boost::system::system_error(system_error_of(errno), "listen on " + text_of(at));
    };
    const int yes = 1;
    descriptor file(::socket(at.protocol().family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    check(file.is_open());
    check(::setsockopt(file.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0);
    check(::setsockopt(file.get(), SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes) == 0);
    check(::bind(file.get(), at.data(), static_cast<socklen_t>(at.size())) == 0);
    check(::listen(file.get(), SOMAXCONN) == 0);
    error_code why;
    auto made = adopt(on, std::move(file), why);
    if (why) throw boost::system::system_error(why, "listen on " + text_of(at));
    return made;
}

void start_connect(loop& on, loop_socket_handle& socket, const asio::ip::tcp::endpoint& peer,
                   socket_handler& handler) noexcept {
    if (socket == nullptr) {
        const auto id = on.events().io().open(peer.protocol().family(), {});
        if (!id) {
            handler.outcome.error = id.error();
            return on.events().post(handler);
        }
        socket.reset(new loop_socket(on, *id));
    }
    socket->connect(peer, handler);
}

void start_accept(loop& on, loop_socket* socket, socket_handler& handler) noexcept {
    if (is_usable(on, socket, handler)) socket->accept(handler);
}
void start_read(loop& on, loop_socket* socket, std::span<const asio::mutable_buffer> into,
                socket_handler& handler) noexcept {
    if (is_usable(on, socket, handler)) socket->read(into, handler);
}
void start_write(loop& on, loop_socket* socket, std::span<const asio::const_buffer> from,
                 socket_handler& handler) noexcept {
    if (is_usable(on, socket, handler)) socket->write(from, handler);
}
void cancel_pending(loop_socket& on) noexcept {
    on.cancel();
}
int descriptor_of(const loop_socket& of) noexcept {
    return of.descriptor();
}

}  // namespace sluice::detail

namespace sluice {

error_code loop_stream::shutdown_send() noexcept {
    if (::shutdown(native_handle(), SHUT_WR) == 0) return {};
    return detail::system_error_of(errno);
}

loop_acceptor::endpoint_type loop_acceptor::local_endpoint() const {
    endpoint_type made;
    socklen_t size = static_cast<socklen_t>(made.capacity());
    if (socket_ == nullptr || ::getsockname(detail::descriptor_of(*socket_), made.data(), &size) != 0)
        return {};
    made.resize(size);
    return made;
}

}  // namespace sluice
