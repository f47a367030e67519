#include "cli/signals.hpp"

#include <unistd.h>

#include <csignal>
#include <ctime>

namespace sluice::cli {
namespace {

volatile std::sig_atomic_t caught = 0;
timespec caught_at;  // written by the handler only, before `caught`

void on_signal(int number) {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (caught == 0) {
        caught_at = now;
        caught = number;
        return;
    }
    const double seconds_between =
        static_cast<double>(now.tv_sec - caught_at.tv_sec) + static_cast<double>(now.tv_nsec - caught_at.tv_nsec) / 1e9;
    if (seconds_between > 0.5) _exit(128 + number);
}

}  // namespace

void catch_signals() {
    struct sigaction action {};
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

}  // namespace sluice::cli
