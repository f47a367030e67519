// Lines from a file or a pipe, as they come.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::cli {

// Reads on with read(2) when a line needs more; a signal that interrupts the read ends the input. The last line may lack
// its line end. A carriage return before the line end belongs to the line.
class line_reader {
public:
    explicit line_reader(int fd) : fd_(fd) {}

    // The next line without its line end, valid until the next call; nullopt at the end, or after an interruption.
    std::optional<std::string_view> next();
    bool was_interrupted() const noexcept { return was_interrupted_; }
    // The errno of a read that failed; 0 for none.
    int error() const noexcept { return error_; }

private:
    bool read_more();

    int fd_;
    std::vector<char> buffer_ = std::vector<char>(1 << 16);
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    std::size_t searched_ = 0;  // no line end before it
    bool is_at_end_ = false;
    bool was_interrupted_ = false;
    int error_ = 0;
};

}  // namespace sluice::cli
