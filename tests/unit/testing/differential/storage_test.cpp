// Does a fake leader store the bytes that a real one stores?
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "testing/record_set.hpp"
#include "unit/testing/differential/script.hpp"
#include "unit/wire/hex.hpp"

namespace sluice::testing {
namespace {

// A line for each batch. Where the broker's own time is in it, that time and the checksum are replaced by
// whether the checksum is right.
void write_stored(script& run) {
    const std::vector<std::byte> all = run.cluster().stored(run.full_name("t"));
    bytes rest = all;
    while (find_batch(rest).what == first_batch::kind::whole) {
        const bytes whole = find_batch(rest).data;
        std::vector<std::byte> batch(whole.begin(), whole.end());
        if (const batch_header header = header_of(whole); header.has(batch_attributes::log_append_time)) {
            EXPECT_TRUE(has_valid_crc(header, whole));
            batch = with_field<std::int64_t>(std::move(batch), max_timestamp_at, 0);
        }
        run.write(wire::to_hex(batch));
        rest = rest.subspan(whole.size());
    }
    EXPECT_TRUE(rest.empty());
}

TEST(DifferentialStorage, CreateTime) {
    compare(
        [](script& run) {
            run.topic("t");
            const std::int64_t id = 424242;
            made_batch batch = made_batch::of(3, id, 1, 0);
            batch.records[1].timestamp = 5000;
            batch.records[2].timestamp = 10;
            run.produce("idempotent", batch);
            run.produce("plain", made_batch::of(2));
            const std::vector<std::byte> good = made_batch::of(2).bytes();
            run.produce("largest timestamp is wrong", with_field<std::int64_t>(good, max_timestamp_at, 5));
            run.produce("leader epoch 9", with_field<std::int32_t>(good, leader_epoch_at, 9));
            run.produce("unused attributes", with_field<std::int16_t>(good, attributes_at, 0x4f80));
            auto odd = with_field<std::int16_t>(good, attributes_at, 0x4fc0);
            run.produce("unused attributes, and the timestamp",
                        with_field<std::int64_t>(odd, max_timestamp_at, 5));
            run.produce("stamped by the client", with_field<std::int16_t>(good, attributes_at, 8));
            run.produce("five bytes behind", joined(good, std::vector<std::byte>(5)));
            made_batch none = made_batch::of(1);
            none.records[0].timestamp = -1;
            run.produce("no timestamp", none);
            write_stored(run);
        },
        {3, 9});
}

TEST(DifferentialStorage, LogAppendTime) {
    compare(
        [](script& run) {
            run.topic("t", {.message_timestamp_type = timestamp_type::log_append_time});
            run.produce("idempotent", made_batch::of(3, 424242, 1, 0));
            run.produce("plain", made_batch::of(2));
            run.produce("unused attributes",
                        with_field<std::int16_t>(made_batch::of(2).bytes(), attributes_at, 0x4fc0));
            write_stored(run);
        },
        {9});
}

}  // namespace
}  // namespace sluice::testing
