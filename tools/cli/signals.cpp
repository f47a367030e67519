#include "cli/signals.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <ctime>

namespace sluice::cli {
namespace {

std::atomic<int> caught = 0;
timespec caught_at;  // written by the handler only, before `caught`
int descriptor = -1;

void on_signal(int number) {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (caught == 0) {
        caught_at = now;
        caught = number;
        eventfd_write(descriptor, 1);
        return;
    }
    const double seconds_between = static_cast<double>(now.tv_sec - caught_at.tv_sec) +
                                   static_cast<double>(now.tv_nsec - caught_at.tv_nsec) / 1e9;
    if (seconds_between > 0.5) _exit(128 + number);
}

}  // namespace

void catch_signals() {
    descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct sigaction action{};
    action.sa_handler = on_signal;
    // One at a time.
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, SIGINT);
    sigaddset(&action.sa_mask, SIGTERM);
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
}

int caught_signal() noexcept {
    return caught;
}

int signal_descriptor() noexcept {
    return descriptor;
}

}  // namespace sluice::cli
