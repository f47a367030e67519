#include "record/record_format.hpp"
#include "unit/vectors/vectors.hpp"

namespace sluice::vectors {
namespace {

// A view of that many zeros; -1: null.
bytes_view zeros(std::int64_t length) {
    static const std::vector<std::byte> plenty(1 << 20);
    if (length < 0) return std::nullopt;
    return std::span<const std::byte>(plenty).first(static_cast<std::size_t>(length));
}

// The size as computed, and the size as written.
void check(const nlohmann::json& vector, verdict& verdict) {
    std::vector<header> headers;
    for (const nlohmann::json& each : vector.at("headers")) {
        headers.push_back({zeros(each.at("keyUtf8Length").get<std::int64_t>()).text(),
                           zeros(each.at("valueLength").get<std::int64_t>())});
    }
    record_parts parts;
    parts.key = zeros(vector.at("keyLength").get<std::int64_t>());
    parts.value = zeros(vector.at("valueLength").get<std::int64_t>());
    parts.headers = headers;
    const auto timestamp_delta = vector.at("timestampDelta").get<std::int64_t>();
    const auto offset_delta = vector.at("offsetDelta").get<std::int32_t>();
    const auto expected = vector.at("recordSize").get<std::size_t>();

    const std::size_t content_size = record_content_size(parts);
    const std::size_t body_size = record_body_size(content_size, timestamp_delta, offset_delta);
    verdict.expect_equal("recordSize", expected, record_size(body_size));
    verdict.expect_equal("batchUpperBound", vector.at("batchUpperBound").get<std::size_t>(),
                         batch_size_upper_bound(content_size));
    std::vector<std::byte> room(record_size(body_size));
    const std::byte* end = write_record(room.data(), body_size, timestamp_delta, offset_delta, parts);
    verdict.expect_equal("size written", expected, static_cast<std::size_t>(end - room.data()));
}

const registration registered("record_sizes", check);

}  // namespace
}  // namespace sluice::vectors
