// Child processes whose kernel is less generous: system calls refused by a seccomp filter, limits, another
// user.
#pragma once

#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <vector>

namespace sluice {

// Runs `body` in a child; what it expects in vain fails the test of the parent.
template <class Body>
void run_in_child(Body body) {
    std::fflush(nullptr);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        body();
        std::fflush(nullptr);
        ::_exit(::testing::Test::HasFailure() ? 1 : 0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status)) << "the child was killed by signal " << WTERMSIG(status);
    EXPECT_EQ(WEXITSTATUS(status), 0) << "what the child expected is above";
}

// A system call that fails from now on, in this process and for good. With `test`, only where the lower half
// of one argument passes it.
struct refused_call {
    long number;
    int error;
    enum { always, argument_above, argument_equals, argument_lacks_bit } test = always;
    unsigned argument_index = 0;
    std::uint32_t operand = 0;
};

inline void refuse(const refused_call& refused) {
#if defined(__x86_64__)
    constexpr std::uint32_t architecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
    constexpr std::uint32_t architecture = AUDIT_ARCH_AARCH64;
#endif
    const auto load = [](std::size_t offset) {
        return sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset));
    };
    const sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    const sock_filter fail = BPF_STMT(
        BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (static_cast<std::uint32_t>(refused.error) & SECCOMP_RET_DATA));
    // Each test skips the `allow` behind it if it passes.
    std::vector<sock_filter> program{
        load(offsetof(seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, architecture, 1, 0),
        allow,
        load(offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(refused.number), 1, 0),
        allow,
    };
    if (refused.test != refused_call::always) {
        program.push_back(
            load(offsetof(seccomp_data, args) + refused.argument_index * sizeof(std::uint64_t)));
        switch (refused.test) {
            case refused_call::argument_above:
                program.push_back(BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, refused.operand, 1, 0));
                break;
            case refused_call::argument_equals:
                program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, refused.operand, 1, 0));
                break;
            case refused_call::argument_lacks_bit:
                program.push_back(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, refused.operand, 0, 1));
                break;
            case refused_call::always: break;
        }
        program.push_back(allow);
    }
    program.push_back(fail);
    const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
    ASSERT_EQ(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    ASSERT_EQ(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter), 0);
}

}  // namespace sluice
