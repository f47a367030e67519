// Frame sizes and headers.
#include <algorithm>
#include <array>

#include "fuzz/target.hpp"
#include "wire/frame.hpp"

namespace sluice::fuzz {
namespace {

using namespace wire;

// Input: limit:u32, frame. Property: no size above the limit is believed, and headers read the same when
// written again.
int run(const std::uint8_t* data, std::size_t size) {
    if (size < 2 * frame_prefix_size) return 0;
    const bytes whole = as_bytes(data, size);
    const auto size_max = load_big_endian<std::uint32_t>(whole.data());
    const auto announced = read_frame_size(whole.subspan<frame_prefix_size, frame_prefix_size>(), size_max);
    if (announced) {
        require(*announced <= size_max, "no larger frame than the limit");
        require(*announced <= 0x7fffffff, "no negative size");
    }
    const bytes payload = whole.subspan(2 * frame_prefix_size);

    reader in(payload);
    const request_header header = read_request_header(in);
    if (!in.failed()) {
        const auto key = static_cast<api_key>(header.api_key);
        writer out;
        const open_frame frame = begin_request(out, key, header.version, is_flexible(key, header.version),
                                               header.correlation_id, header.client_id);
        require(!end_request(out, frame), "a header that was read can be written");
        const std::vector<std::byte> written = out.gathered();
        reader again(bytes(written).subspan(frame_prefix_size));
        const request_header back = read_request_header(again);
        require(!again.finished(), "a header that was written can be read");
        require(back.client_id == header.client_id, "client id");
        require(back.correlation_id == header.correlation_id, "correlation id");

        reader answer(payload);
        read_response_header(answer, key, header.version);
    }
    return 0;
}

std::vector<input> seeds() {
    return {{0, 0, 1, 0, 0, 0, 0, 13, 0, 0, 0, 9, 0, 0, 0, 7, 0, 2, 'c', 'i', 0},
            {0, 0, 1, 0, 0, 0, 0, 13, 0, 0, 0, 8, 0, 0, 0, 7, 255, 255},
            {0, 0, 1, 0, 0, 0, 0, 13, 0, 18, 0, 3, 0, 0, 0, 7, 0, 0, 2, 0, 1, 9, 4, 2, 8, 8},
            {6, 64, 0, 0, 127, 255, 255, 255}};
}

const target registered("frame", run, seeds);

}  // namespace
}  // namespace sluice::fuzz
