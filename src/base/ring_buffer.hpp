// A queue with a maximum.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "base/ensure.hpp"

namespace sluice {

// First in, first out; never more than `capacity` values, never an allocation after construction.
template <class Value>
class ring_buffer {
public:
    explicit ring_buffer(std::size_t capacity) : slots_(capacity) { ensure(capacity > 0); }

    std::size_t size() const noexcept { return size_; }
    std::size_t capacity() const noexcept { return slots_.size(); }
    bool empty() const noexcept { return size_ == 0; }
    bool full() const noexcept { return size_ == slots_.size(); }

    void push(Value value) {
        ensure(!full());
        slots_[(first_ + size_) % slots_.size()] = std::move(value);
        ++size_;
    }
    Value& front() {
        ensure(!empty());
        return slots_[first_];
    }
    const Value& front() const {
        ensure(!empty());
        return slots_[first_];
    }
    Value pop() {
        Value value = std::move(front());
        first_ = (first_ + 1) % slots_.size();
        --size_;
        return value;
    }

private:
    std::vector<Value> slots_;
    std::size_t first_ = 0;
    std::size_t size_ = 0;
};

}  // namespace sluice
