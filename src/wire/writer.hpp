// Writes Kafka's primitive types, and gathers large bytes without copying them.
#pragma once

#include <sys/uio.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/ensure.hpp"
#include "wire/big_endian.hpp"
#include "wire/encoding.hpp"
#include "wire/uuid.hpp"

namespace sluice::wire {

// One or more requests on their way into one gathered write.
//
//   arena       [ size header topic count size ][ count size ][ count ...           small fields, ours, contiguous
//   references                                 ^ records      ^ records             large bytes, somebody else's
//   pieces      arena, records, arena, records, arena ...                           what sendmsg gets
//
// The arena grows and may move while it is written, so positions are offsets into it, never pointers;
// `pieces` are valid until the next write. `clear` keeps all memory: a writer that is used again and again
// allocates nothing.
//
// Owner: one shard; not synchronised.        Lifetime: referenced bytes outlive the write, unchanged.
// Errors: none; what a format cannot carry is checked by who writes it (encoder) and ensured here.
class writer {
public:
    explicit writer(std::size_t arena_capacity = 0) {
        if (arena_capacity > 0) grow(arena_capacity);
    }
    writer(writer&& other) noexcept { *this = std::move(other); }
    writer& operator=(writer&& other) noexcept;
    ~writer() = default;

    void write_int8(std::int8_t value) { write_integer(value); }
    void write_int16(std::int16_t value) { write_integer(value); }
    void write_int32(std::int32_t value) { write_integer(value); }
    void write_int64(std::int64_t value) { write_integer(value); }
    void write_uint16(std::uint16_t value) { write_integer(value); }
    void write_uint32(std::uint32_t value) { write_integer(value); }
    void write_bool(bool value) { write_integer(static_cast<std::int8_t>(value)); }
    void write_float64(double value) { write_integer(std::bit_cast<std::uint64_t>(value)); }
    void write_uuid(const uuid& value) { write_raw(value.octets); }

    void write_unsigned_varint(std::uint32_t value);
    void write_varint(std::int32_t value);   // zigzag
    void write_varlong(std::int64_t value);  // zigzag

    void write_string(std::string_view text, encoding how);  // at most string_size_max bytes
    void write_nullable_string(std::optional<std::string_view> text, encoding how);
    void write_bytes(bytes content, encoding how);  // at most 2^31 - 2 bytes
    void write_nullable_bytes(std::optional<bytes> content, encoding how);
    void write_raw(bytes content);  // without a length before it

    // What stands before bytes, records and the elements of an array.
    void write_length(std::size_t length, encoding how);
    void write_null_length(encoding how);

    // Adds bytes by reference: they are not copied.
    void write_reference(bytes content);

    // Everything written: the arena and what it refers to.
    std::size_t size() const noexcept { return arena_size_ + referenced_size_; }
    // Offset in the arena of the next byte.
    std::size_t arena_offset() const noexcept { return arena_size_; }
    // Overwrites four bytes that are in the arena already.
    void patch_int32(std::size_t arena_offset, std::int32_t value);
    // Puts the size of everything since `arena_offset` in front of it, as an unsigned varint (a tagged
    // field's size is known only after its content). There must be no reference since.
    void insert_size_varint(std::size_t arena_offset);

    // Appends what is to be sent, in order, none of it empty.
    void pieces(std::vector<iovec>& out) const;
    // The same bytes in one place, for tests and for brokers in tests.
    std::vector<std::byte> gathered() const;

    // A point to go back to when what follows turns out to be impossible to write.
    struct mark {
        std::size_t arena_size = 0;
        std::size_t referenced_size = 0;
        std::size_t reference_count = 0;
    };
    mark position() const noexcept { return {arena_size_, referenced_size_, references_.size()}; }
    void rewind(const mark& to) noexcept;

    // Empty again, with the same memory.
    void clear() noexcept { rewind({}); }

private:
    struct reference {
        std::size_t arena_offset;  // it goes before the byte at this offset
        bytes content;
    };

    template <std::integral Integer>
    void write_integer(Integer value) {
        store_big_endian(room(sizeof value), value);
        arena_size_ += sizeof value;
    }
    // Where the next bytes go, with room for `size` of them.
    std::byte* room(std::size_t size) {
        if (arena_capacity_ - arena_size_ < size) [[unlikely]]
            grow(size);
        return arena_.get() + arena_size_;
    }
    void written_up_to(const std::byte* next) noexcept {
        arena_size_ = static_cast<std::size_t>(next - arena_.get());
    }
    void grow(std::size_t size);

    std::unique_ptr<std::byte[]> arena_;
    std::size_t arena_size_ = 0;
    std::size_t arena_capacity_ = 0;
    std::size_t referenced_size_ = 0;
    std::vector<reference> references_;
};

}  // namespace sluice::wire
