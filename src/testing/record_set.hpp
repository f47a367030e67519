// What a broker makes of the bytes of one partition in a Produce request, before it looks at its log.
//
//   record set = batch [rest]      one whole batch of format 2; a rest too short to be another is ignored
//
// Written from Kafka's rules and not with the client's reader, so that a mistake there is not made here
// again.
// Source: ByteBufferLogInputStream, ProduceRequest.validateRecords, UnifiedLog.analyzeAndValidateRecords,
// LogValidator.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "record/batch_header.hpp"
#include "record/codecs/codec.hpp"
#include "sluice/testing/fake_cluster.hpp"

namespace sluice::testing {

// The first batch, as far as it can be made out.
struct first_batch {
    enum class kind { none, corrupt, whole };
    kind what = kind::none;
    bytes data;              // of a whole one
    std::int8_t magic = -1;  // likewise
};

// Looks at the size and the magic alone.
first_batch find_batch(bytes records) noexcept;

// Reads a batch that is large enough to have a header, whatever it holds.
batch_header header_of(bytes batch) noexcept;

// The error code of a record set by its shape, 0 for one good batch. `version`: of the Produce request.
std::int16_t check_shape(bytes records, std::int16_t version) noexcept;

// What a topic asks of a batch.
struct batch_rules {
    std::int32_t size_max = 0;
    timestamp_type timestamps = timestamp_type::create_time;
    std::int64_t timestamp_max = 0;  // of CreateTime
    bool needs_keys = false;
    std::string_view partition_name = {};  // "topic-0", for error texts
};

// A record that the topic refuses (KIP-467).
struct record_fault {
    std::int32_t index = 0;
    std::string text;
};

struct batch_verdict {
    std::int16_t code = 0;
    std::optional<std::string> text;
    std::vector<record_fault> faults;
    bool is_unexpected = false;       // Kafka tells the log start offset with errors that it did not foresee
    std::int64_t max_timestamp = -1;  // of the records
};

// The records of a whole batch, decompressed into `room` where they are compressed; nullopt if they cannot be.
std::optional<bytes> records_of(const batch_header& header, bytes batch, output_buffer& room);

// Checks one whole batch as a leader does before it gives it offsets.
batch_verdict check_batch(const batch_header& header, bytes batch, const batch_rules& rules);

}  // namespace sluice::testing
