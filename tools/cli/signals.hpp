// SIGINT and SIGTERM as a wish to stop.
#pragma once

namespace sluice::cli {

// From now on the first of these signals is remembered, and interrupts a blocking read; one that comes more than half a
// second later ends the process at once. (Whoever signals a process and its group sends two at a time: timeout(1) does.)
void catch_signals();
// Its number, or 0.
int caught_signal() noexcept;

}  // namespace sluice::cli
