// Objects of one size, made and freed in a stroke: batches, result blocks, requests. Nothing is given back to the
// system before the slab ends, and a slab ends only when its last object did, even if its owner is long gone.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "base/ensure.hpp"

namespace sluice {

//   slab<result_block> blocks;           owned through slab_ptr
//   result_block* made = blocks.make(arguments...);    blocks.free(*made);
//
// Owner: one shard; not synchronised.
template <class Object>
class slab {
public:
    // Lets go of a slab: it deletes itself now, or when its last object is freed.
    struct leave {
        void operator()(slab* left) const noexcept {
            left->is_left_ = true;
            if (left->live_ == 0) delete left;
        }
    };
    using pointer = std::unique_ptr<slab, leave>;
    static pointer create() { return pointer(new slab); }

    template <class... Arguments>
    Object* make(Arguments&&... arguments) {
        if (free_ == nullptr) add_page();
        slot* used = free_;
        free_ = used->next_free;
        ++live_;
        return new (used->storage) Object(std::forward<Arguments>(arguments)...);
    }

    void free(Object& object) noexcept {
        object.~Object();
        auto* freed = reinterpret_cast<slot*>(&object);
        freed->next_free = free_;
        free_ = freed;
        ensure(live_ > 0);
        if (--live_ == 0 && is_left_) delete this;
    }

    std::size_t live_count() const noexcept { return live_; }

private:
    union slot {
        slot* next_free;
        alignas(Object) std::byte storage[sizeof(Object)];
    };
    static constexpr std::size_t slots_per_page = 32;

    slab() = default;
    ~slab() = default;

    void add_page() {
        pages_.push_back(std::make_unique<slot[]>(slots_per_page));
        for (std::size_t i = slots_per_page; i > 0; --i) {
            slot& added = pages_.back()[i - 1];
            added.next_free = free_;
            free_ = &added;
        }
    }

    slot* free_ = nullptr;
    std::size_t live_ = 0;
    bool is_left_ = false;
    std::vector<std::unique_ptr<slot[]>> pages_;
};

template <class Object>
using slab_ptr = typename slab<Object>::pointer;

}  // namespace sluice
