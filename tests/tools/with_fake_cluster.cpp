// Runs a program that needs a cluster: three brokers on loopback, which make topics on demand.
//
//   with_fake_cluster PROGRAM [ARGUMENT...]    PROGRAM gets the bootstrap list as its last argument; its exit status is ours
#include <spawn.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "sluice/testing/fake_cluster_server.hpp"

int main(int count, char** values) {
    if (count < 2) {
        std::fputs("usage: with_fake_cluster PROGRAM [ARGUMENT...]\n", stderr);
        return 2;
    }
    sluice::testing::fake_cluster_server brokers({.cluster = {.broker_count = 3}});
    std::string bootstrap = brokers.bootstrap();
    std::vector<char*> arguments(values + 1, values + count);
    arguments.push_back(bootstrap.data());
    arguments.push_back(nullptr);
    pid_t child = 0;
    if (const int failed = posix_spawn(&child, arguments[0], nullptr, nullptr, arguments.data(), environ);
        failed != 0) {
        std::fprintf(stderr, "with_fake_cluster: %s: %s\n", arguments[0], std::strerror(failed));
        return 127;
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
