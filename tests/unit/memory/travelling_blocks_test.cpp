#include "memory/travelling_blocks.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <set>
#include <thread>
#include <vector>

namespace sluice {
namespace {

// A size of its own for each test: each has its own depot.
template <std::size_t Size>
std::vector<void*> allocate(std::size_t count) {
    std::vector<void*> blocks;
    for (std::size_t i = 0; i < count; ++i) {
        blocks.push_back(travelling_blocks<Size>::allocate());
        std::memset(blocks.back(), static_cast<int>(i), Size);  // the sanitizer would tell if it were less
    }
    return blocks;
}
template <std::size_t Size>
void free(const std::vector<void*>& blocks) {
    for (void* each : blocks) travelling_blocks<Size>::free(each);
}

TEST(TravellingBlocks, NoBlockIsGivenTwice) {
    const std::vector<void*> blocks = allocate<104>(1000);
    EXPECT_EQ(std::set<void*>(blocks.begin(), blocks.end()).size(), blocks.size());
    free<104>(blocks);
    const std::vector<void*> again = allocate<104>(1000);
    EXPECT_EQ(std::set<void*>(again.begin(), again.end()).size(), again.size());
    free<104>(again);
}

TEST(TravellingBlocks, WhatOneThreadFreesAnotherAllocates) {
    if (!travelling_blocks<112>::are_kept) GTEST_SKIP() << "under a sanitizer blocks are the system's";
    const std::vector<void*> blocks = allocate<112>(640);
    std::thread([&] { free<112>(blocks); }).join();  // its cache goes to the depot with it

    const std::vector<void*> again = allocate<112>(640);

    EXPECT_EQ(std::set<void*>(again.begin(), again.end()), std::set<void*>(blocks.begin(), blocks.end()));
    free<112>(again);
}

TEST(TravellingBlocks, ManyThreadsExchangeThem) {
    constexpr std::size_t size = 120;
    constexpr int rounds = 200;
    std::vector<void*> handed_over;
    std::mutex mutex;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            for (int round = 0; round < rounds; ++round) {
                const std::vector<void*> mine = allocate<size>(70);
                const std::lock_guard lock(mutex);
                free<size>(handed_over);  // another thread's
                handed_over = mine;
            }
        });
    }
    for (std::thread& each : threads) each.join();
    free<size>(handed_over);
    const std::vector<void*> left = allocate<size>(1000);
    EXPECT_EQ(std::set<void*>(left.begin(), left.end()).size(), left.size());
    free<size>(left);
}

}  // namespace
}  // namespace sluice
