// The sockets of one reactor, by number.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/ensure.hpp"
#include "loop/reactor.hpp"

namespace sluice {

// Slots with small numbers that are used again, the one given back last first: what is indexed by them stays
// dense. References stay valid until the next add(). Owner: one loop.
template <class Slot>
class slot_table {
public:
    // The number that add() gives next.
    std::size_t next_index() const noexcept { return free_.empty() ? slots_.size() : free_.back(); }

    socket_id add(Slot slot) {
        const std::size_t index = next_index();
        if (free_.empty()) {
            slots_.push_back(std::move(slot));
            // There is room for every slot, so that giving one back never allocates.
            free_.reserve(slots_.capacity());
        } else {
            free_.pop_back();
            slots_[index] = std::move(slot);
        }
        return static_cast<socket_id>(index);
    }

    // Empties the slot. It is used again only if `may_be_reused`.
    void remove(socket_id socket, bool may_be_reused = true) noexcept {
        slots_[index_of(socket)] = Slot{};
        if (may_be_reused) free_.push_back(index_of(socket));
    }

    Slot& operator[](socket_id socket) noexcept {
        ensure(index_of(socket) < slots_.size());
        return slots_[index_of(socket)];
    }

    const Slot& operator[](socket_id socket) const noexcept {
        ensure(index_of(socket) < slots_.size());
        return slots_[index_of(socket)];
    }

    static std::size_t index_of(socket_id socket) noexcept { return static_cast<std::size_t>(socket); }

    auto begin() noexcept { return slots_.begin(); }
    auto end() noexcept { return slots_.end(); }

private:
    std::vector<Slot> slots_;
    std::vector<std::size_t> free_;
};

}  // namespace sluice
