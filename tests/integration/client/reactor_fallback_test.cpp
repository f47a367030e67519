// Kernels that refuse io_uring: a producer works on epoll, and the log says why.
#include <grp.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstdlib>

#include "integration/client/client_fixture.hpp"
#include "loop/child.hpp"
#include "loop/kinds.hpp"
#include "sluice/testing/fake_cluster_server.hpp"

namespace sluice::testing {
namespace {

// In the child: a producer, a cluster, and a hundred records from one to the other.
void expect_delivery(const client& with, fake_cluster_server& kafka, producer& to) {
    std::vector<delivery> deliveries;
    for (int i = 0; i < 100; ++i) deliveries.push_back(wait(to.send(record("orders", "value"))));
    for (delivery& each : deliveries) EXPECT_EQ(end_of(std::move(each)).error, error_code());
    EXPECT_EQ(kafka.with_cluster([](fake_cluster& cluster) { return cluster.end_offset("orders", 0); }), 100);
    EXPECT_FALSE(with.loops.loops().empty());
}

template <class Prepare, class Check>
void deliver_in_child(Prepare prepare, Check check) {
    if (is_thread_sanitizer_on) GTEST_SKIP() << "the thread sanitizer does not survive threads after a fork";
    run_in_child([&] {
        ::unsetenv("SLUICE_REACTOR");
        prepare();
        if (::testing::Test::HasFailure()) return;
        fake_cluster_server kafka;
        client with(kafka.bootstrap());
        expect_delivery(with, kafka, with.to);
        check(with);
        wait(with.to.close());
    });
}

TEST(ReactorFallback, AProducerThatIsForbiddenIoUringDeliversOnEpollAndTheLogSaysWhy) {
    deliver_in_child([] { refuse({.number = SYS_io_uring_setup, .error = EPERM}); },
                     [](client& with) {
                         EXPECT_EQ(with.loops.loops()[0]->reactor(), reactor_kind::epoll);
                         const std::string told = with.log.text();
                         EXPECT_TRUE(has(told, "warning: io_uring is refused here (EPERM: a seccomp"))
                             << told;
                         EXPECT_TRUE(has(told, "; using epoll")) << told;
                     });
}

TEST(ReactorFallback, AProducerWithoutLockedMemoryDeliversAndTheLogSaysHow) {
    deliver_in_child(
        [] {
            const rlimit nothing{0, 0};
            ASSERT_EQ(::setrlimit(RLIMIT_MEMLOCK, &nothing), 0);
            // The limit does not bind who may ignore it (CAP_IPC_LOCK).
            if (::geteuid() == 0) {
                ASSERT_EQ(::setgroups(0, nullptr), 0);
                ASSERT_EQ(::setuid(65534), 0);
            }
        },
        [](client& with) {
            const std::string told = with.log.text();
            if (with.loops.loops()[0]->reactor() == reactor_kind::epoll) {
                EXPECT_TRUE(has(told, "ENOMEM: the locked-memory limit of 0 KiB")) << told;
            } else {
                EXPECT_TRUE(has(told, "reactor: io_uring")) << told;  // newer kernels do not count rings
            }
        });
}

}  // namespace
}  // namespace sluice::testing
