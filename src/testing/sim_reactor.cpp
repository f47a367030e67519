#include "testing/sim_reactor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "base/ensure.hpp"
#include "testing/sim_draw.hpp"
#include "testing/sim_hash.hpp"

namespace sluice::testing {

namespace {

constexpr std::byte rubbish{0xd5};         // what a receive's buffer holds while it is lent
constexpr std::size_t rubbish_max = 4096;  // and is looked at; most answers are shorter
constexpr std::size_t tail_size = 1024;    // of a send that does not fit into the window
constexpr std::size_t sockets_max = 1u << 22;

constexpr int send_errors[] = {-EPIPE, -ECONNRESET, -ETIMEDOUT};
constexpr int receive_errors[] = {-ECONNRESET, -ETIMEDOUT, -EHOSTUNREACH};

constexpr const char* way_names[] = {"connect", "send", "receive"};
constexpr const char* stage_names[] = {"-",     "not submitted",        "submitted", "tried", "waiting",
                                       "moved", "completed, not reaped"};

std::size_t size_of(const msghdr& message) noexcept {
    std::size_t size = 0;
    for (std::size_t i = 0; i < message.msg_iovlen; ++i) size += message.msg_iov[i].iov_len;
    return size;
}

// What the kernel can take at once, and the end. To hash all of a megabyte that leaves in small steps would take for ever.
std::uint64_t hash_of_bytes(const msghdr& message, std::size_t head) noexcept {
    const std::size_t size = size_of(message);
    const std::size_t tail_begin = std::max(head, size - std::min(size, tail_size));
    std::uint64_t hash = size;
    std::size_t piece_begin = 0;
    for (std::size_t i = 0; i < message.msg_iovlen; ++i) {
        const bytes piece(static_cast<const std::byte*>(message.msg_iov[i].iov_base),
                          message.msg_iov[i].iov_len);
        const std::size_t piece_end = piece_begin + piece.size();
        if (piece_begin < head) hash = hash_of(piece.first(std::min(piece.size(), head - piece_begin)), hash);
        if (piece_end > tail_begin) {
            hash = hash_of(piece.subspan(std::max(piece_begin, tail_begin) - piece_begin), hash);
        }
        piece_begin = piece_end;
    }
    return hash;
}

std::uint64_t mix_address(std::uint64_t hash, const void* address) noexcept {
    return mix(hash, reinterpret_cast<std::uintptr_t>(address));
}

std::uint64_t hash_of_pieces(const msghdr& message) noexcept {
    std::uint64_t hash = mix(mix_address(0, message.msg_iov), message.msg_iovlen);
    hash = mix(mix_address(hash, message.msg_name), message.msg_namelen);
    hash = mix(mix_address(hash, message.msg_control), message.msg_controllen);
    for (std::size_t i = 0; i < message.msg_iovlen; ++i) {
        hash = mix(mix_address(hash, message.msg_iov[i].iov_base), message.msg_iov[i].iov_len);
    }
    return hash;
}

mutable_bytes looked_at(mutable_bytes buffer) noexcept {
    return buffer.first(std::min(buffer.size(), rubbish_max));
}

// The first byte is, and every other one is as the one before it.
bool is_rubbish(bytes looked) noexcept {
    return looked.front() == rubbish && std::memcmp(looked.data(), looked.data() + 1, looked.size() - 1) == 0;
}

error_code system_error(int number) noexcept {
    return {number, boost::system::system_category()};
}

}  // namespace

sim_reactor::sim_reactor(sim_network& network, std::string name, std::uint32_t id)
    : network_(network), world_(network.world()), name_(std::move(name)), id_(id) {}

sim_reactor::~sim_reactor() {
    if (pending_count_ > 0) {
        std::string left;
        report(left);
        world_.find(
            fmt::format("loop '{}' ended with {} operations pending:\n{}", name_, pending_count_, left));
    }
    for (slot& each : slots_) {
        for (pending& operation : each.ways) world_.cancel(operation.next_step);
        if (each.connection != nullptr) each.connection->leave();
    }
}

// ---- sockets

bool sim_reactor::is_open(socket_id socket) const noexcept {
    const auto index = static_cast<std::size_t>(socket);
    return index < slots_.size() && slots_[index].is_open;
}

result<socket_id> sim_reactor::open(int family, const socket_options&) {
    check_caller("open");
    if (family != AF_INET && family != AF_INET6) return system_error(EAFNOSUPPORT);
    if (world_.happens(world_.faults().open_fails)) return system_error(EMFILE);
    auto index = static_cast<std::uint32_t>(slots_.size());
    if (free_slots_.empty()) {
        ensure(slots_.size() < sockets_max);
        slots_.emplace_back();
        free_slots_.reserve(slots_.size());
    } else {
        index = free_slots_.back();
        free_slots_.pop_back();
    }
    slots_[index].is_open = true;
    slots_[index].family = family;
    world_.trace(sim_trace::opened, trace_id({index, connecting}));
    return static_cast<socket_id>(index);
}

void sim_reactor::close(socket_id socket) noexcept {
    check_caller("close");
    const auto index = static_cast<std::uint32_t>(socket);
    if (!is_open(socket)) return find({index, connecting}, "close of a socket that is not open");
    for (const way which : {connecting, sending, receiving}) {
        const place of{index, which};
        if (at(of).operation == nullptr) continue;
        find(of, "the socket is closed while this is pending");
        orphan(of);
    }
    world_.trace(sim_trace::closed, trace_id({index, connecting}));
    slot& closed = slots_[index];
    if (closed.connection != nullptr) closed.connection->leave();
    closed.connection = nullptr;
    closed.is_open = false;
    free_slots_.push_back(index);
}

// ---- starting

void sim_reactor::connect(socket_id socket, connect_operation& operation) noexcept {
    check_caller("connect");
    begin(socket, connecting, operation, 0);
}

void sim_reactor::send(socket_id socket, send_operation_base& operation) noexcept {
    check_caller("send");
    const place of{static_cast<std::uint32_t>(socket), sending};
    if (operation.message.msg_iovlen > UIO_MAXIOV) {
        find(of, "more pieces than UIO_MAXIOV");
        return refuse(operation, -EMSGSIZE);
    }
    if (is_open(socket) && slots_[of.socket].ways[connecting].operation != nullptr) {
        find(of, "started before the connect has completed");
        return refuse(operation, -EBUSY);
    }
    pending* begun = begin(socket, sending, operation, size_of(operation.message));
    if (begun == nullptr) return;
    const sim_connection* over = slot_of(of).connection;
    begun->hashed_size = over == nullptr ? begun->size : std::min(begun->size, over->window());
    begun->content_hash = hash_of_bytes(operation.message, begun->hashed_size);
}

void sim_reactor::receive(socket_id socket, receive_operation& operation) noexcept {
    check_caller("receive");
    if (operation.buffer.empty()) {
        find({static_cast<std::uint32_t>(socket), receiving}, "started with an empty buffer");
        return refuse(operation, -EINVAL);
    }
    if (begin(socket, receiving, operation, operation.buffer.size()) == nullptr) return;
    const mutable_bytes looked = looked_at(operation.buffer);
    std::memset(looked.data(), std::to_integer<int>(rubbish), looked.size());
}

// nullptr: it broke the contract, and completes with an error if it can complete at all.
sim_reactor::pending* sim_reactor::begin(socket_id socket, way which, io_operation& operation,
                                         std::size_t size) {
    const place of{static_cast<std::uint32_t>(socket), which};
    if (operation.is_pending) {
        find(of, "started while it is pending");
        return nullptr;
    }
    if (!is_open(socket)) {
        find(of, "started on a socket that is not open");
        refuse(operation, -EBADF);
        return nullptr;
    }
    pending& begun = at(of);
    if (begun.operation != nullptr) {
        find(of, "started while another one is pending on this socket");
        refuse(operation, -EBUSY);
        return nullptr;
    }
    begun.token = token_of(of, ++last_number_);
    begun.operation = &operation;
    begun.on_complete = operation.on_complete;
    begun.reached = stage::started;
    begun.since = world_.now();
    begun.size = size;
    begun.lent_hash = hash_what_is_lent(of);
    operation.is_pending = true;
    operation.of_reactor = begun.token;
    ++pending_count_;
    started_.push_back(of);
    world_.trace(sim_trace::operation, trace_id(of), size);
    return &begun;
}

void sim_reactor::refuse(io_operation& operation, int error) {
    if (operation.is_pending) return;  // has a completion of its own
    operation.is_pending = true;
    operation.of_reactor = 0;
    ++pending_count_;
    completed_.push_back({{}, &operation, error});
}

// Its socket is gone; it completes all the same.
void sim_reactor::orphan(place of) {
    pending& left = at(of);
    world_.cancel(left.next_step);
    std::erase(started_, of);
    std::erase_if(completed_,
                  [of](const completion& each) { return each.refused == nullptr && each.at == of; });
    completed_.push_back({{}, left.operation, -EBADF});
    left = {};
}

void sim_reactor::cancel(io_operation& operation) noexcept {
    check_caller("cancel");
    if (!operation.is_pending) return;
    const place of = place_of(operation.of_reactor);
    if (of.socket >= slots_.size() || of.which > receiving) return;
    if (at(of).operation != &operation) return;  // completed; its callback is on the way
    cancels_.push_back(at(of).token);
}

// ---- what the kernel does

void sim_reactor::submit() noexcept {
    check_caller("submit");
    for (std::size_t i = 0; i < started_.size(); ++i) {
        const place of = started_[i];
        at(of).reached = stage::submitted;
        if (world_.happens(world_.faults().tried_late)) {
            plan_step(of, some_time());
        } else {
            attempt(of);
        }
    }
    started_.clear();
    for (const std::uint64_t token : cancels_) {
        const place of = place_of(token);
        pending& wanted = at(of);
        if (wanted.token != token || wanted.is_cancelled) continue;
        if (wanted.reached != stage::submitted && wanted.reached != stage::waiting) continue;  // too late
        wanted.is_cancelled = true;
        world_.trace(sim_trace::cancelled, trace_id(of));
        world_.cancel(wanted.next_step);
        plan_step(of, some_time());
    }
    cancels_.clear();
}

void sim_reactor::plan_step(place of, duration wait) {
    ensure(at(of).next_step == sim_world::event_id::none);
    at(of).next_step = world_.in(wait, [this, of] { step(of); });
}

void sim_reactor::step(place of) {
    at(of).next_step = sim_world::event_id::none;
    if (at(of).reached == stage::moved) {
        complete(of);
    } else {
        attempt(of);
    }
}

void sim_reactor::on_ready(std::uint32_t socket) {
    for (const way which : {connecting, sending, receiving}) {
        const pending& waiting = slots_[socket].ways[which];
        if (waiting.reached != stage::waiting || waiting.next_step != sim_world::event_id::none) continue;
        const bool is_late = world_.happens(world_.faults().tried_late);
        plan_step({socket, which}, is_late ? some_time() : duration::zero());
    }
}

void sim_reactor::attempt(place of) {
    if (!is_operation_there(of)) return;
    check_what_is_lent(of);
    const bool is_first = at(of).reached == stage::submitted;
    at(of).reached = stage::tried;  // what the connection says meanwhile is no news
    std::optional<int> result;
    if (at(of).is_cancelled) {
        result = cancelled(of);
    } else {
        switch (of.which) {
            case connecting: result = attempt_connect(of, is_first); break;
            case sending: result = attempt_send(of); break;
            case receiving: result = attempt_receive(of); break;
        }
    }
    if (result) {
        move_done(of, *result);
    } else {
        at(of).reached = stage::waiting;
    }
}

std::optional<int> sim_reactor::attempt_connect(place of, bool is_first) {
    slot& with = slot_of(of);
    const endpoint& peer = static_cast<connect_operation&>(*at(of).operation).peer;
    if (!is_first) return with.connection->connect_result();
    if (with.connection != nullptr && with.connection->connect_result() == 0) return -EISCONN;
    if (peer.family() != with.family) return -EAFNOSUPPORT;
    if (with.connection != nullptr) with.connection->leave();  // refused before
    with.connection = &network_.connect(peer, name_, *this, of.socket);
    return std::nullopt;
}

std::optional<int> sim_reactor::attempt_send(place of) {
    const fault_plan& faults = world_.faults();
    sim_connection* const over = slot_of(of).connection;
    if (over == nullptr || over->connect_result() != 0) return -EPIPE;
    if (const auto error = over->send_error()) return error;
    if (world_.happens(faults.no_buffers)) return -ENOBUFS;
    if (world_.happens(faults.send_fails)) {
        const int error = one_of(send_errors);
        over->fail(error);
        return error;
    }
    const std::size_t size_max = std::min(at(of).size, over->room());
    if (size_max == 0 && at(of).size > 0) return std::nullopt;
    std::size_t size = size_max;
    if (size > 1 && world_.happens(faults.short_send)) size = of_any_size(world_.chance(), 1, size - 1);
    copy(of, size);
    return static_cast<int>(size);
}

std::optional<int> sim_reactor::attempt_receive(place of) {
    const fault_plan& faults = world_.faults();
    sim_connection* const over = slot_of(of).connection;
    if (over == nullptr && slot_of(of).ways[connecting].operation == nullptr) return -ENOTCONN;
    if (over == nullptr || !over->connect_result()) return std::nullopt;
    if (over->connect_result() != 0) return -ENOTCONN;
    if (const auto error = over->receive_error()) return error;
    if (over->readable() == 0) return std::nullopt;
    if (world_.happens(faults.receive_fails)) {
        const int error = one_of(receive_errors);
        over->fail(error);
        return error;
    }
    std::size_t size = std::min(at(of).size, over->readable());
    if (size > 1 && world_.happens(faults.short_receive)) size = of_any_size(world_.chance(), 1, size - 1);
    const bytes arrived = over->front().first(size);
    at(of).taken.assign(arrived.begin(), arrived.end());
    over->consume(size);
    return static_cast<int>(size);
}

// What comes of a cancelled operation: it ends now, one way or the other.
int sim_reactor::cancelled(place of) {
    const fault_plan& faults = world_.faults();
    sim_connection* const over = slot_of(of).connection;
    const bool is_connected = over != nullptr && over->connect_result() == 0;
    if (world_.happens(faults.cancelled_too_late)) {
        std::optional<int> result;
        if (of.which == connecting && over != nullptr) result = over->connect_result();
        if (of.which == sending && is_connected) result = attempt_send(of);
        if (of.which == receiving && is_connected) result = attempt_receive(of);
        if (result) return *result;
    }
    if (of.which == sending && is_connected && world_.happens(faults.cancelled_half_way)) {
        if (const std::size_t size_max = std::min(at(of).size, over->room()); size_max > 0) {
            const std::size_t size = between(world_.chance(), 1, size_max);
            copy(of, size);
            return world_.chance().below(2) == 0 ? static_cast<int>(size) : -ECANCELED;
        }
    }
    if (of.which == connecting && over != nullptr) {
        over->leave();
        slot_of(of).connection = nullptr;
    }
    return -ECANCELED;
}

void sim_reactor::copy(place of, std::size_t size) {
    const msghdr& message = send_at(of).message;
    gathered_.clear();
    for (std::size_t i = 0; i < message.msg_iovlen && gathered_.size() < size; ++i) {
        const auto* begin = static_cast<const std::byte*>(message.msg_iov[i].iov_base);
        gathered_.insert(gathered_.end(), begin,
                         begin + std::min(message.msg_iov[i].iov_len, size - gathered_.size()));
    }
    slot_of(of).connection->write(gathered_);
}

void sim_reactor::move_done(place of, int result) {
    at(of).reached = stage::moved;
    at(of).result = result;
    world_.trace(sim_trace::moved, trace_id(of), static_cast<std::uint64_t>(result));
    if (world_.happens(world_.faults().completed_late)) {
        plan_step(of, some_time());
    } else {
        complete(of);
    }
}

void sim_reactor::complete(place of) {
    if (!is_operation_there(of)) return;
    at(of).reached = stage::completed;
    completed_.push_back({of, nullptr, 0});
    world_.trace(sim_trace::completed, trace_id(of));
    if (of.which == receiving && world_.chance().below(2) == 0) write_taken(of);
}

void sim_reactor::write_taken(place of) {
    pending& done = at(of);
    if (done.taken.empty()) return;
    check_what_is_lent(of);
    std::memcpy(buffer_at(of).data(), done.taken.data(), done.taken.size());
    done.is_written = true;
}

// ---- reaping

void sim_reactor::submit_and_wait(time_point deadline, completion_list& completed) noexcept {
    submit();
    world_.pass(up_to(world_.chance(), world_.faults().system_call_max));
    if (!is_woken() && deadline > world_.now()) wait(deadline);
    is_rung_ = false;
    for (const completion& each : completed_) hand_over(each, completed);
    completed_.clear();
}

void sim_reactor::wait(time_point deadline) {
    // Events are nobody's turn.
    event_loop* const before = event_loop::enter(nullptr);
    const bool can_anything_happen = world_.wait([this] { return is_woken(); }, deadline);
    event_loop::enter(before);
    if (!can_anything_happen) {
        std::string lines = world_.report();
        report(lines);
        std::fputs(lines.c_str(), stderr);
    }
    ensure(can_anything_happen);  // this loop would wait for ever
}

void sim_reactor::hand_over(const completion& done, completion_list& completed) {
    if (done.refused != nullptr) {
        --pending_count_;
        done.refused->result = done.result;
        completed.push(*done.refused);
        return;
    }
    const place of = done.at;
    if (!is_operation_there(of)) return;
    pending& reaped = at(of);
    if (of.which == receiving && !reaped.is_written) write_taken(of);
    check_what_is_lent(of);
    const std::uint64_t content = of.which == receiving ? hash_of(reaped.taken) : reaped.content_hash;
    world_.trace(sim_trace::reaped, trace_id(of), content);
    io_operation& operation = *reaped.operation;
    operation.result = reaped.result;
    std::vector<std::byte> kept = std::move(reaped.taken);
    kept.clear();
    reaped = {};
    reaped.taken = std::move(kept);  // its memory, for the next one
    --pending_count_;
    completed.push(operation);
}

// ---- the contract

// Whether the operation is where it was. If not, it is forgotten: touching it would make things worse.
bool sim_reactor::is_operation_there(place of) {
    pending& looked_for = at(of);
    const io_operation& operation = *looked_for.operation;
    if (operation.is_pending && operation.of_reactor == looked_for.token &&
        operation.on_complete == looked_for.on_complete) {
        return true;
    }
    find(of, "the operation was destroyed or overwritten while it was pending");
    world_.cancel(looked_for.next_step);
    looked_for = {};
    --pending_count_;
    return false;
}

std::uint64_t sim_reactor::hash_what_is_lent(place of) {
    switch (of.which) {
        case connecting: {
            const endpoint& peer = static_cast<connect_operation&>(*at(of).operation).peer;
            return hash_of({reinterpret_cast<const std::byte*>(peer.address()), peer.size()});
        }
        case sending: return hash_of_pieces(send_at(of).message);
        case receiving: return mix(mix_address(0, buffer_at(of).data()), buffer_at(of).size());
    }
    return 0;
}

void sim_reactor::check_what_is_lent(place of) {
    pending& lent = at(of);
    if (lent.is_found) return;
    const auto found = [&](const char* what) {
        lent.is_found = true;
        find(of, what);
    };
    if (hash_what_is_lent(of) != lent.lent_hash) {
        constexpr const char* whats[] = {"the address changed while the kernel had it",
                                         "the message or its array of pieces changed while the kernel had it",
                                         "another buffer was set while the kernel had this one"};
        return found(whats[of.which]);
    }
    if (of.which == sending && hash_of_bytes(send_at(of).message, lent.hashed_size) != lent.content_hash) {
        return found("buffer changed while the kernel had it");
    }
    if (of.which != receiving) return;
    if (!lent.is_written) {
        if (!is_rubbish(looked_at(buffer_at(of)))) found("buffer changed while the kernel had it");
    } else if (std::memcmp(buffer_at(of).data(), lent.taken.data(), lent.taken.size()) != 0) {
        found("buffer changed while the kernel had it");
    }
}

void sim_reactor::check_caller(const char* call) {
    const event_loop* const here = event_loop::current();
    if (loop_ == nullptr || here == nullptr || here == loop_) return;
    world_.find(fmt::format("loop '{}': {} was called on the thread of another loop", name_, call));
}

void sim_reactor::find(place of, const char* what) {
    world_.find(text_of(of) + ": " + what);
}

std::string sim_reactor::text_of(place of) const {
    std::string text = fmt::format("loop '{}': {} on socket {}", name_, way_names[of.which], of.socket);
    if (of.socket < slots_.size() && slots_[of.socket].connection != nullptr) {
        text += fmt::format(" ({})", slots_[of.socket].connection->address().text());
    }
    return text;
}

void sim_reactor::report(std::string& lines) const {
    for (std::uint32_t i = 0; i < slots_.size(); ++i) {
        for (const way which : {connecting, sending, receiving}) {
            const pending& each = slots_[i].ways[which];
            if (each.operation == nullptr) continue;
            const double seconds = std::chrono::duration<double>(world_.now() - each.since).count();
            lines += fmt::format("  {}: ", text_of({i, which}));
            if (which != connecting) lines += fmt::format("{} bytes, ", each.size);
            lines += fmt::format("{}{}, for {:.6f} s\n", stage_names[static_cast<int>(each.reached)],
                                 each.is_cancelled ? ", cancelled" : "", seconds);
        }
    }
}

}  // namespace sluice::testing
