#include "wire/frame.hpp"

#include <limits>

namespace sluice::wire {
namespace {

open_frame begin_frame(writer& out) {
    const open_frame frame{out.position()};
    out.write_int32(0);  // the size, filled in by end_frame
    return frame;
}

error_code end_frame(writer& out, const open_frame& frame) {
    const std::size_t begin_size = frame.begin.arena_size + frame.begin.referenced_size;
    const std::size_t payload_size = out.size() - begin_size - frame_prefix_size;
    if (payload_size > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
        out.rewind(frame.begin);
        return errc::frame_too_large;
    }
    out.patch_int32(frame.begin.arena_size, static_cast<std::int32_t>(payload_size));
    return {};
}

void write_empty_tagged_section(writer& out) {
    out.write_unsigned_varint(0);
}

}  // namespace

result<std::uint32_t> read_frame_size(std::span<const std::byte, frame_prefix_size> prefix,
                                      std::uint32_t size_max) noexcept {
    const auto size = load_big_endian<std::int32_t>(prefix.data());
    if (size < 0) return error_code(errc::protocol_error);
    if (static_cast<std::uint32_t>(size) > size_max) return error_code(errc::frame_too_large);
    return static_cast<std::uint32_t>(size);
}

open_frame begin_request(writer& out, api_key key, std::int16_t version, bool is_flexible,
                         std::int32_t correlation_id, std::optional<std::string_view> client_id) {
    const open_frame frame = begin_frame(out);
    out.write_int16(static_cast<std::int16_t>(key));
    out.write_int16(version);
    out.write_int32(correlation_id);
    if (client_id) client_id = client_id->substr(0, string_size_max);
    out.write_nullable_string(client_id, encoding::plain);
    if (is_flexible) write_empty_tagged_section(out);
    return frame;
}

error_code end_request(writer& out, const open_frame& frame) {
    return end_frame(out, frame);
}

std::int32_t read_response_header(reader& in, api_key key, std::int16_t version) noexcept {
    const std::int32_t correlation_id = in.read_int32();
    if (response_header_version(key, version) >= 1) in.skip_tagged_section();
    return correlation_id;
}

request_header read_request_header(reader& in) noexcept {
    request_header header;
    header.api_key = in.read_int16();
    header.version = in.read_int16();
    header.correlation_id = in.read_int32();
    header.client_id = in.read_nullable_string(encoding::plain);
    if (is_flexible(static_cast<api_key>(header.api_key), header.version)) in.skip_tagged_section();
    return header;
}

open_frame begin_response(writer& out, api_key key, std::int16_t version, std::int32_t correlation_id) {
    const open_frame frame = begin_frame(out);
    out.write_int32(correlation_id);
    if (response_header_version(key, version) >= 1) write_empty_tagged_section(out);
    return frame;
}

error_code end_response(writer& out, const open_frame& frame) {
    return end_frame(out, frame);
}

}  // namespace sluice::wire
