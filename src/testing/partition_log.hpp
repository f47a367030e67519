// The log of one partition: batches in offset order, as a leader stores them.
//
//   stored batch = what the producer sent, with base offset and leader epoch, which the checksum leaves out,
//                  and, where they are not as the topic wants them, timestamp type and largest timestamp,
//                  with the checksum summed up anew
//
// Source: LogValidator.assignOffsetsNonCompressed, validateMessagesAndAssignOffsetsCompressed, DefaultRecordBatch.setMaxTimestamp. Owner: one partition.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/bytes.hpp"
#include "record/batch_header.hpp"
#include "sluice/testing/fake_cluster.hpp"

namespace sluice::testing {

class partition_log {
public:
    explicit partition_log(bool keeps_batches) noexcept : keeps_batches_(keeps_batches) {}

    struct stamp {
        std::int32_t leader_epoch = 0;
        timestamp_type type = timestamp_type::create_time;
        std::int64_t max_timestamp = -1;
    };

    // Appends a batch that was checked; returns its base offset.
    std::int64_t append(const batch_header& header, bytes batch, const stamp& stamped);

    // The log starts at `offset`, which is at most its end. A batch goes when all of it is before.
    void delete_before(std::int64_t offset);

    std::int64_t start_offset() const noexcept { return start_offset_; }
    std::int64_t end_offset() const noexcept { return end_offset_; }
    const append_totals& totals() const noexcept { return totals_; }

    std::vector<log_record> records() const;
    std::vector<std::vector<std::byte>> batches() const;

private:
    struct stored_batch {
        std::int64_t end_offset;
        std::size_t size;
        std::unique_ptr<std::byte[]> data;

        bytes view() const noexcept { return {data.get(), size}; }
    };

    bool keeps_batches_;
    std::int64_t start_offset_ = 0;
    std::int64_t end_offset_ = 0;
    std::vector<stored_batch> stored_;
    append_totals totals_;
};

}  // namespace sluice::testing
