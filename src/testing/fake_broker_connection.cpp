#include "sluice/testing/fake_broker_connection.hpp"

#include <algorithm>
#include <cstring>
#include <deque>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "testing/broker_requests.hpp"
#include "testing/cluster_state.hpp"
#include "wire/big_endian.hpp"

namespace sluice::testing {
namespace {

constexpr std::size_t buffer_size_min = 16u << 10;
constexpr std::size_t held_answer_count_max = 4096;
constexpr std::size_t frame_prefix_size = wire::frame_prefix_size;

// A time that may never come: `wait` may be fate::never.
time_point due_after(time_point now, fate::duration wait) noexcept {
    return wait == fate::never ? never : after(now, wait);
}

}  // namespace

//   buffer   [ handled | head frame, more frames, a part of one | free ]
//                      ^begin                                   ^end
//
//   head frame   fate chosen when it is whole; handled when `wait_until` has come
//   held         answers that wait for their time, or for one before them
class fake_broker_connection::state {
public:
    state(cluster_state& cluster, std::int32_t node)
        : cluster_(cluster), broker_(cluster.find_broker(node)), node_(node) {
        if (broker_ == nullptr) return;
        incarnation_ = broker_->incarnation;
        number_ = cluster.next_connection_number();
        ++broker_->connection_count;
    }

    std::int32_t node() const noexcept { return node_; }
    std::uint64_t number() const noexcept { return number_; }
    bool wants_bytes() const noexcept { return !is_closed_ && !is_waiting_; }

    mutable_bytes receive_buffer() {
        const std::size_t wanted = std::max(missing_of_head(), buffer_size_min / 4);
        if (buffer_.size() - end_ < wanted) make_room(wanted);
        return mutable_bytes(buffer_).subspan(end_);
    }

    void received(std::size_t size, time_point now, broker_output& out) {
        if (is_closed_) return;
        end_ += size;
        if (broker_ != nullptr) broker_->bytes_received += size;
        advance(now, out);
    }

    void advance(time_point now, broker_output& out) {
        const std::size_t size_before = out.bytes.size();
        if (is_gone()) close();
        while (!is_closed_) {
            release_held(now, out);
            if (!handle_next(now, out)) break;
        }
        if (broker_ != nullptr) broker_->bytes_sent += out.bytes.size() - size_before;
        out.is_closed = is_closed_;
        out.due = is_closed_ ? never : next_due(now);
    }

private:
    bool is_gone() const noexcept {
        return broker_ == nullptr || !broker_->is_alive || broker_->incarnation != incarnation_;
    }

    void close() noexcept {
        is_closed_ = true;
        held_.clear();
    }

    // Handles the request at the head. False: there is none, or it has to wait.
    bool handle_next(time_point now, broker_output& out) {
        is_waiting_ = now < wait_until_ || held_.size() >= held_answer_count_max;
        if (is_waiting_) return false;
        const std::optional<bytes> frame = head_frame();
        if (!frame) return false;
        if (!requests_.open(*broker_, *frame)) {
            close();
            return false;
        }
        if (!fate_) {
            ++broker_->request_counts[requests_.header().api_key];
            fate_ = requests_.choose_fate(cluster_, *broker_, number_);
            if (is_gone()) {  // the hook killed it
                close();
                return false;
            }
            if (fate_->handle_after > fate::duration::zero()) {
                wait_until_ = due_after(now, fate_->handle_after);
                return true;
            }
        }
        const fate what = *std::exchange(fate_, std::nullopt);
        handle(what, now, out);
        begin_ += frame_prefix_size + frame->size();
        if (begin_ == end_) begin_ = end_ = 0;
        return true;
    }

    void handle(const fate& what, time_point now, broker_output& out) {
        if (what.how == fate::reply::disconnect && !what.is_applied) return close();
        answer_.clear();
        const reaction came_to = requests_.handle(cluster_, *broker_, what, now, answer_);
        if (came_to == reaction::disconnect || what.how == fate::reply::disconnect) return close();
        if (cluster_.throttle_time.count() > 0) wait_until_ = after(now, cluster_.throttle_time);
        if (came_to == reaction::no_answer) return;
        if (held_.empty() && what.answer_after == fate::duration::zero()) {
            append_answer(what, out.bytes);
        } else {
            held_answer& late = held_.emplace_back();
            late.due = due_after(now, what.answer_after);
            append_answer(what, late.bytes);
        }
    }

    // The answer as it was written, or what its fate makes of it.
    void append_answer(const fate& what, std::vector<std::byte>& to) {
        const std::size_t begin = to.size();
        if (what.how == fate::reply::garbage) {
            append_frame(static_cast<std::int32_t>(what.garbage_bytes.size()), as_bytes(what.garbage_bytes),
                         to);
            return;
        }
        if (what.how == fate::reply::huge_frame) {
            append_frame(std::numeric_limits<std::int32_t>::max(), as_bytes("and so on"), to);
            return;
        }
        pieces_.clear();
        answer_.pieces(pieces_);
        for (const iovec& piece : pieces_) {
            const auto* from = static_cast<const std::byte*>(piece.iov_base);
            to.insert(to.end(), from, from + piece.iov_len);
        }
        if (what.how == fate::reply::wrong_correlation_id) {
            std::byte* place = to.data() + begin + frame_prefix_size;
            wire::store_big_endian(place, wire::load_big_endian<std::int32_t>(place) + 1);
        }
    }

    static void append_frame(std::int32_t size, bytes content, std::vector<std::byte>& to) {
        std::array<std::byte, frame_prefix_size> prefix;
        wire::store_big_endian(prefix.data(), size);
        to.insert(to.end(), prefix.begin(), prefix.end());
        to.insert(to.end(), content.begin(), content.end());
    }

    void release_held(time_point now, broker_output& out) {
        while (!held_.empty() && held_.front().due <= now) {
            const std::vector<std::byte>& ready = held_.front().bytes;
            out.bytes.insert(out.bytes.end(), ready.begin(), ready.end());
            held_.pop_front();
        }
    }

    time_point next_due(time_point now) const noexcept {
        time_point due = held_.empty() ? never : held_.front().due;
        if (wait_until_ > now) due = std::min(due, wait_until_);
        return due;
    }

    // The payload of the frame at the head, if all of it is here. Closes where there can be no such frame.
    std::optional<bytes> head_frame() {
        const std::size_t missing = missing_of_head();
        if (missing > 0) return std::nullopt;
        const auto size = wire::load_big_endian<std::int32_t>(buffer_.data() + begin_);
        if (size < 0 || size > cluster_.config().socket_request_max_bytes) {
            close();
            return std::nullopt;
        }
        return bytes(buffer_).subspan(begin_ + frame_prefix_size, static_cast<std::size_t>(size));
    }

    // How many bytes are missing until the head frame is whole; 0 for one that is refused by its size.
    std::size_t missing_of_head() const noexcept {
        const std::size_t here = end_ - begin_;
        if (here < frame_prefix_size) return frame_prefix_size - here;
        const auto size = wire::load_big_endian<std::int32_t>(buffer_.data() + begin_);
        if (size < 0 || size > cluster_.config().socket_request_max_bytes) return 0;
        const std::size_t whole = frame_prefix_size + static_cast<std::size_t>(size);
        return whole > here ? whole - here : 0;
    }

    void make_room(std::size_t wanted) {
        if (begin_ > 0) {
            std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
            end_ -= begin_;
            begin_ = 0;
        }
        if (buffer_.size() - end_ < wanted) buffer_.resize(std::max(end_ + wanted, buffer_size_min));
    }

    struct held_answer {
        time_point due;
        std::vector<std::byte> bytes;
    };

    cluster_state& cluster_;
    fake_broker* broker_;
    std::int32_t node_;
    std::uint32_t incarnation_ = 0;
    std::uint64_t number_ = 0;

    std::vector<std::byte> buffer_;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    std::optional<fate> fate_;  // of the head frame, while it waits
    time_point wait_until_ = time_point::min();
    bool is_waiting_ = false;
    bool is_closed_ = false;
    std::deque<held_answer> held_;

    broker_requests requests_;
    wire::writer answer_;
    std::vector<iovec> pieces_;
};

fake_broker_connection::fake_broker_connection(fake_cluster& cluster, std::int32_t node)
    : state_(std::make_unique<state>(*cluster.state_, node)) {}
fake_broker_connection::fake_broker_connection(fake_broker_connection&&) noexcept = default;
fake_broker_connection& fake_broker_connection::operator=(fake_broker_connection&&) noexcept = default;
fake_broker_connection::~fake_broker_connection() = default;

void fake_broker_connection::receive(std::span<const std::byte> bytes, time_point now, broker_output& out) {
    do {
        const std::span<std::byte> room = state_->receive_buffer();
        const std::size_t size = std::min(room.size(), bytes.size());
        std::copy_n(bytes.begin(), size, room.begin());
        bytes = bytes.subspan(size);
        state_->received(size, now, out);
    } while (!bytes.empty() && !out.is_closed);
}

std::span<std::byte> fake_broker_connection::receive_buffer() {
    return state_->receive_buffer();
}

void fake_broker_connection::received(std::size_t size_bytes, time_point now, broker_output& out) {
    state_->received(size_bytes, now, out);
}

void fake_broker_connection::advance(time_point now, broker_output& out) {
    state_->advance(now, out);
}
bool fake_broker_connection::wants_bytes() const noexcept {
    return state_->wants_bytes();
}
std::int32_t fake_broker_connection::node() const noexcept {
    return state_->node();
}
std::uint64_t fake_broker_connection::number() const noexcept {
    return state_->number();
}

}  // namespace sluice::testing
