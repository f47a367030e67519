#include "memory/buffer_pool.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <set>

namespace sluice {
namespace {

constexpr std::uint32_t chunk_size = 1024;

std::vector<chunk_index> chunks_of(const buffer_pool& pool, const chunk_chain& chain) {
    std::vector<chunk_index> chunks;
    for (chunk_index at = chain.first; at != chunk_index::none; at = pool.next(at)) chunks.push_back(at);
    return chunks;
}

TEST(BufferPool, LendsUpToItsCapacityAndNotOneChunkMore) {
    buffer_pool pool(10 * chunk_size + 100, chunk_size);
    chunk_chain held;

    EXPECT_EQ(pool.capacity_chunks(), 10u) << "whole chunks only";
    EXPECT_TRUE(pool.try_lend(held, 7));
    EXPECT_FALSE(pool.try_lend(held, 4)) << "all or nothing";
    EXPECT_EQ(held.count, 7u) << "a refused loan changes nothing";
    EXPECT_TRUE(pool.try_lend(held, 3));
    EXPECT_EQ(pool.free_chunks(), 0);

    pool.release(held);
    EXPECT_EQ(pool.free_chunks(), 10);
    EXPECT_TRUE(held.empty());
}

TEST(BufferPool, ChunksOfAChainAreDistinctWritableAndInOrder) {
    buffer_pool pool(4 * chunk_size, chunk_size);
    chunk_chain first, second;
    ASSERT_TRUE(pool.try_lend(first, 2));
    ASSERT_TRUE(pool.try_lend(second, 1));
    ASSERT_TRUE(pool.try_lend(first, 1));

    const auto chunks = chunks_of(pool, first);

    ASSERT_EQ(chunks.size(), 3u);
    EXPECT_EQ(chunks.front(), first.first);
    EXPECT_EQ(chunks.back(), first.last);
    for (chunk_index chunk : chunks) std::memset(pool.data(chunk), 1, chunk_size);
    std::memset(pool.data(second.first), 2, chunk_size);
    for (chunk_index chunk : chunks) EXPECT_EQ(std::to_integer<int>(pool.data(chunk)[chunk_size - 1]), 1);
    pool.release(first);
    pool.release(second);
}

TEST(BufferPool, TakesTheEndOfAChainBack) {
    buffer_pool pool(4 * chunk_size, chunk_size);
    chunk_chain held;
    pool.lend_beyond_budget(held, 6);
    const auto before = chunks_of(pool, held);

    pool.release_behind(held, 6);
    EXPECT_EQ(held.count, 6u);
    pool.release_behind(held, 2);

    EXPECT_EQ(pool.free_chunks(), 2);
    EXPECT_EQ(held.count, 2u);
    EXPECT_EQ(chunks_of(pool, held), (std::vector<chunk_index>{before[0], before[1]}));
    ASSERT_TRUE(pool.try_lend(held, 1)) << "it can grow again";
    EXPECT_EQ(chunks_of(pool, held).size(), 3u);
    EXPECT_EQ(held.last, chunks_of(pool, held).back());
    pool.release(held);
    EXPECT_EQ(pool.free_chunks(), 4);
}

TEST(BufferPool, TheChunkGivenBackLastIsLentFirst) {
    buffer_pool pool(4 * chunk_size, chunk_size);
    chunk_chain cold, warm, again;
    ASSERT_TRUE(pool.try_lend(cold, 1));
    ASSERT_TRUE(pool.try_lend(warm, 1));
    const chunk_index last = warm.first;

    pool.release(cold);
    pool.release(warm);
    ASSERT_TRUE(pool.try_lend(again, 1));

    EXPECT_EQ(again.first, last) << "it is in the cache";
    pool.release(again);
}

TEST(BufferPool, PartsOfASplitBatchMayDipBelowZero_SPL_7) {
    buffer_pool pool(2 * chunk_size, chunk_size);
    chunk_chain whole, parts;
    ASSERT_TRUE(pool.try_lend(whole, 2));

    pool.lend_beyond_budget(parts, 3);
    EXPECT_EQ(pool.free_chunks(), -3);
    std::set<std::byte*> places;
    for (chunk_index chunk : chunks_of(pool, parts)) {
        std::memset(pool.data(chunk), 3, chunk_size);
        places.insert(pool.data(chunk));
    }
    EXPECT_EQ(places.size(), 3u);

    pool.release(whole);
    chunk_chain more;
    EXPECT_FALSE(pool.try_lend(more, 1)) << "the debt is paid first";
    pool.release(parts);
    EXPECT_EQ(pool.free_chunks(), 2);
    EXPECT_TRUE(pool.try_lend(more, 2));
    pool.release(more);
}

TEST(BufferPool, BeyondTheBudgetUsesUpWhatIsFreeFirst) {
    buffer_pool pool(2 * chunk_size, chunk_size);
    chunk_chain parts;

    pool.lend_beyond_budget(parts, 2);

    EXPECT_EQ(pool.free_chunks(), 0);
    pool.release(parts);
}

TEST(BufferPool, AReservationTakesBudgetWithoutChunks) {
    buffer_pool pool(4 * chunk_size, chunk_size);
    chunk_chain held;

    EXPECT_TRUE(pool.try_reserve(3));
    EXPECT_FALSE(pool.try_lend(held, 2));
    pool.unreserve(3);

    EXPECT_TRUE(pool.try_lend(held, 4));
    pool.release(held);
}

struct recording_waiter : memory_waiter {
    recording_waiter(buffer_pool& pool_, std::uint32_t wanted_) : pool(pool_), wanted(wanted_) {}
    ~recording_waiter() { pool.release(held); }
    bool serve_memory(time_point) override {
        if (!pool.try_lend(held, wanted)) return false;
        list_hook<memory_waiter>::unlink();
        return true;
    }
    bool was_lent() const { return !held.empty(); }
    buffer_pool& pool;
    std::uint32_t wanted;
    chunk_chain held;
};

TEST(BufferPool, GivesFreedMemoryToTheLongestWaiter_BUF_8) {
    buffer_pool pool(100 * chunk_size, chunk_size);
    chunk_chain first;
    ASSERT_TRUE(pool.try_lend(first, 80));
    recording_waiter large(pool, 90), small(pool, 20);
    pool.wait(large);
    pool.wait(small);

    pool.serve({});
    EXPECT_FALSE(small.was_lent()) << "20 chunks are free, but `large` was first";

    pool.release(first);
    pool.serve({});
    EXPECT_TRUE(large.was_lent());
    EXPECT_FALSE(small.was_lent());

    pool.release(large.held);
    EXPECT_FALSE(small.was_lent()) << "only the serve step gives";
    pool.serve({});
    EXPECT_TRUE(small.was_lent());
    EXPECT_FALSE(pool.has_waiters());
}

TEST(BufferPool, AWaiterThatDiesLeavesTheQueue_BUF_14) {
    buffer_pool pool(2 * chunk_size, chunk_size);
    chunk_chain held;
    ASSERT_TRUE(pool.try_lend(held, 2));
    recording_waiter survivor(pool, 1);
    {
        recording_waiter cancelled(pool, 2);
        pool.wait(cancelled);
        pool.wait(survivor);
    }

    pool.release(held);
    pool.serve({});

    EXPECT_TRUE(survivor.was_lent());
}

TEST(BufferPool, WhatIsFreeGoesToTheNextWhenTheFirstGivesUp_BUF_14) {
    buffer_pool pool(4 * chunk_size, chunk_size);
    chunk_chain held;
    ASSERT_TRUE(pool.try_lend(held, 2));
    recording_waiter small(pool, 1);
    {
        recording_waiter large(pool, 3);
        pool.wait(large);
        pool.wait(small);
        pool.serve({});
        ASSERT_FALSE(small.was_lent()) << "`large` was first";
    }

    pool.serve({});

    EXPECT_TRUE(small.was_lent()) << "nothing was given back, but two chunks are free";
    pool.release(held);
}

TEST(BufferPool, ReservedMemoryThatIsGivenBackServesWaiters) {
    buffer_pool pool(2 * chunk_size, chunk_size);
    ASSERT_TRUE(pool.try_reserve(2));
    recording_waiter waiter(pool, 2);
    pool.wait(waiter);
    EXPECT_FALSE(pool.serve({}));

    pool.unreserve(1);
    EXPECT_FALSE(pool.serve({})) << "one chunk is not enough";
    pool.unreserve(1);

    EXPECT_TRUE(pool.serve({}));
    EXPECT_TRUE(waiter.was_lent());
}

TEST(BufferPool, ServesAsManyAsThereIsMemoryForInTheOrderOfWaiting_BUF_8) {
    buffer_pool pool(4 * chunk_size, chunk_size);
    chunk_chain held;
    ASSERT_TRUE(pool.try_lend(held, 4));
    recording_waiter first(pool, 1), second(pool, 2), third(pool, 2);
    for (recording_waiter* each : {&first, &second, &third}) pool.wait(*each);

    pool.release(held);
    EXPECT_TRUE(pool.serve({}));

    EXPECT_TRUE(first.was_lent());
    EXPECT_TRUE(second.was_lent());
    EXPECT_FALSE(third.was_lent());
    EXPECT_TRUE(pool.has_waiters());
}

}  // namespace
}  // namespace sluice
