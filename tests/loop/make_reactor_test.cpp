// The ladder: which reactor a loop gets where io_uring is refused, limited or not wanted, and what the log
// says.
#include "loop/make_reactor.hpp"

#include <grp.h>
#include <sys/personality.h>
#include <sys/resource.h>

#include <cerrno>
#include <cstdlib>
#include <string>

#include "loop/child.hpp"
#include "loop/kinds.hpp"
#include "sluice/loop.hpp"

namespace sluice {
namespace {

// One line per call, each with its level before it.
struct recorded_log {
    std::string text;
    logger log{[this](log_level level, std::string_view line) {
        static constexpr const char* names[] = {"debug: ", "info: ", "warning: ", "error: "};
        text += names[static_cast<int>(level)];
        text += line;
        text += '\n';
    }};
    bool says(std::string_view words) const { return text.find(words) != std::string::npos; }
};

reactor_kind kind_of(const result<std::unique_ptr<reactor>>& made) {
    return made ? (*made)->kind() : reactor_kind::automatic;
}

// Without what the machine that runs the tests may have set.
void run_in_clean_child(auto body) {
    run_in_child([&body] {
        ::unsetenv("SLUICE_REACTOR");
        body();
    });
}

TEST(MakeReactor, TakesIoUringWhereItIsAllowedAndSaysSo) {
    run_in_clean_child([] {
        recorded_log seen;
        const auto made = make_reactor(reactor_kind::automatic, seen.log);
        EXPECT_EQ(kind_of(made), reactor_kind::uring);
        EXPECT_EQ(seen.text, "info: reactor: io_uring, the best that works here\n");
    });
}

TEST(MakeReactor, GivesWhatIsAskedFor) {
    run_in_clean_child([] {
        ::setenv("SLUICE_REACTOR", "uring", 1);  // does not count: the caller has decided
        recorded_log seen;
        EXPECT_EQ(kind_of(make_reactor(reactor_kind::epoll, seen.log)), reactor_kind::epoll);
        EXPECT_EQ(seen.text, "info: reactor: epoll, as asked for\n");
        EXPECT_EQ(kind_of(make_reactor(reactor_kind::uring, logger())), reactor_kind::uring);
    });
}

TEST(MakeReactor, DoesNotMakeSimulatedOnes) {
    EXPECT_EQ(make_reactor(reactor_kind::simulated, logger()).error().value(), EINVAL);
}

TEST(MakeReactor, ListensToTheEnvironment) {
    run_in_clean_child([] {
        ::setenv("SLUICE_REACTOR", "epoll", 1);
        recorded_log epoll, uring, neither;
        EXPECT_EQ(kind_of(make_reactor(reactor_kind::automatic, epoll.log)), reactor_kind::epoll);
        EXPECT_EQ(epoll.text, "info: reactor: epoll, as SLUICE_REACTOR says\n");

        ::setenv("SLUICE_REACTOR", "uring", 1);
        EXPECT_EQ(kind_of(make_reactor(reactor_kind::automatic, uring.log)), reactor_kind::uring);
        EXPECT_EQ(uring.text, "info: reactor: io_uring, as SLUICE_REACTOR says\n");

        ::setenv("SLUICE_REACTOR", "kqueue", 1);
        EXPECT_EQ(kind_of(make_reactor(reactor_kind::automatic, neither.log)), reactor_kind::uring);
        EXPECT_TRUE(neither.says("warning: SLUICE_REACTOR=kqueue is neither uring nor epoll"))
            << neither.text;

        ::setenv("SLUICE_REACTOR", "", 1);
        EXPECT_EQ(kind_of(make_reactor(reactor_kind::automatic, logger())), reactor_kind::uring);
    });
}

// With the sysctl kernel.io_uring_disabled at 2 (or 1, for who has no privilege) io_uring_setup says EPERM before it looks at
// anything else, as under a seccomp filter. Nothing here reads the sysctl, so to the ladder both are the same case, and setting
// it would disturb the whole machine.
struct refusal_case {
    int error;
    const char* says;
};
class RefusedRing : public testing::TestWithParam<refusal_case> {};
INSTANTIATE_TEST_SUITE_P(
    , RefusedRing,
    testing::Values(refusal_case{EPERM, "EPERM: a seccomp filter or the sysctl"},
                    refusal_case{EACCES, "EACCES: a security module"},
                    refusal_case{ENOSYS, "ENOSYS: this kernel was built without io_uring"},
                    refusal_case{ENOMEM, "ENOMEM: the locked-memory limit of "},
                    refusal_case{EINVAL, "Invalid argument"}, refusal_case{EMFILE, "Too many open files"}));

TEST_P(RefusedRing, MeansEpollUnlessARingWasDemanded) {
    run_in_clean_child([] {
        refuse({.number = SYS_io_uring_setup, .error = GetParam().error});
        recorded_log automatic, demanded, by_environment;

        EXPECT_EQ(kind_of(make_reactor(reactor_kind::automatic, automatic.log)), reactor_kind::epoll);
        EXPECT_TRUE(automatic.says("warning: io_uring is refused here (")) << automatic.text;
        EXPECT_TRUE(automatic.says(GetParam().says)) << automatic.text;
        EXPECT_TRUE(automatic.says("; using epoll")) << automatic.text;

        const auto refused = make_reactor(reactor_kind::uring, demanded.log);
        EXPECT_EQ(refused.error().value(), GetParam().error);
        EXPECT_TRUE(demanded.says("error: io_uring is refused here (")) << demanded.text;
        EXPECT_TRUE(demanded.says(GetParam().says)) << demanded.text;

        ::setenv("SLUICE_REACTOR", "uring", 1);
        EXPECT_EQ(make_reactor(reactor_kind::automatic, by_environment.log).error().value(),
                  GetParam().error);

        try {
            loop unused(loop_options{.reactor = reactor_kind::uring, .log = {}});
            ADD_FAILURE() << "a loop without a reactor";
        } catch (const boost::system::system_error& error) {
            EXPECT_EQ(error.code().value(), GetParam().error);
        }
    });
}

TEST(MakeReactor, AnOldKernelMeansEpoll) {
    run_in_clean_child([] {
        constexpr unsigned long uname_says_2_6 = 0x0020000;  // UNAME26 of linux/personality.h
        ASSERT_GE(::personality(uname_says_2_6), 0);
        recorded_log seen;

        EXPECT_EQ(kind_of(make_reactor(reactor_kind::automatic, seen.log)), reactor_kind::epoll);
        EXPECT_TRUE(
            seen.says("warning: io_uring is refused here (kernel 2.6 is older than 6.1); using epoll"))
            << seen.text;
        EXPECT_EQ(make_reactor(reactor_kind::uring, logger()).error().value(), ENOSYS);
    });
}

TEST(MakeReactor, TakesASmallerRingWhereALargeOneDoesNotFit) {
    run_in_clean_child([] {
        refuse({.number = SYS_io_uring_setup,
                .error = ENOMEM,
                .test = refused_call::argument_above,
                .argument_index = 0,
                .operand = 64});
        recorded_log seen;

        EXPECT_EQ(kind_of(make_reactor(reactor_kind::automatic, seen.log)), reactor_kind::uring);
        EXPECT_TRUE(seen.says("too small for a ring of 256; got 64")) << seen.text;
    });
}

TEST(MakeReactor, ALockedMemoryLimitMeansASmallerRingOrEpollAndTheLogSaysWhich) {
    for (const rlim_t limit_kib : {0u, 4u, 8u, 16u, 32u, 64u, 128u}) {
        run_in_clean_child([limit_kib] {
            const rlimit limit{limit_kib * 1024, limit_kib * 1024};
            ASSERT_EQ(::setrlimit(RLIMIT_MEMLOCK, &limit), 0);
            // The limit does not bind who may ignore it (CAP_IPC_LOCK).
            if (::geteuid() == 0) {
                ASSERT_EQ(::setgroups(0, nullptr), 0);
                ASSERT_EQ(::setuid(65534), 0);
            }
            recorded_log seen;
            const auto made = make_reactor(reactor_kind::automatic, seen.log);

            ASSERT_TRUE(made.has_value());
            if ((*made)->kind() == reactor_kind::epoll) {
                EXPECT_TRUE(
                    seen.says("ENOMEM: the locked-memory limit of " + std::to_string(limit_kib) + " KiB"))
                    << seen.text;
            } else {
                completion_list completed;
                (*made)->ring();
                (*made)->submit_and_wait(never, completed);
            }
        });
    }
}

}  // namespace
}  // namespace sluice
