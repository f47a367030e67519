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

    // True if the queue was empty before. Sequentially consistent, so that a consumer that announced its sleep and then
    // found the queue empty is seen asleep by whoever pushes later (event_loop::ring).
    bool push(Node& node) noexcept {
        mpsc_node* before = newest_.load(std::memory_order_relaxed);
        do {
            node.next_pushed = before;
        } while (!newest_.compare_exchange_weak(before, &node, std::memory_order_seq_cst,
                                                std::memory_order_relaxed));
        return before == nullptr;
    }

    bool empty() const noexcept { return newest_.load(std::memory_order_seq_cst) == nullptr; }

    // The oldest node, linked by next() to the younger ones; nullptr when there is none.
    Node* take_all() noexcept {
        if (newest_.load(std::memory_order_relaxed) == nullptr) return nullptr;
        mpsc_node* node = newest_.exchange(nullptr, std::memory_order_acquire);
        mpsc_node* oldest = nullptr;
        while (node != nullptr) {
            mpsc_node* older = node->next_pushed;
            node->next_pushed = oldest;
            oldest = node;
            node = older;
        }
        return static_cast<Node*>(oldest);
    }

    static Node* next(Node& node) noexcept { return static_cast<Node*>(node.next_pushed); }

private:
    std::atomic<mpsc_node*> newest_{nullptr};
};

}  // namespace sluice
