// The record set of one partition in a Produce request.
#pragma once

#include <cstddef>
#include <span>

#include "base/bytes.hpp"

namespace sluice::wire {

//   records = null | piece*          usually: the 61 bytes of a batch header, then the chunks of its body
//
// Pieces are bytes somewhere else, in order; together they are one record batch. `encode` copies small pieces
// (at most `copied_size_max` bytes: they cost less in the arena than as an iovec entry) and refers to the
// others, so:
//
//   piece list       must live until encode returns
//   small pieces     likewise
//   large pieces     must live, unchanged, until the request is on the wire and done (design §6)
//
// A decoded one has one piece, in the frame. Owner: caller. Null and empty are different things.
class records {
public:
    static constexpr std::size_t copied_size_max = 128;

    constexpr records() noexcept = default;  // null
    constexpr records(bytes whole) noexcept : one_(whole), size_(whole.size()), is_null_(false) {}
    constexpr records(std::span<const bytes> pieces) noexcept
        : many_(pieces), size_(0), is_null_(false), is_list_(true) {
        for (const bytes piece : pieces) size_ += piece.size();
    }

    constexpr bool is_null() const noexcept { return is_null_; }
    constexpr std::size_t size() const noexcept { return size_; }
    // Valid as long as this object.
    constexpr std::span<const bytes> pieces() const noexcept {
        if (is_null_) return {};
        return is_list_ ? many_ : std::span<const bytes>(&one_, 1);
    }

private:
    bytes one_;
    std::span<const bytes> many_;
    std::size_t size_ = 0;
    bool is_null_ = true;
    bool is_list_ = false;
};

}  // namespace sluice::wire
