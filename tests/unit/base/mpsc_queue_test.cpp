#include "base/mpsc_queue.hpp"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace sluice {
namespace {

struct numbered : mpsc_node {
    int thread = 0;
    int number = 0;
};

TEST(MpscQueue, GivesNodesBackInTheOrderOfPushing) {
    mpsc_queue<numbered> queue;
    std::vector<numbered> nodes(3);

    for (numbered& node : nodes) EXPECT_TRUE(queue.push(node));
    numbered* oldest = queue.take_all();

    EXPECT_EQ(oldest, &nodes[0]);
    EXPECT_EQ(queue.next(*oldest), &nodes[1]);
    EXPECT_EQ(queue.next(nodes[1]), &nodes[2]);
    EXPECT_EQ(queue.next(nodes[2]), nullptr);
    EXPECT_TRUE(queue.empty());
    EXPECT_EQ(queue.take_all(), nullptr);
}

TEST(MpscQueue, ASealedQueueLetsNothingIn) {
    mpsc_queue<numbered> queue;
    std::vector<numbered> nodes(2);
    queue.push(nodes[0]);

    EXPECT_EQ(queue.seal(), &nodes[0]) << "what was in it is handed out";

    EXPECT_FALSE(queue.push(nodes[1]));
    EXPECT_TRUE(queue.empty());
    EXPECT_EQ(queue.take_all(), nullptr);
}

TEST(MpscQueue, KeepsEachThreadsOrderUnderContention) {
    constexpr int thread_count = 3;
    constexpr int each = 20000;
    mpsc_queue<numbered> queue;
    std::vector<std::vector<numbered>> nodes(thread_count);
    std::vector<std::thread> threads;
    for (int t = 0; t < thread_count; ++t) {
        nodes[static_cast<std::size_t>(t)] = std::vector<numbered>(each);
        threads.emplace_back([&queue, t, &mine = nodes[static_cast<std::size_t>(t)]] {
            for (int i = 0; i < each; ++i) {
                mine[static_cast<std::size_t>(i)].thread = t;
                mine[static_cast<std::size_t>(i)].number = i;
                queue.push(mine[static_cast<std::size_t>(i)]);
            }
        });
    }

    std::vector<int> next(thread_count, 0);
    int taken = 0;
    while (taken < thread_count * each) {
        for (numbered* node = queue.take_all(); node != nullptr;) {
            numbered* following = queue.next(*node);
            ASSERT_EQ(node->number, next[static_cast<std::size_t>(node->thread)]++);
            ++taken;
            node = following;
        }
    }

    for (std::thread& thread : threads) thread.join();
    EXPECT_TRUE(queue.empty());
}

}  // namespace
}  // namespace sluice
