#include "net/connection.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "wire/big_endian.hpp"

namespace sluice {
namespace {

constexpr std::size_t correlation_id_offset = 8;  // behind size, API key and version
constexpr std::size_t receive_buffer_min = 16 * 1024;
constexpr std::size_t receive_buffer_kept = 256 * 1024;  // between answers; only those to Metadata are larger
constexpr std::size_t pieces_max = 1024;                 // UIO_MAXIOV
constexpr duration slow_after = std::chrono::milliseconds(1500);
constexpr std::size_t pipeline_spare =
    8;  // for ApiVersions, Metadata, InitProducerId beside the Produce requests

error_code system_error(int result) noexcept {
    return {-result, boost::system::system_category()};
}

std::string describe(int result) {
    return fmt::format("{} (errno {})", std::strerror(-result), -result);
}

}  // namespace

struct connection::handshake_request final : outgoing_request {
    explicit handshake_request(connection& of) noexcept : self(of) {}
    void on_answer(bytes body, time_point) override { self.on_handshake_answer(body); }
    void on_failure(error_code, bool, time_point) override {}
    void on_released() override {}
    connection& self;
};

void connection::lookup_operation::done(name_lookup& lookup) noexcept {
    static_cast<lookup_operation&>(lookup).self.on_resolved();
}
void connection::connecting_operation::done(io_operation& operation) noexcept {
    static_cast<connecting_operation&>(operation).self.on_connected(operation.result);
}
void connection::sending_operation::done(io_operation& operation) noexcept {
    static_cast<sending_operation&>(operation).self.on_sent(operation.result);
}
void connection::receiving_operation::done(io_operation& operation) noexcept {
    static_cast<receiving_operation&>(operation).self.on_received(operation.result);
}
// Runs no user code, so it is done when the loop ends, too.
void connection::closed_task::run_or_drop(task& task, fate) {
    static_cast<closed_task&>(task).self.deliver_closed();
}

connection::connection(event_loop& loop, resolver& names, owner& owned_by, const connection_config& config,
                       host_port address, std::int32_t node_id, std::uint64_t seed)
    : loop_(loop),
      names_(names),
      owner_(owned_by),
      config_(config),
      address_(std::move(address)),
      node_id_(node_id),
      randomness_(seed),
      policy_(config.reconnect),
      pipeline_(config.in_flight_max + pipeline_spare) {}

connection::~connection() {
    ensure(is_idle());
    ensure(!has_pending_operation());
}

void connection::set_address(host_port address) {
    if (address == address_) return;
    address_ = std::move(address);
    wants_resolving_ = true;
}

std::string connection::peer_text() const {
    if (next_endpoint_ == 0 || endpoints_.empty()) return address_.text();
    const std::string endpoint = endpoints_[next_endpoint_ - 1].text();
    return endpoint == address_.text() ? endpoint : fmt::format("{} ({})", address_.text(), endpoint);
}

// ---- opening

void connection::open(time_point now) {
    ensure(is_idle());
    state_ = state::resolving;
    was_connected_ = false;
    closing_error_ = error_code();
    handshake_ = handshake();
    setup_deadline_ = policy_.on_attempt(now, randomness_);
    tell_slow_at_ = after(now, slow_after);
    if (wants_resolving_ || next_endpoint_ >= endpoints_.size()) {
        lookup_.wanted = address_;
        names_.start(lookup_);
    } else {
        connect_to_next();
    }
}

void connection::on_resolved() {
    if (state_ != state::resolving) return;
    if (lookup_.found.empty()) {
        close(errc::bootstrap_failed, fmt::format("{}: {}", address_.text(), lookup_.error_text),
              loop_.now());
        return;
    }
    wants_resolving_ = false;
    endpoints_ = std::move(lookup_.found);
    // Not the one that was tried last, if there are others.
    next_endpoint_ = endpoints_.size() > 1 && endpoints_.front() == connecting_.peer ? 1 : 0;
    connect_to_next();
}

void connection::connect_to_next() {
    state_ = state::connecting;
    const endpoint& peer = endpoints_[next_endpoint_++];
    const auto opened = loop_.io().open(peer.family(), config_.socket);
    if (!opened) {
        close(opened.error(), fmt::format("{}: no socket: {}", peer_text(), opened.error().message()),
              loop_.now());
        return;
    }
    socket_ = *opened;
    connecting_.peer = peer;
    loop_.io().connect(socket_, connecting_);
}

void connection::on_connected(int result) {
    if (state_ == state::closing) return finish_closing_if_done();
    if (result < 0) {
        close(system_error(result), fmt::format("{}: {}", peer_text(), describe(result)), loop_.now());
        return;
    }
    was_connected_ = true;
    policy_.on_connected();
    state_ = state::negotiating;
    received_begin_ = 0;
    received_end_ = 0;
    receive();
    start_handshake();
}

void connection::start_handshake() {
    if (handshake_request_ == nullptr) handshake_request_ = std::make_unique<handshake_request>(*this);
    outgoing_request& request = *handshake_request_;
    request.key = wire::api_key::api_versions;
    request.version = handshake_.version();
    request.frame.clear();
    handshake_.write(request.frame, 0, config_.client_id);
    const time_point now = loop_.now();
    send(request, now);
    flush(now);
}

void connection::on_handshake_answer(bytes body) {
    switch (handshake_.on_answer(body)) {
        case handshake::step::send: return start_handshake();
        case handshake::step::failed:
            return close(handshake_.error(),
                         fmt::format("{}: ApiVersions: {}; is this a Kafka broker?", peer_text(),
                                     handshake_.error().message()),
                         loop_.now());
        case handshake::step::ready: break;
    }
    state_ = state::ready;
    setup_deadline_ = never;
    tell_slow_at_ = never;
    policy_.on_ready();
    owner_.on_ready(*this, loop_.now());
}

// ---- writing

void connection::send(outgoing_request& request, time_point now) {
    ensure(state_ == state::ready || &request == handshake_request_.get());
    const std::int32_t correlation_id = pipeline_.next_correlation_id();
    request.frame.patch_int32(correlation_id_offset, correlation_id);
    request.was_sent_ = false;
    request.is_failed_ = false;
    if (request.expects_answer) {
        pipeline_.push(
            {correlation_id, request.key, request.version, after(now, config_.request_timeout), &request});
    } else {
        ++unanswered_unsent_;
    }
    queued_.push_back(request);
}

void connection::flush(time_point) {
    if (state_ != state::ready && state_ != state::negotiating) return;
    if (!sending_.is_pending) start_send();
}

// What is left of the last send, and everything that queued up meanwhile, as one gathered send.
void connection::start_send() {
    pieces_.clear();
    for (outgoing_request& partly_sent : sending_now_) partly_sent.frame.pieces(pieces_);
    while (!queued_.empty() && pieces_.size() < pieces_max) {
        outgoing_request& next = queued_.front();
        queued_.pop_front();
        next.was_sent_ = true;
        next.frame.pieces(pieces_);
        sending_now_.push_back(next);
    }
    if (pieces_.empty()) return;
    std::size_t skipped = sent_of_first_request_;
    std::size_t first = 0;
    while (skipped >= pieces_[first].iov_len) skipped -= pieces_[first++].iov_len;
    pieces_[first].iov_base = static_cast<std::byte*>(pieces_[first].iov_base) + skipped;
    pieces_[first].iov_len -= skipped;
    sending_.message = msghdr{};
    sending_.message.msg_iov = &pieces_[first];
    sending_.message.msg_iovlen = std::min(pieces_.size() - first, pieces_max);
    loop_.io().send(socket_, sending_);
}

void connection::on_sent(int result) {
    if (result > 0) {
        sent_of_first_request_ += static_cast<std::size_t>(result);
        while (!sending_now_.empty() && sending_now_.front().size_bytes() <= sent_of_first_request_) {
            outgoing_request& written = sending_now_.front();
            sending_now_.pop_front();
            sent_of_first_request_ -= written.size_bytes();
            if (written.is_failed_) {
                written.on_released();  // failed while the kernel still had it
                continue;
            }
            if (!written.expects_answer) --unanswered_unsent_;
            const bool is_over = !written.expects_answer;
            written.on_written(loop_.now());
            if (is_over) written.on_released();
        }
    }
    if (state_ == state::closing) return finish_closing_if_done();
    if (result < 0) {
        close(system_error(result), fmt::format("{}: sending: {}", peer_text(), describe(result)),
              loop_.now());
        return;
    }
    start_send();
}

// ---- reading

void connection::receive() {
    if (received_begin_ == received_end_) {
        received_begin_ = 0;
        received_end_ = 0;
        if (received_.size() > receive_buffer_kept) received_ = std::vector<std::byte>(receive_buffer_min);
    }
    if (received_end_ == received_.size()) {
        if (received_begin_ > 0) {
            std::memmove(received_.data(), received_.data() + received_begin_,
                         received_end_ - received_begin_);
            received_end_ -= received_begin_;
            received_begin_ = 0;
        } else {
            received_.resize(std::max(receive_buffer_min, 2 * received_.size()));
        }
    }
    receiving_.buffer = mutable_bytes(received_).subspan(received_end_);
    loop_.io().receive(socket_, receiving_);
}

void connection::on_received(int result) {
    if (state_ == state::closing) return finish_closing_if_done();
    if (result <= 0) {
        const std::string why = result == 0 ? "the broker closed the connection" : describe(result);
        const char* when =
            state_ == state::negotiating ? " during ApiVersions; is this a Kafka broker without TLS?" : "";
        close(result == 0 ? error_code(errc::disconnected) : system_error(result),
              fmt::format("{}: {}{}", peer_text(), why, when), loop_.now());
        return;
    }
    received_end_ += static_cast<std::size_t>(result);
    read_frames();
    if (state_ == state::ready || state_ == state::negotiating) receive();
}

void connection::read_frames() {
    while (state_ == state::ready || state_ == state::negotiating) {
        const bytes available = bytes(received_).subspan(received_begin_, received_end_ - received_begin_);
        if (available.size() < wire::frame_prefix_size) return;
        const std::uint32_t limit =
            state_ == state::ready ? config_.frame_size_max
                                   : std::min(config_.frame_size_max, wire::frame_size_max_unauthenticated);
        const auto size = wire::read_frame_size(available.first<wire::frame_prefix_size>(), limit);
        if (!size) {
            const auto claimed = wire::load_big_endian<std::int32_t>(available.data());
            close(size.error(),
                  fmt::format("{}: announced a frame of {} bytes, the limit is {}", peer_text(), claimed,
                              limit),
                  loop_.now());
            return;
        }
        if (available.size() - wire::frame_prefix_size < *size) return;
        received_begin_ += wire::frame_prefix_size + *size;
        if (!handle_frame(available.subspan(wire::frame_prefix_size, *size))) return;
    }
}

bool connection::handle_frame(bytes frame) {
    bytes body;
    const auto answered = pipeline_.match(frame, body);
    auto* request = answered ? static_cast<outgoing_request*>(answered->receiver) : nullptr;
    // An answer to what is not even written is no answer.
    if (request == nullptr || request->list_hook<outgoing_tag>::is_linked()) {
        if (request != nullptr) {
            request->is_failed_ = true;
            request->on_failure(errc::protocol_error, request->was_sent_, loop_.now());
        }
        close(errc::protocol_error, fmt::format("{}: answered what was not asked", peer_text()), loop_.now());
        return false;
    }
    request->on_answer(body, loop_.now());
    request->on_released();
    return true;
}

// ---- closing

void connection::close(error_code why, std::string text, time_point now) {
    if (state_ == state::idle || state_ == state::closing) return;
    state_ = state::closing;
    setup_deadline_ = never;
    tell_slow_at_ = never;
    closing_error_ = why;
    closing_text_ = std::move(text);
    policy_.on_disconnected(now, was_connected_, randomness_);
    if (was_connected_) wants_resolving_ = true;  // the broker may be elsewhere by now
    names_.cancel(lookup_);
    fail_requests(why);
    for (io_operation* pending :
         {static_cast<io_operation*>(&connecting_), static_cast<io_operation*>(&sending_),
          static_cast<io_operation*>(&receiving_)}) {
        if (pending->is_pending) loop_.io().cancel(*pending);
    }
    finish_closing_if_done();
}

// Every request that has no answer fails, in the order of sending (NET-14).
void connection::fail_requests(error_code why) {
    const time_point now = loop_.now();
    const auto fail = [&](outgoing_request& request) {
        request.is_failed_ = true;
        request.on_failure(why, request.was_sent_, now);
        // What the kernel may still read is released when it is done.
        if (!request.list_hook<outgoing_tag>::is_linked()) request.on_released();
    };
    outgoing_list never_sent;
    never_sent.splice(never_sent.end(), queued_);
    while (!pipeline_.empty()) {
        auto& request = static_cast<outgoing_request&>(*pipeline_.pop().receiver);
        if (request.was_sent_) fail(request);
    }
    for (outgoing_request& request : sending_now_) {
        if (!request.is_failed_) fail(request);  // one that expects no answer
    }
    while (!never_sent.empty()) {
        outgoing_request& request = never_sent.front();
        never_sent.pop_front();
        fail(request);
    }
    unanswered_unsent_ = 0;
}

void connection::finish_closing_if_done() {
    if (state_ != state::closing || has_pending_operation() || closed_task_.is_queued()) return;
    while (!sending_now_.empty()) {  // the kernel is done with them
        outgoing_request& request = sending_now_.front();
        sending_now_.pop_front();
        request.on_released();
    }
    sent_of_first_request_ = 0;
    if (socket_ != socket_id::none) loop_.io().close(socket_);
    socket_ = socket_id::none;
    received_begin_ = 0;
    received_end_ = 0;
    if (received_.size() > receive_buffer_min) received_ = std::vector<std::byte>();
    loop_.post(closed_task_);
}

void connection::deliver_closed() {
    ensure(state_ == state::closing);
    state_ = state::idle;
    const std::string text = std::move(closing_text_);
    owner_.on_closed(*this, closing_error_, text, loop_.now());  // may destroy this
}

// ---- time

const char* connection::what_it_waits_for() const noexcept {
    switch (state_) {
        case state::resolving: return "its name to be resolved";
        case state::connecting: return "the connection";
        case state::negotiating: return "the answer to ApiVersions";
        default: return "nothing";
    }
}

void connection::on_time(time_point now) {
    if (setup_deadline_ <= now) {
        return close(errc::connect_timeout,
                     fmt::format("{}: timed out waiting for {}", peer_text(), what_it_waits_for()), now);
    }
    if (tell_slow_at_ <= now) {
        tell_slow_at_ = never;
        const auto waited = std::chrono::duration_cast<std::chrono::milliseconds>(slow_after).count();
        owner_.on_slow(
            *this,
            fmt::format("{}: still waiting for {} after {} ms", peer_text(), what_it_waits_for(), waited),
            now);
    }
    if (state_ == state::ready && pipeline_.next_deadline() <= now) {
        close(errc::request_timeout,
              fmt::format(
                  "{}: no answer within request.timeout.ms ({} ms)", peer_text(),
                  std::chrono::duration_cast<std::chrono::milliseconds>(config_.request_timeout).count()),
              now);
    }
}

time_point connection::next_deadline() const noexcept {
    return std::min(
        {setup_deadline_, tell_slow_at_, state_ == state::ready ? pipeline_.next_deadline() : never});
}

}  // namespace sluice
