// The ladder: which reactor a loop gets, and why.
#pragma once

#include <memory>

#include "base/log.hpp"
#include "loop/reactor.hpp"

namespace sluice {

// The kind asked for, or the best that works here:
//
//   io_uring   as uring/ring_ladder.hpp asks for it; EINVAL: fewer flags; ENOMEM (locked-memory limit): fewer
//              entries, down to 64
//   epoll      where io_uring is refused (EPERM, EACCES, ENOSYS), the kernel is older than 6.1, no ring fits
//
// The environment variable SLUICE_REACTOR=uring|epoll decides where `wanted` is automatic. One line at level
// info says which reactor won and why; at level warning if io_uring was wanted and refused. Errors: the errno
// of io_uring_setup(2) if io_uring was demanded (reactor_kind::uring) and is refused.
result<std::unique_ptr<reactor>> make_reactor(reactor_kind wanted, const logger& log);

}  // namespace sluice
