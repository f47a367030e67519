// How a socket of ours is made, the same for every reactor that uses the kernel's.
#pragma once

#include "loop/descriptor.hpp"
#include "loop/reactor.hpp"

namespace sluice {

// Non-blocking, closed on exec, TCP_NODELAY and SO_KEEPALIVE (NET-3), buffers as asked.
// Errors: errno of socket(2) or setsockopt(2).
result<descriptor> open_tcp_socket(int family, const socket_options& options);

}  // namespace sluice
