#include "wire/writer.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "wire/varint.hpp"

namespace sluice::wire {
namespace {

constexpr std::size_t arena_capacity_min = 512;  // a Produce request for a dozen partitions
constexpr std::size_t length_max = std::numeric_limits<std::int32_t>::max() - 1;  // compact form adds one

iovec piece(const std::byte* data, std::size_t size) noexcept {
    return {const_cast<std::byte*>(data), size};  // sendmsg(2) only reads, whatever its type says
}

}  // namespace

writer& writer::operator=(writer&& other) noexcept {
    arena_ = std::move(other.arena_);
    arena_size_ = std::exchange(other.arena_size_, 0);
    arena_capacity_ = std::exchange(other.arena_capacity_, 0);
    referenced_size_ = std::exchange(other.referenced_size_, 0);
    references_ = std::exchange(other.references_, {});
    return *this;
}

void writer::grow(std::size_t size) {
    const std::size_t capacity = std::max({arena_size_ + size, arena_capacity_ * 2, arena_capacity_min});
    auto larger = std::make_unique_for_overwrite<std::byte[]>(capacity);
    if (arena_size_ > 0) std::memcpy(larger.get(), arena_.get(), arena_size_);
    arena_ = std::move(larger);
    arena_capacity_ = capacity;
}

void writer::write_unsigned_varint(std::uint32_t value) {
    written_up_to(wire::write_unsigned_varint(room(varint_size_max), value));
}

void writer::write_varint(std::int32_t value) {
    written_up_to(wire::write_varint(room(varint_size_max), value));
}

void writer::write_varlong(std::int64_t value) {
    written_up_to(wire::write_varlong(room(varlong_size_max), value));
}

void writer::write_raw(bytes content) {
    if (content.empty()) return;
    std::memcpy(room(content.size()), content.data(), content.size());
    arena_size_ += content.size();
}

void writer::write_length(std::size_t length, encoding how) {
    ensure(length <= length_max);
    if (how == encoding::compact) {
        write_unsigned_varint(static_cast<std::uint32_t>(length + 1));
    } else {
        write_int32(static_cast<std::int32_t>(length));
    }
}

void writer::write_null_length(encoding how) {
    if (how == encoding::compact) {
        write_unsigned_varint(0);
    } else {
        write_int32(-1);
    }
}

void writer::write_string(std::string_view text, encoding how) {
    ensure(text.size() <= string_size_max);
    if (how == encoding::compact) {
        write_unsigned_varint(static_cast<std::uint32_t>(text.size() + 1));
    } else {
        write_int16(static_cast<std::int16_t>(text.size()));
    }
    write_raw(as_bytes(text));
}

void writer::write_nullable_string(std::optional<std::string_view> text, encoding how) {
    if (text) return write_string(*text, how);
    if (how == encoding::compact) {
        write_unsigned_varint(0);
    } else {
        write_int16(-1);
    }
}

void writer::write_bytes(bytes content, encoding how) {
    write_length(content.size(), how);
    write_raw(content);
}

void writer::write_nullable_bytes(std::optional<bytes> content, encoding how) {
    if (content) return write_bytes(*content, how);
    write_null_length(how);
}

void writer::write_reference(bytes content) {
    if (content.empty()) return;
    references_.push_back({arena_size_, content});
    referenced_size_ += content.size();
}

void writer::patch_int32(std::size_t arena_offset, std::int32_t value) {
    ensure(arena_offset + sizeof value <= arena_size_);
    store_big_endian(arena_.get() + arena_offset, value);
}

void writer::insert_size_varint(std::size_t arena_offset) {
    ensure(arena_offset <= arena_size_);
    const std::size_t size = arena_size_ - arena_offset;
    ensure(size <= length_max);
    if (!references_.empty()) ensure(references_.back().arena_offset <= arena_offset);
    const std::size_t shift = unsigned_varint_size(static_cast<std::uint32_t>(size));
    room(shift);
    std::byte* content = arena_.get() + arena_offset;
    std::memmove(content + shift, content, size);
    wire::write_unsigned_varint(content, static_cast<std::uint32_t>(size));
    arena_size_ += shift;
}

void writer::pieces(std::vector<iovec>& out) const {
    std::size_t offset = 0;
    for (const reference& next : references_) {
        if (next.arena_offset > offset)
            out.push_back(piece(arena_.get() + offset, next.arena_offset - offset));
        out.push_back(piece(next.content.data(), next.content.size()));
        offset = next.arena_offset;
    }
    if (arena_size_ > offset) out.push_back(piece(arena_.get() + offset, arena_size_ - offset));
}

std::vector<std::byte> writer::gathered() const {
    std::vector<iovec> parts;
    pieces(parts);
    std::vector<std::byte> whole;
    whole.reserve(size());
    for (const iovec& part : parts) {
        const auto* data = static_cast<const std::byte*>(part.iov_base);
        whole.insert(whole.end(), data, data + part.iov_len);
    }
    return whole;
}

void writer::rewind(const mark& to) noexcept {
    arena_size_ = to.arena_size;
    referenced_size_ = to.referenced_size;
    references_.erase(references_.begin() + static_cast<std::ptrdiff_t>(to.reference_count),
                      references_.end());
}

}  // namespace sluice::wire
