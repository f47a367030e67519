// Loops on threads of their own: which CPUs those threads may use.
#include "sluice/runtime.hpp"

#include <gtest/gtest.h>
#include <sched.h>

#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>
#include <vector>

namespace sluice {
namespace {

namespace asio = boost::asio;

using cpus = std::vector<int>;

cpus cpus_of_this_thread() {
    cpu_set_t mask;
    CPU_ZERO(&mask);
    EXPECT_EQ(::sched_getaffinity(0, sizeof mask, &mask), 0);
    cpus made;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (CPU_ISSET(cpu, &mask)) made.push_back(cpu);
    }
    return made;
}

// By loop.
std::vector<cpus> cpus_of_each(const runtime& loops) {
    std::vector<cpus> made;
    for (loop* const each : loops.loops()) {
        auto asked = asio::post(each->get_executor(), asio::use_future(cpus_of_this_thread));
        made.push_back(asked.get());
    }
    return made;
}

TEST(Runtime, PinsEachLoopToACpuOfItsOwn) {
    const cpus usable = cpus_of_this_thread();
    if (usable.size() < 2)
        GTEST_SKIP() << "this process may use one CPU only: every thread has the same, pinned or not";
    std::vector<cpus> wanted;
    for (const int cpu : usable) wanted.push_back({cpu});

    const runtime loops({.shards = usable.size(), .pin = true});

    EXPECT_EQ(cpus_of_each(loops), wanted);
    EXPECT_EQ(cpus_of_this_thread(), usable) << "whoever makes it stays where it was";
}

TEST(Runtime, PinsMoreLoopsThanThereAreCpusFromTheFirstOneAgain) {
    const cpus usable = cpus_of_this_thread();
    std::vector<cpus> wanted;
    for (std::size_t i = 0; i < usable.size() + 1; ++i) wanted.push_back({usable[i % usable.size()]});

    const runtime loops({.shards = usable.size() + 1, .pin = true});

    EXPECT_EQ(cpus_of_each(loops), wanted);
}

TEST(Runtime, LeavesLoopsWhereTheKernelPutsThemUnlessItIsToPinThem) {
    const cpus usable = cpus_of_this_thread();

    const runtime loops({.shards = 2});

    EXPECT_EQ(cpus_of_each(loops), (std::vector<cpus>{usable, usable}));
}

}  // namespace
}  // namespace sluice
