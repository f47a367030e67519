// The memory budget of one shard (its part of Kafka's `buffer.memory`), lent out as chunks of one size.
//
//   lent + free = capacity        chunks; `free` dips below zero only while parts of a split batch are out (SPL-7)
//
// Who needs memory for a new batch and finds none joins the queue; memory goes to the head first, and nobody
// overtakes: while somebody waits, newcomers wait too (BUF-5, BUF-8; stricter than Java). Growth of a batch that is
// open already never waits: it gets a chunk or none. The pool wakes nobody itself: the owner's serve step gives memory
// to the waiters, in order.
//
// Owner:  one shard; not synchronised.       Outlives: every chunk it lent.
// Memory: one mapping, reserved at once, touched as chunks are first used; the chunk given back last is lent first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/arrival_order.hpp"
#include "base/ensure.hpp"
#include "base/time.hpp"
#include "sluice/detail/task.hpp"

namespace sluice {

enum class chunk_index : std::uint32_t { none = 0xffffffff };

// Chunks in order, linked inside the pool.
struct chunk_chain {
    chunk_index first = chunk_index::none;
    chunk_index last = chunk_index::none;
    std::uint32_t count = 0;

    bool empty() const noexcept { return count == 0; }
};

// Who waits for memory. Unlinks itself when it is destroyed.
class memory_waiter : public list_hook<memory_waiter> {
public:
    // It is the first: takes what it needs, and says true; then it is off the queue. Or says false, and stays the first.
    virtual bool serve_memory(time_point now) = 0;
    virtual std::uint64_t arrival_number() const noexcept { return no_arrival_number; }
    bool waits_for_memory() const noexcept { return list_hook<memory_waiter>::is_linked(); }

protected:
    ~memory_waiter() = default;
};

class buffer_pool {
public:
    // Rounds the capacity down to whole chunks. Throws std::bad_alloc if the address space is refused.
    buffer_pool(std::size_t capacity_bytes, std::uint32_t chunk_size_bytes);
    ~buffer_pool();
    buffer_pool(const buffer_pool&) = delete;
    buffer_pool& operator=(const buffer_pool&) = delete;

    std::uint32_t chunk_size_bytes() const noexcept { return chunk_size_; }
    std::uint32_t capacity_chunks() const noexcept { return capacity_; }
    std::int64_t free_chunks() const noexcept { return static_cast<std::int64_t>(capacity_) - lent_; }
    std::uint32_t chunks_for(std::size_t size_bytes) const noexcept {
        return static_cast<std::uint32_t>((size_bytes + chunk_size_ - 1) / chunk_size_);
    }

    // Appends `count` chunks to the chain, or changes nothing and says false.
    [[nodiscard]] bool try_lend(chunk_chain& to, std::uint32_t count) noexcept;
    // Appends `count` chunks in any case; what the budget does not have comes from the heap.
    void lend_beyond_budget(chunk_chain& to, std::uint32_t count);
    // Takes the chain back.
    void release(chunk_chain& chain) noexcept;
    // Keeps the first `kept` chunks, of which there is one at least, and takes the others back.
    void release_behind(chunk_chain& chain, std::uint32_t kept) noexcept;

    // Lends without memory: the bytes are elsewhere, as those of staged records are (ingress credit).
    [[nodiscard]] bool try_reserve(std::uint32_t count) noexcept;
    void unreserve(std::uint32_t count) noexcept;

    std::byte* data(chunk_index chunk) const noexcept {
        const auto index = static_cast<std::uint32_t>(chunk);
        if (index < capacity_) [[likely]]
            return base_ + std::size_t{index} * chunk_size_;
        return extra_[index - capacity_];
    }
    chunk_index next(chunk_index chunk) const noexcept { return next_[static_cast<std::uint32_t>(chunk)]; }

    // ---- waiting
    // By arrival: behind all waiters, unless it is back from waiting for something else, or they have no number.
    void wait(memory_waiter& waiter) noexcept { insert_by_arrival(waiters_, waiter); }
    bool has_waiters() const noexcept { return !waiters_.empty(); }
    template <class Visit>
    void for_each_waiter(Visit&& visit) {
        for (memory_waiter& each : waiters_) visit(each);
    }
    // Serves the waiters in order; stops at the first that cannot be served. True if somebody was. It is called in every
    // turn, not only after a release: when the first waiter has given up, what is free may do for the next one.
    bool serve(time_point now);

private:
    chunk_index take() noexcept;
    void append(chunk_chain& to, chunk_index chunk) noexcept;

    std::uint32_t chunk_size_;
    std::uint32_t capacity_;
    std::int64_t lent_ = 0;
    std::uint32_t touched_ = 0;             // chunks below this index were lent at least once
    chunk_index free_ = chunk_index::none;  // those given back, newest first
    std::byte* base_ = nullptr;
    std::vector<chunk_index> next_;  // by chunk: the next of its chain or of the free list
    std::vector<std::byte*> extra_;  // beyond the budget, by index - capacity; nullptr = slot free
    list_of<memory_waiter, memory_waiter> waiters_;
};

}  // namespace sluice
