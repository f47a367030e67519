#include "loop/make_reactor.hpp"

#include <sys/resource.h>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <string_view>

#include "loop/epoll/epoll_reactor.hpp"
#include "loop/kernel_version.hpp"
#include "loop/uring/uring_reactor.hpp"

namespace sluice {

namespace {

constexpr kernel_version oldest_for_uring{6, 1};

// Why there is no ring, and what to do about it.
struct refusal {
    error_code error;
    std::string reason;
};

std::string locked_memory_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_MEMLOCK, &limit) != 0) return "unknown";
    if (limit.rlim_cur == RLIM_INFINITY) return "unlimited";
    return fmt::format("{} KiB", limit.rlim_cur / 1024);
}

std::string reason_of(const error_code& error) {
    switch (error.value()) {
        case EPERM:
            return "EPERM: a seccomp filter or the sysctl kernel.io_uring_disabled forbids it; allow "
                   "io_uring_setup, io_uring_enter and io_uring_register in the container's seccomp profile, "
                   "or "
                   "set the sysctl to 0";
        case EACCES: return "EACCES: a security module forbids it; allow io_uring in its policy";
        case ENOSYS: return "ENOSYS: this kernel was built without io_uring, or a seccomp filter hides it";
        case ENOMEM:
            return fmt::format(
                "ENOMEM: the locked-memory limit of {} is too small for a ring of even {}; raise it "
                "(ulimit -l, LimitMEMLOCK= in systemd)",
                locked_memory_limit(), ring_submissions_min);
        default: return error.message();
    }
}

std::unique_ptr<reactor> try_uring(const logger& log, refusal& refused) {
    if (const kernel_version running = kernel_version::running(); running < oldest_for_uring) {
        refused = {error_code(ENOSYS, boost::system::system_category()),
                   fmt::format("kernel {} is older than {}", running.text(), oldest_for_uring.text())};
        return nullptr;
    }
    auto made = uring_reactor::make(log);
    if (!made) {
        refused = {made.error(), reason_of(made.error())};
        return nullptr;
    }
    const ring_request& got = (*made)->size_and_flags();
    if (got.submissions < ring_submissions_max) {
        log.warning("locked-memory limit (ulimit -l, {}) is too small for a ring of {}; got {}",
                    locked_memory_limit(), ring_submissions_max, got.submissions);
    }
    if (got.flags != ring_flag_sets.front()) {
        log.warning("io_uring refused the flags {:#x}; using {:#x}, which costs more interrupts",
                    ring_flag_sets.front(), got.flags);
    }
    return std::move(*made);
}

result<std::unique_ptr<reactor>> make_epoll(const logger& log) {
    auto made = epoll_reactor::make(log);
    if (!made) return made.error();
    return std::unique_ptr<reactor>(std::move(*made));
}

// What SLUICE_REACTOR says.
reactor_kind wanted_by_environment(const logger& log) {
    const char* value = std::getenv("SLUICE_REACTOR");
    if (value == nullptr || *value == '\0') return reactor_kind::automatic;
    if (std::string_view(value) == "uring") return reactor_kind::uring;
    if (std::string_view(value) == "epoll") return reactor_kind::epoll;
    log.warning("SLUICE_REACTOR={} is neither uring nor epoll; choosing automatically", value);
    return reactor_kind::automatic;
}

}  // namespace

result<std::unique_ptr<reactor>> make_reactor(reactor_kind wanted, const logger& log) {
    const char* why = "as asked for";
    if (wanted == reactor_kind::automatic) {
        wanted = wanted_by_environment(log);
        why = wanted == reactor_kind::automatic ? "the best that works here" : "as SLUICE_REACTOR says";
    }
    switch (wanted) {
        case reactor_kind::epoll: log.info("reactor: epoll, {}", why); return make_epoll(log);
        case reactor_kind::uring:
        case reactor_kind::automatic: {
            refusal refused;
            if (auto made = try_uring(log, refused)) {
                log.info("reactor: io_uring, {}", why);
                return made;
            }
            if (wanted == reactor_kind::uring) {
                log.error("io_uring is refused here ({})", refused.reason);
                return refused.error;
            }
            log.warning("io_uring is refused here ({}); using epoll", refused.reason);
            return make_epoll(log);
        }
        case reactor_kind::simulated: break;  // made by sluice::testing, not here
    }
    return error_code(EINVAL, boost::system::system_category());
}

}  // namespace sluice
