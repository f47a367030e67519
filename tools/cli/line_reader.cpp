#include "cli/line_reader.hpp"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace sluice::cli {

std::optional<std::string_view> line_reader::next() {
    for (;;) {
        const char* from = buffer_.data() + begin_;
        if (const void* found = std::memchr(buffer_.data() + searched_, '\n', end_ - searched_)) {
            const auto size = static_cast<std::size_t>(static_cast<const char*>(found) - from);
            begin_ += size + 1;
            searched_ = begin_;
            return std::string_view(from, size);
        }
        searched_ = end_;
        if (is_at_end_ || !read_more()) {
            if (begin_ == end_ || was_woken_ || error_ != 0) return std::nullopt;
            const std::string_view last(buffer_.data() + begin_, end_ - begin_);
            begin_ = end_;
            searched_ = end_;
            return last;
        }
    }
}

bool line_reader::read_more() {
    if (begin_ > 0) {
        std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
        end_ -= begin_;
        begin_ = 0;
        searched_ = end_;
    }
    if (end_ == buffer_.size()) buffer_.resize(2 * buffer_.size());
    if (!wait_for_input()) return false;
    const ssize_t got = ::read(fd_, buffer_.data() + end_, buffer_.size() - end_);
    if (got > 0) {
        end_ += static_cast<std::size_t>(got);
        return true;
    }
    is_at_end_ = true;
    if (got < 0) error_ = errno;
    return false;
}

// A signal that only interrupted a read would be lost when it comes just before, or on another thread.
bool line_reader::wait_for_input() {
    constexpr int idle_every_ms = 100;
    for (;;) {
        pollfd watched[] = {{fd_, POLLIN, 0}, {wake_, POLLIN, 0}};
        const int count = ::poll(watched, 2, idle_every_ms);
        if (count < 0 && errno != EINTR) {
            error_ = errno;
            return false;
        }
        if (count > 0 && watched[1].revents != 0) {
            was_woken_ = true;
            return false;
        }
        if (count > 0) return true;
        idle_();
    }
}

}  // namespace sluice::cli
