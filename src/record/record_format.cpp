#include "record/record_format.hpp"

#include <cstring>

namespace sluice {
namespace {

std::byte* write_field(std::byte* to, const bytes_view& field) noexcept {
    to = wire::write_varint(to, static_cast<std::int32_t>(field.size_or_minus_one()));
    if (field.size() != 0) std::memcpy(to, field.data(), field.size());
    return to + field.size();
}

}  // namespace

std::byte* write_record(std::byte* to, std::size_t body_size, std::int64_t timestamp_delta, std::int32_t offset_delta,
                        const record_parts& parts) noexcept {
    to = wire::write_varint(to, static_cast<std::int32_t>(body_size));
    *to++ = std::byte{0};  // attributes
    to = wire::write_varlong(to, timestamp_delta);
    to = wire::write_varint(to, offset_delta);
    to = write_field(to, parts.key);
    to = write_field(to, parts.value);
    to = wire::write_varint(to, static_cast<std::int32_t>(parts.headers.size()));
    for (const header& each : parts.headers) {
        to = write_field(to, each.key);
        to = write_field(to, each.value);
    }
    return to;
}

}  // namespace sluice
