#include "base/ensure.hpp"

#include <atomic>
#include <cstdio>
#include <cstdlib>

#include "sluice/invariant.hpp"

namespace sluice {

namespace {
std::atomic<invariant_handler> current_handler{nullptr};
}

invariant_handler set_invariant_handler(invariant_handler handler) noexcept {
    return current_handler.exchange(handler);
}

namespace base {

void broken_invariant(const char* invariant, const char* file, int line) noexcept(false) {
    if (invariant_handler handler = current_handler.load()) handler(invariant, file, line);
    std::fprintf(stderr, "sluice: broken invariant: %s (%s:%d). This is a bug in Sluice, please report it.\n",
                 invariant, file, line);
    std::abort();
}

void broken_rule(const char* rule, const char* file, int line) noexcept(false) {
    if (invariant_handler handler = current_handler.load()) handler(rule, file, line);
    std::fprintf(stderr, "sluice: wrong use: %s (%s:%d).\n", rule, file, line);
    std::abort();
}

}  // namespace base
}  // namespace sluice
