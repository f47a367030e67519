#include "memory/buffer_pool.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <new>

namespace sluice {

buffer_pool::buffer_pool(std::size_t capacity_bytes, std::uint32_t chunk_size_bytes)
    : chunk_size_(chunk_size_bytes),
      capacity_(static_cast<std::uint32_t>(capacity_bytes / chunk_size_bytes)) {
    ensure(chunk_size_bytes > 0);
    ensure(capacity_ > 0);
    next_.resize(capacity_, chunk_index::none);
    void* mapped = mmap(nullptr, std::size_t{capacity_} * chunk_size_, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) throw std::bad_alloc();
    base_ = static_cast<std::byte*>(mapped);
}

buffer_pool::~buffer_pool() {
    munmap(base_, std::size_t{capacity_} * chunk_size_);
    for (std::byte* chunk : extra_) delete[] chunk;
}

chunk_index buffer_pool::take() noexcept {
    if (free_ != chunk_index::none) {
        const chunk_index chunk = free_;
        free_ = next(chunk);
        return chunk;
    }
    if (touched_ < capacity_) return chunk_index{touched_++};
    return chunk_index::none;
}

void buffer_pool::append(chunk_chain& to, chunk_index chunk) noexcept {
    next_[static_cast<std::uint32_t>(chunk)] = chunk_index::none;
    if (to.empty()) {
        to.first = chunk;
    } else {
        next_[static_cast<std::uint32_t>(to.last)] = chunk;
    }
    to.last = chunk;
    ++to.count;
}

bool buffer_pool::try_lend(chunk_chain& to, std::uint32_t count) noexcept {
    if (free_chunks() < std::int64_t{count}) return false;
    lent_ += count;
    for (; count > 0; --count) {
        const chunk_index chunk = take();
        ensure(chunk != chunk_index::none);
        append(to, chunk);
    }
    return true;
}

void buffer_pool::lend_beyond_budget(chunk_chain& to, std::uint32_t count) {
    for (; count > 0; --count) {
        if (free_chunks() > 0) {
            const bool lent = try_lend(to, 1);
            ensure(lent);
            continue;
        }
        const auto unused = std::find(extra_.begin(), extra_.end(), nullptr);
        const auto slot = static_cast<std::uint32_t>(unused - extra_.begin());
        if (unused == extra_.end()) {
            extra_.push_back(nullptr);
            next_.push_back(chunk_index::none);
        }
        extra_[slot] = new std::byte[chunk_size_];
        ++lent_;
        append(to, chunk_index{capacity_ + slot});
    }
}

void buffer_pool::release(chunk_chain& chain) noexcept {
    if (chain.empty()) return;
    lent_ -= chain.count;
    ensure(lent_ >= 0);
    for (chunk_index chunk = chain.first; chunk != chunk_index::none;) {
        const chunk_index following = next(chunk);
        const auto index = static_cast<std::uint32_t>(chunk);
        if (index < capacity_) {
            next_[index] = free_;
            free_ = chunk;
        } else {
            delete[] extra_[index - capacity_];
            extra_[index - capacity_] = nullptr;
        }
        chunk = following;
    }
    chain = chunk_chain{};
}

void buffer_pool::release_behind(chunk_chain& chain, std::uint32_t kept) noexcept {
    ensure(kept > 0);
    ensure(kept <= chain.count);
    if (kept == chain.count) return;
    chunk_index last = chain.first;
    for (std::uint32_t i = 1; i < kept; ++i) last = next(last);
    chunk_chain rest;
    rest.first = next(last);
    rest.last = chain.last;
    rest.count = chain.count - kept;
    next_[static_cast<std::uint32_t>(last)] = chunk_index::none;
    chain.last = last;
    chain.count = kept;
    release(rest);
}

bool buffer_pool::try_reserve(std::uint32_t count) noexcept {
    if (free_chunks() < std::int64_t{count}) return false;
    lent_ += count;
    return true;
}

void buffer_pool::unreserve(std::uint32_t count) noexcept {
    lent_ -= count;
    ensure(lent_ >= 0);
}

bool buffer_pool::serve(time_point now) {
    bool has_served = false;
    while (!waiters_.empty()) {
        memory_waiter& first = waiters_.front();
        if (!first.serve_memory(now)) break;
        ensure(waiters_.empty() || &waiters_.front() != &first);
        has_served = true;
    }
    return has_served;
}

}  // namespace sluice
