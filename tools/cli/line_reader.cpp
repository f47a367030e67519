#include "cli/line_reader.hpp"

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
            if (begin_ == end_ || was_interrupted_ || error_ != 0) return std::nullopt;
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
    const ssize_t got = ::read(fd_, buffer_.data() + end_, buffer_.size() - end_);
    if (got > 0) {
        end_ += static_cast<std::size_t>(got);
        return true;
    }
    is_at_end_ = true;
    if (got < 0 && errno == EINTR) {
        was_interrupted_ = true;
    } else if (got < 0) {
        error_ = errno;
    }
    return false;
}

}  // namespace sluice::cli
