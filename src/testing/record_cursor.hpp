// Reads the inside of a record, as Kafka's brokers do: any negative size is null.
// (org.apache.kafka.common.record.DefaultRecord)
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.hpp"
#include "wire/varint.hpp"

namespace sluice::testing {

// Errors stick: after the first bad read everything reads as zero or null.
class record_cursor {
public:
    explicit record_cursor(bytes body) noexcept : at_(body.data()), end_(at_ + body.size()) {}

    bool failed() const noexcept { return failed_; }
    std::size_t remaining() const noexcept { return static_cast<std::size_t>(end_ - at_); }

    std::int32_t read_varint() noexcept {
        return wire::unzigzag(static_cast<std::uint32_t>(read_groups(wire::varint_size_max)));
    }
    std::int64_t read_varlong() noexcept { return wire::unzigzag(read_groups(wire::varlong_size_max)); }

    // A size and as many bytes.
    std::optional<bytes> read_field() noexcept {
        const std::int32_t size = read_varint();
        if (size < 0 || failed_) return std::nullopt;
        return take(static_cast<std::size_t>(size));
    }
    // A record: its size and as many bytes; empty where there is none.
    bytes read_record() noexcept {
        const std::optional<bytes> record = read_field();
        if (!record) fail();
        return record.value_or(bytes());
    }
    bytes take(std::size_t size) noexcept {
        if (size > remaining()) {
            fail();
            return {};
        }
        const bytes taken(at_, size);
        at_ += size;
        return taken;
    }
    void fail() noexcept {
        failed_ = true;
        at_ = end_;
    }

private:
    std::uint64_t read_groups(std::size_t size_max) noexcept {
        std::uint64_t word = 0;
        for (std::size_t group = 0; group < size_max && at_ != end_; ++group) {
            const auto byte = std::to_integer<std::uint64_t>(*at_++);
            word |= (byte & 0x7f) << (7 * group);
            if (byte < 0x80) return word;
        }
        fail();
        return 0;
    }

    const std::byte* at_;
    const std::byte* end_;
    bool failed_ = false;
};

}  // namespace sluice::testing
