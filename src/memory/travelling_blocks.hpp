// Blocks of one size that are allocated on one thread and freed on another, again and again. A general allocator does
// badly at that: what the one thread frees the other cannot reuse without a lock for each block.
//
//   allocating thread        depot (a mutex)                freeing thread
//   loaded, spare  <-------- full magazines of 64 <-------- loaded, spare
//
// A thread touches the depot once in 64 blocks.
#pragma once

#include <cstddef>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

namespace sluice {

// Owner: shared; any thread, also one that ends. The depot lives for ever and keeps at most `kept_bytes_max`; the rest
// goes back to the system. Under a sanitizer every block is the system's, so that a use after free is seen.
template <std::size_t Size>
class travelling_blocks {
public:
    static constexpr std::size_t kept_bytes_max = 4 << 20;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    static constexpr bool are_kept = false;
#else
    static constexpr bool are_kept = true;
#endif

    // Of `Size` bytes, from the beginning of a cache line on. Throws std::bad_alloc.
    static void* allocate() {
        if (cache* mine = here()) {
            if (mine->loaded.count == 0) mine->refill();
            if (mine->loaded.count != 0) return mine->loaded.pop();
        }
        return ::operator new(Size, alignment);
    }
    static void free(void* block) noexcept {
        cache* mine = here();
        if (mine == nullptr) return ::operator delete(block, alignment);
        if (mine->loaded.count == magazine::capacity) mine->make_room();
        mine->loaded.push(block);
    }

private:
    static constexpr std::align_val_t alignment{64};
    struct free_block {
        free_block* next;
    };
    static_assert(Size >= sizeof(free_block));

    struct magazine {
        static constexpr std::size_t capacity = 64;
        free_block* top = nullptr;
        std::size_t count = 0;

        void push(void* block) noexcept {
            top = new (block) free_block{top};
            ++count;
        }
        void* pop() noexcept {
            free_block* const taken = top;
            top = taken->next;
            --count;
            return taken;
        }
        void give_back() noexcept {
            while (count != 0) ::operator delete(pop(), alignment);
        }
    };

    class depot {
    public:
        // An empty one where there is none.
        magazine take() noexcept {
            const std::lock_guard lock(mutex_);
            if (full_.empty()) return {};
            const magazine taken = full_.back();
            full_.pop_back();
            return taken;
        }
        void give(magazine full) noexcept {
            if (full.count == magazine::capacity) {
                const std::lock_guard lock(mutex_);
                if (full_.size() < magazines_max) return full_.push_back(full);
            }
            full.give_back();
        }

    private:
        static constexpr std::size_t magazines_max = kept_bytes_max / (magazine::capacity * Size);
        depot() { full_.reserve(magazines_max); }
        friend class travelling_blocks;

        std::mutex mutex_;
        std::vector<magazine> full_;
    };

    struct cache {
        ~cache() {
            has_ended() = true;
            shared().give(loaded);
            shared().give(spare);
        }
        void refill() noexcept {
            std::swap(loaded, spare);
            if (loaded.count == 0) loaded = shared().take();
        }
        void make_room() noexcept {
            std::swap(loaded, spare);
            if (loaded.count != 0) shared().give(std::exchange(loaded, {}));
        }
        magazine loaded;
        magazine spare;
    };

    static depot& shared() {
        static depot* const made = new depot;  // threads may end after the statics did
        return *made;
    }
    // Whether this thread's cache is destroyed already, while other objects of the thread still are.
    static bool& has_ended() noexcept {
        thread_local bool ended = false;
        return ended;
    }
    static cache* here() noexcept {
        if (!are_kept || has_ended()) return nullptr;
        thread_local cache mine;
        return &mine;
    }
};

}  // namespace sluice
