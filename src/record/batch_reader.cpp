#include "record/batch_reader.hpp"

#include <array>
#include <cstring>

namespace sluice {
namespace {

// Reads a varint that may be cut off by the end of `from`: through a padded copy when fewer bytes are left than the
// longest varint has.
template <std::size_t SizeMax, class Value, class Read>
bool read_bounded(bytes& from, Value& value, Read read) noexcept {
    std::array<std::byte, SizeMax> padded;
    const std::byte* start = from.data();
    if (from.size() < SizeMax) {
        padded.fill(std::byte{0xff});  // "more follows": running into the padding is an error
        if (!from.empty()) std::memcpy(padded.data(), from.data(), from.size());
        start = padded.data();
    }
    const std::byte* end = read(start, value);
    if (end == nullptr || static_cast<std::size_t>(end - start) > from.size()) return false;
    from = from.subspan(static_cast<std::size_t>(end - start));
    return true;
}

}  // namespace

bool batch_reader::read_varint(bytes& from, std::int32_t& value) noexcept {
    return read_bounded<wire::varint_size_max>(from, value, wire::read_varint);
}

bool batch_reader::read_varlong(bytes& from, std::int64_t& value) noexcept {
    return read_bounded<wire::varlong_size_max>(from, value, wire::read_varlong);
}

bool batch_reader::read_field(bytes& from, bytes_view& field) noexcept {
    std::int32_t size = 0;
    if (!read_varint(from, size) || size < -1) return false;
    if (size == -1) {
        field = std::nullopt;
        return true;
    }
    if (static_cast<std::size_t>(size) > from.size()) return false;
    field = from.first(static_cast<std::size_t>(size));
    from = from.subspan(static_cast<std::size_t>(size));
    return true;
}

std::optional<stored_record> batch_reader::next() {
    if (error_) return std::nullopt;
    if (read_count_ == header_.record_count) {
        if (!rest_.empty()) error_ = errc::protocol_error;  // more bytes than records
        return std::nullopt;
    }
    error_ = errc::protocol_error;  // until the record turns out to be right
    std::int32_t size = 0;
    if (!read_varint(rest_, size) || size < 0 || static_cast<std::size_t>(size) > rest_.size())
        return std::nullopt;
    bytes body = rest_.first(static_cast<std::size_t>(size));
    rest_ = rest_.subspan(body.size());
    if (body.empty()) return std::nullopt;
    body = body.subspan(1);  // attributes

    stored_record record;
    std::int64_t timestamp_delta = 0;
    std::int32_t header_count = 0;
    if (!read_varlong(body, timestamp_delta) || !read_varint(body, record.offset_delta) ||
        !read_field(body, record.parts.key) || !read_field(body, record.parts.value) ||
        !read_varint(body, header_count) || header_count < 0 ||
        static_cast<std::size_t>(header_count) > body.size() / 2) {
        return std::nullopt;
    }
    headers_.clear();
    for (; header_count > 0; --header_count) {
        bytes_view key;
        header added;
        if (!read_field(body, key) || key.is_null() || !read_field(body, added.value)) return std::nullopt;
        added.key = key.text();
        headers_.push_back(added);
    }
    if (!body.empty()) return std::nullopt;
    record.parts.headers = headers_;
    record.parts.timestamp = header_.has(batch_attributes::log_append_time)
                                 ? header_.max_timestamp
                                 : header_.base_timestamp + timestamp_delta;
    ++read_count_;
    error_ = error_code();
    return record;
}

}  // namespace sluice
