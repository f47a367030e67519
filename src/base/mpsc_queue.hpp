// How other threads hand things to a loop: many push, one takes everything.
#pragma once

#include <atomic>

#include "sluice/detail/task.hpp"

namespace sluice {

// An intrusive list: one compare-and-swap to push, one exchange to take all. Nodes come out in the order in which they
// were pushed, also across threads (the order of the compare-and-swaps).
//
// Owner: shared, atomic; `take_all` by the one consumer. The queue never owns its nodes.
template <class Node>
class mpsc_queue {
public:
    mpsc_queue() = default;
    mpsc_queue(const mpsc_queue&) = delete;
    mpsc_queue& operator=(const mpsc_queue&) = delete;

    // False, and the node stays the caller's, if the queue is sealed. Sequentially consistent, so that a consumer that
    // announced its sleep and then found the queue empty is seen asleep by whoever pushes later (event_loop::ring).
    bool push(Node& node) noexcept {
        mpsc_node* before = newest_.load(std::memory_order_relaxed);
        do {
            if (before == &seal_) [[unlikely]]
                return false;
            node.next_pushed = before;
        } while (!newest_.compare_exchange_weak(before, &node, std::memory_order_seq_cst,
                                                std::memory_order_relaxed));
        return true;
    }

    bool empty() const noexcept {
        const mpsc_node* newest = newest_.load(std::memory_order_seq_cst);
        return newest == nullptr || newest == &seal_;
    }

    // The oldest node, linked by next() to the younger ones; nullptr when there is none.
    Node* take_all() noexcept {
        if (empty()) return nullptr;
        return oldest_first(newest_.exchange(nullptr, std::memory_order_acquire));
    }
    // Takes all, and lets nothing in any more. Once; then take_all gives nothing.
    Node* seal() noexcept { return oldest_first(newest_.exchange(&seal_, std::memory_order_acq_rel)); }

    static Node* next(Node& node) noexcept { return static_cast<Node*>(node.next_pushed); }

private:
    static Node* oldest_first(mpsc_node* node) noexcept {
        mpsc_node* oldest = nullptr;
        while (node != nullptr) {
            mpsc_node* older = node->next_pushed;
            node->next_pushed = oldest;
            oldest = node;
            node = older;
        }
        return static_cast<Node*>(oldest);
    }

    inline static mpsc_node seal_;  // stands for "sealed"; never in a list
    std::atomic<mpsc_node*> newest_{nullptr};
};

}  // namespace sluice
