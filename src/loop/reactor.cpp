// What a reactor without the kernel's sockets answers: there are none to be taken over.
#include "loop/reactor.hpp"

#include <cerrno>

#include "base/ensure.hpp"

namespace sluice {

result<socket_id> reactor::adopt(descriptor) {
    return error_code(EOPNOTSUPP, boost::system::system_category());
}
int reactor::file_of(socket_id) const noexcept {
    return -1;
}
void reactor::accept(socket_id, accept_operation&) noexcept {
    ensure(false);  // nothing was adopted
}

}  // namespace sluice
