#include "testing/server_connection.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>

namespace sluice::testing {
namespace {

// A peer that does not read its answers is not read from either.
constexpr std::size_t unsent_size_max = 4u << 20;
// Of one turn, so that one connection does not keep the others waiting.
constexpr std::size_t read_size_max = 4u << 20;
constexpr int slow_receive_buffer_size = 64 << 10;

}  // namespace

std::size_t read_pace::size_max() const noexcept {
    if (!is_limited()) return std::numeric_limits<std::size_t>::max();
    return static_cast<std::size_t>(std::clamp<std::uint64_t>(bytes_per_second_ / 100, 256, 64u << 10));
}

void read_pace::has_read(std::size_t size, time_point now) noexcept {
    if (!is_limited()) return;
    const std::chrono::duration<double> time(static_cast<double>(size) /
                                             static_cast<double>(bytes_per_second_));
    free_at_ = std::max(now, free_at_) + std::chrono::duration_cast<time_point::duration>(time);
}

void server_connection::read(time_point now, read_pace& pace) {
    std::size_t left = read_size_max;
    while (left > 0 && now >= pace.free_at() && wants_to_read()) {
        const std::span<std::byte> room = broker_.receive_buffer();
        const std::size_t asked = std::min(room.size(), pace.size_max());
        const ssize_t size = ::recv(socket_.get(), room.data(), asked, MSG_DONTWAIT);
        if (size < 0 && errno == EINTR) continue;
        if (size < 0 && errno == EAGAIN) return;
        if (size <= 0) {
            is_broken_ = true;
            return;
        }
        const auto read = static_cast<std::size_t>(size);
        pace.has_read(read, now);
        broker_.received(read, now, output_);
        send();
        if (read < asked) return;  // nothing is left, most probably: the poll will tell
        left -= std::min(left, read);
    }
}

void server_connection::advance(time_point now) {
    broker_.advance(now, output_);
    send();
}

bool server_connection::is_done() const noexcept {
    if (is_broken_) return true;
    if (has_unsent()) return false;
    // A request that is never answered, of a client that has gone.
    const bool is_forgotten =
        is_closed_by_peer_ && !broker_.wants_bytes() && output_.due == time_point::max();
    return output_.is_closed || is_forgotten;
}

bool server_connection::wants_to_read() const noexcept {
    return !is_broken_ && !output_.is_closed && broker_.wants_bytes() &&
           output_.bytes.size() - sent_ < unsent_size_max;
}

void server_connection::limit_receive_buffer() noexcept {
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUF, &slow_receive_buffer_size,
                 sizeof slow_receive_buffer_size);
}

void server_connection::finish() noexcept {
    // Closing with bytes unread would be a reset, which takes from the peer what it has not read yet.
    ::shutdown(socket_.get(), SHUT_WR);
    std::array<std::byte, 65536> unread;
    while (::recv(socket_.get(), unread.data(), unread.size(), MSG_DONTWAIT) > 0) {}
    socket_.close();
}

void server_connection::send() noexcept {
    while (has_unsent()) {
        const ssize_t size = ::send(socket_.get(), output_.bytes.data() + sent_, output_.bytes.size() - sent_,
                                    MSG_DONTWAIT | MSG_NOSIGNAL);
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) {
            if (errno != EAGAIN) is_broken_ = true;
            return;
        }
        sent_ += static_cast<std::size_t>(size);
    }
    output_.bytes.clear();
    sent_ = 0;
}

}  // namespace sluice::testing
