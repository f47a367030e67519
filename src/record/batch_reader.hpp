// Reads the records of a batch back: to split one that was too large, in test brokers, in tests.
#pragma once

#include <vector>

#include "record/batch_header.hpp"

namespace sluice {

// A record as it stands in a batch. Views into the batch's bytes; `headers` views into the reader.
struct stored_record {
    std::int32_t offset_delta = 0;
    record_parts parts;  // with the absolute timestamp
};

// Walks over the records of an uncompressed body, which is contiguous.
//
//   batch_reader reader(header, body);
//   while (auto record = reader.next()) ...      a record, or std::nullopt at the end or at an error
//   if (reader.error()) ...
//
// A broker's bytes are input: counts and sizes are checked, what is wrong is protocol_error.
class batch_reader {
public:
    batch_reader(const batch_header& header, bytes body) noexcept : header_(header), rest_(body) {}

    std::optional<stored_record> next();
    error_code error() const noexcept { return error_; }

private:
    bool read_varint(bytes& from, std::int32_t& value) noexcept;
    bool read_varlong(bytes& from, std::int64_t& value) noexcept;
    bool read_field(bytes& from, bytes_view& field) noexcept;

    batch_header header_;
    bytes rest_;
    std::int32_t read_count_ = 0;
    std::vector<header> headers_;
    error_code error_;
};

}  // namespace sluice
