#include "session/pipeline.hpp"

#include <limits>

#include "wire/frame.hpp"

namespace sluice {
namespace {

constexpr std::int32_t reserved_first =
    std::numeric_limits<std::int32_t>::max() - 7;  // for SASL, up to the largest

}  // namespace

std::int32_t pipeline::next_correlation_id() noexcept {
    const std::int32_t id = next_id_;
    next_id_ = id + 1 == reserved_first ? std::numeric_limits<std::int32_t>::min() : id + 1;
    return id;
}

result<pipeline::entry> pipeline::match(bytes frame, bytes& body) {
    if (waiting_.empty()) return errc::protocol_error;
    wire::reader in(frame);
    const entry& oldest = waiting_.front();
    const std::int32_t id = wire::read_response_header(in, oldest.key, oldest.version);
    if (in.failed() || id != oldest.correlation_id) return errc::protocol_error;
    body = frame.last(in.remaining());
    return waiting_.pop();
}

}  // namespace sluice
