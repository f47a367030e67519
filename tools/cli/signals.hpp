// SIGINT and SIGTERM as a wish to stop.
#pragma once

namespace sluice::cli {

// From now on the first of these signals is remembered, whichever thread gets it; one that comes more than half a second
// later ends the process at once. (Whoever signals a process and its group sends two at a time: timeout(1) does.)
void catch_signals();
// Its number, or 0.
int caught_signal() noexcept;
// Readable once there is one: a read that a signal interrupts is no way to hear of it, since the signal may come just
// before, or to another thread. -1 before catch_signals().
int signal_descriptor() noexcept;

}  // namespace sluice::cli
