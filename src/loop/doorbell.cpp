#include "loop/doorbell.hpp"

#include <sys/eventfd.h>

#include <cerrno>
#include <cstdint>

namespace sluice {

result<doorbell> doorbell::make(unsigned rung) {
    descriptor eventfd(::eventfd(rung, EFD_NONBLOCK | EFD_CLOEXEC));
    if (!eventfd.is_open()) return error_code(errno, boost::system::system_category());
    return doorbell(std::move(eventfd));
}

void doorbell::ring() const noexcept {
    const int before = errno;  // a signal handler must leave it alone
    const std::uint64_t one = 1;
    // Fails only when the count is full: then it rings already.
    [[maybe_unused]] const auto written = ::write(eventfd_.get(), &one, sizeof one);
    errno = before;
}

bool doorbell::silence() const noexcept {
    std::uint64_t count = 0;
    return ::read(eventfd_.get(), &count, sizeof count) > 0;  // fails only when it has not been rung
}

}  // namespace sluice
