// Lines from a file or a pipe, as they come.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::cli {

// Reads on when a line needs more. `wake`, a descriptor, ends the input once it is readable; `idle` is called ten times a
// second while the input is silent. The last line may lack its line end. A carriage return before the line end belongs to
// the line.
class line_reader {
public:
    line_reader(int fd, int wake, std::function<void()> idle)
        : fd_(fd), wake_(wake), idle_(std::move(idle)) {}

    // The next line without its line end, valid until the next call; nullopt at the end, or when woken.
    std::optional<std::string_view> next();
    // The errno of a read that failed; 0 for none.
    int error() const noexcept { return error_; }

private:
    bool read_more();
    bool wait_for_input();

    int fd_;
    int wake_;
    std::function<void()> idle_;
    std::vector<char> buffer_ = std::vector<char>(1 << 16);
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    std::size_t searched_ = 0;  // no line end before it
    bool is_at_end_ = false;
    bool was_woken_ = false;
    int error_ = 0;
};

}  // namespace sluice::cli
