// What happens when Sluice finds a bug of its own, or a caller that breaks a rule of threads.
#pragma once

namespace sluice {

// Called with the broken invariant (or the rule, in words), its file and line, on the thread that found it. It must not return: log and
// abort (the default), throw through a test, or end the process in another way. If it returns, the process aborts.
using invariant_handler = void (*)(const char* invariant, const char* file, int line);

// Replaces the handler of the whole process; returns the one before. Thread-safe; nullptr restores the default.
invariant_handler set_invariant_handler(invariant_handler handler) noexcept;

}  // namespace sluice
