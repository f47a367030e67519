// Bytes that a codec writes without knowing how many there will be.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>

#include "base/bytes.hpp"
#include "base/ensure.hpp"

namespace sluice {

//   [content ...............|room ......]
//   std::byte* at = buffer.room(100);  ... write n <= room_size() bytes there ...  buffer.add(n);
//
// Owner: one shard, or the caller.       Memory: the heap, kept by clear() up to `kept_max`.
class output_buffer {
public:
    static constexpr std::size_t kept_max = std::size_t{1} << 20;

    bytes content() const noexcept { return bytes(data_.get(), size_); }
    std::size_t size() const noexcept { return size_; }

    // Where the next bytes go; room for at least that many. What it returned before is void.
    std::byte* room(std::size_t size_min) {
        if (capacity_ - size_ < size_min) grow(size_min);
        return data_.get() + size_;
    }
    std::size_t room_size() const noexcept { return capacity_ - size_; }
    void add(std::size_t written) noexcept {
        ensure(written <= room_size());
        size_ += written;
    }
    void append(bytes added) {
        if (added.empty()) return;
        std::memcpy(room(added.size()), added.data(), added.size());
        size_ += added.size();
    }

    void clear() noexcept {
        size_ = 0;
        if (capacity_ <= kept_max) return;
        data_.reset();
        capacity_ = 0;
    }

private:
    void grow(std::size_t size_min) {
        const std::size_t wanted = std::max(size_ + size_min, 2 * capacity_);
        std::unique_ptr<std::byte[]> grown(new std::byte[wanted]);  // not set to zero
        if (size_ != 0) std::memcpy(grown.get(), data_.get(), size_);
        data_ = std::move(grown);
        capacity_ = wanted;
    }

    std::unique_ptr<std::byte[]> data_;
    std::size_t capacity_ = 0;
    std::size_t size_ = 0;
};

}  // namespace sluice
