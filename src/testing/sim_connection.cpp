#include "testing/sim_connection.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <utility>

#include "base/ensure.hpp"
#include "testing/sim_draw.hpp"

namespace sluice::testing {

sim_connection::sim_connection(sim_world& world, std::uint64_t id, host_port address, std::string client,
                               sim_connection_watcher& watcher, std::uint32_t socket)
    : world_(world),
      id_(id),
      address_(std::move(address)),
      client_(std::move(client)),
      watcher_(&watcher),
      socket_(socket),
      to_peer_shape_(sim_pipe::shape::draw(world)),
      to_client_shape_(sim_pipe::shape::draw(world)),
      to_peer_(world, *this, id << 1, to_peer_shape_),
      to_client_(world, *this, id << 1 | 1, to_client_shape_) {}

// ---- the peer's end

void sim_connection::send(bytes answer) {
    if (!is_open() || answer.empty()) return;
    if (answers_before_reset_ > 0 && --answers_before_reset_ == 0 && !world_.is_healed()) {
        break_off(-ECONNRESET);
        return;
    }
    to_client_.write(answer);
}

void sim_connection::close() {
    if (!is_open()) return;
    peer_ = nullptr;
    was_closed_by_peer_ = true;
    to_client_.finish();
}

void sim_connection::reset() {
    if (!is_open()) return;
    peer_ = nullptr;
    break_off(-ECONNRESET);
}

void sim_connection::resume() {
    if (!std::exchange(is_paused_, false)) return;
    world_.in(duration::zero(), [this] { deliver_to_peer(); });
}

// ---- the client's end

std::optional<int> sim_connection::send_error() noexcept {
    if (!is_broken_) return std::nullopt;
    const int told = std::exchange(error_, 0);
    return told != 0 ? told : -EPIPE;
}

std::optional<int> sim_connection::receive_error() noexcept {
    if (readable() > 0) return std::nullopt;
    if (is_broken_) return std::exchange(error_, 0);
    if (to_client_.is_at_end()) return 0;
    return std::nullopt;
}

void sim_connection::fail(int error) {
    // Whether the peer learns of it now, or only when it has read everything, is the network's to choose.
    if (world_.chance().below(2) == 0) {
        break_off(error);
    } else {
        give_up(error);
    }
    error_ = 0;
}

void sim_connection::leave() {
    watcher_ = nullptr;
    const bool has_unread = readable() > 0;
    to_client_.drop();
    if (is_broken_) return;
    // With unread bytes the kernel sends a reset, which may overtake what is on its way.
    if (has_unread && world_.chance().below(2) == 0) {
        to_peer_.drop();
        world_.in(latency(), [this] { tell_peer_of_the_end(); });
    } else {
        to_peer_.finish();
    }
}

// ---- the network's

void sim_connection::refuse(int error) {
    if (watcher_ == nullptr) return;
    connect_result_ = error;
    world_.trace(sim_trace::connected, id_, static_cast<std::uint64_t>(error));
    wake_client();
}

void sim_connection::accept(sim_peer* peer) {
    is_accepted_ = true;
    peer_ = peer;
    if (peer_ != nullptr) {
        draw_reset();
        peer_->on_connect(*this);
        return;
    }
    was_closed_by_peer_ = true;
    if (world_.chance().below(2) == 0) {
        to_client_.finish();
    } else {
        world_.in(up_to(world_.chance(), 2 * latency()), [this] { break_off(-ECONNRESET); });
    }
}

void sim_connection::establish() {
    if (watcher_ == nullptr) return;
    connect_result_ = 0;
    world_.trace(sim_trace::connected, id_, 0);
    wake_client();
}

void sim_connection::draw_reset() {
    random& from = world_.chance();
    if (!world_.happens(world_.faults().reset)) return;
    switch (from.below(4)) {
        case 0: return to_peer_.cut_at(of_any_size(from, 1, 64 * 1024));
        case 1: return to_client_.cut_at(of_any_size(from, 1, 16 * 1024));
        case 2: answers_before_reset_ = of_any_size(from, 1, 64); return;
        default: break;
    }
    world_.in(up_to(from, world_.faults().reset_within), [this] {
        if (!world_.is_healed()) break_off(-ECONNRESET);
    });
}

void sim_connection::break_off(int error) {
    // The client may have given up, and the peer not know yet.
    if (to_peer_.is_broken()) return;
    to_peer_.drop();
    world_.in(latency(), [this] { tell_peer_of_the_end(); });
    end_for_client(error, world_.chance().below(2) == 0);
}

void sim_connection::give_up(int error) {
    to_peer_.finish();
    end_for_client(error, false);
}

void sim_connection::end_for_client(int error, bool keeps_unread) {
    if (is_broken_) return;
    is_broken_ = true;
    error_ = error;
    world_.trace(sim_trace::broken, id_, static_cast<std::uint64_t>(-error));
    if (keeps_unread) {
        to_client_.break_off();
    } else {
        to_client_.drop();
    }
    wake_client();
}

void sim_connection::hold() {
    to_peer_.hold();
    to_client_.hold();
}

void sim_connection::let_go() {
    to_peer_.let_go();
    to_client_.let_go();
}

void sim_connection::on_arrival(sim_pipe& pipe) {
    if (&pipe == &to_peer_) {
        deliver_to_peer();
    } else {
        wake_client();
    }
}

void sim_connection::on_cut(sim_pipe&) {
    break_off(-ECONNRESET);
}

void sim_connection::on_stall(sim_pipe&, time_point until) {
    if (!world_.happens(world_.faults().given_up)) return;
    world_.in(up_to(world_.chance(), until - world_.now()), [this] { give_up(-ETIMEDOUT); });
}

void sim_connection::deliver_to_peer() {
    if (const std::size_t size = to_peer_.readable(); size > 0) {
        if (was_closed_by_peer_) return break_off(-ECONNRESET);
        if (is_paused_) return;
        const bytes arrived = to_peer_.front();
        delivered_.assign(arrived.begin(), arrived.end());
        to_peer_.consume(size);
        if (peer_ != nullptr) peer_->on_bytes(*this, delivered_, world_.now());
        wake_client();
    }
    if (to_peer_.is_at_end()) tell_peer_of_the_end();
}

void sim_connection::tell_peer_of_the_end() {
    if (sim_peer* told = std::exchange(peer_, nullptr)) told->on_close(*this);
}

void sim_connection::wake_client() {
    if (watcher_ != nullptr) watcher_->on_ready(socket_);
}

void sim_connection::report(std::string& lines) const {
    if (watcher_ == nullptr && peer_ == nullptr) return;
    const auto say = [&](const char* to, const sim_pipe& pipe) {
        lines += fmt::format("; to the {}: {} bytes wait, {} on the way, {} unread{}", to,
                             pipe.size_waiting(), pipe.size_under_way(), pipe.readable(),
                             pipe.stalled_until() > world_.now() ? ", stalled" : "");
    };
    const char* state = !connect_result_        ? "connecting"
                        : *connect_result_ != 0 ? "refused"
                        : is_broken_            ? "broken"
                        : was_closed_by_peer_   ? "closed by the peer"
                        : watcher_ == nullptr   ? "left by the client"
                                                : "open";
    lines += fmt::format("  connection {}, {} -> {}: {}", id_, client_, address_.text(), state);
    say("peer", to_peer_);
    say("client", to_client_);
    lines += '\n';
}

}  // namespace sluice::testing
