// What only the reactor on epoll has to get right.
#include "loop/epoll/epoll_reactor.hpp"

#include "loop/child.hpp"

namespace sluice {
namespace {

using namespace std::chrono_literals;

TEST(EpollReactor, KeepsDeadlinesToTheMillisecondWhereTheKernelKnowsNoBetter) {
    run_in_child([] {
        refuse({.number = SYS_epoll_pwait2, .error = ENOSYS});
        auto io = *epoll_reactor::make(logger());
        completion_list completed;

        for (const duration wait : {duration(200us), duration(1ms), duration(1100us)}) {
            const time_point deadline = io->now() + wait;
            io->submit_and_wait(deadline, completed);
            EXPECT_GE(io->now(), deadline) << "rounded up, never down";
        }
        io->submit_and_wait(io->now() - 1s, completed);
        io->ring();
        io->submit_and_wait(never, completed);
    });
}

}  // namespace
}  // namespace sluice
