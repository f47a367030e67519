// Invariants of our own. What a broker, a user or the network does is never an invariant: those get error codes.
#pragma once

namespace sluice::base {

[[noreturn]] void broken_invariant(const char* invariant, const char* file, int line) noexcept(false);
// The same for what a caller's code must not do: `rule` tells the caller, in words.
[[noreturn]] void broken_rule(const char* rule, const char* file, int line) noexcept(false);

}  // namespace sluice::base

// Always on; one fact each, no `&&`.
#define ensure(fact) \
    (static_cast<bool>(fact) ? void(0) : ::sluice::base::broken_invariant(#fact, __FILE__, __LINE__))

// What the caller has to keep to, and cannot get an error code for, such as which thread calls.
#define ensure_caller(fact, rule) \
    (static_cast<bool>(fact) ? void(0) : ::sluice::base::broken_rule(rule, __FILE__, __LINE__))

// For hot loops: on in Debug and sanitizer builds only.
#if !defined(NDEBUG) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define debug_ensure(fact) ensure(fact)
#else
#define debug_ensure(fact) void(0)
#endif
