// Does a fake leader answer Produce as a real one does? Codes, offsets and shapes, for old and new versions.
#include <gtest/gtest.h>

#include "unit/testing/differential/script.hpp"

namespace sluice::testing {
namespace {

constexpr std::int64_t hour_ms = 3'600'000;

TEST(DifferentialProduce, Plain) {
    compare(
        [](script& run) {
            run.topic("t");
            run.produce("one", made_batch::of(1));
            run.produce("three", made_batch::of(3));
            run.produce("one more", made_batch::of(1));
            run.delete_records_before("t", 2);
            run.produce("after records were deleted", made_batch::of(1));
            run.produce("bad after records were deleted", made_batch::of(1, 5, 0, -3));
        },
        {3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13});
}

TEST(DifferentialProduce, DuplicatesInTheWindow) {
    compare([](script& run) {
        run.topic("t");
        const std::int64_t id = run.producer();
        for (int index = 0; index < 5; ++index) run.produce("new", made_batch::of(2, id, 0, 2 * index));
        for (int index = 0; index < 5; ++index) run.produce("again", made_batch::of(2, id, 0, 2 * index));
        run.produce("the next", made_batch::of(1, id, 0, 10));
    });
}

TEST(DifferentialProduce, DuplicatesBeyondTheWindow) {
    compare([](script& run) {
        run.topic("t");
        const std::int64_t id = run.producer();
        for (int index = 0; index < 7; ++index) run.produce("new", made_batch::of(1, id, 0, index));
        for (int index = 0; index < 7; ++index) run.produce("again", made_batch::of(1, id, 0, index));
        run.produce("another range", made_batch::of(2, id, 0, 5));
        run.produce("the next", made_batch::of(1, id, 0, 7));
    });
}

TEST(DifferentialProduce, DuplicatesAreKnownByTheirRangeNotTheirContent) {
    compare([](script& run) {
        run.topic("t");
        const std::int64_t id = run.producer();
        run.produce("new", made_batch::of(2, id, 0, 0));
        made_batch other = made_batch::of(2, id, 0, 0);
        other.records[0].value = "something else";
        other.records[0].timestamp = 77;
        run.produce("same range, other content", other);
        run.produce("shorter", made_batch::of(1, id, 0, 0));
        run.produce("longer", made_batch::of(3, id, 0, 0));
        run.produce("corrupt duplicate", with_field(made_batch::of(2, id, 0, 0).bytes(), record_count_at, 7));
    });
}

TEST(DifferentialProduce, Gaps) {
    compare([](script& run) {
        run.topic("t");
        const std::int64_t id = run.producer();
        run.produce("first", made_batch::of(2, id, 0, 0));
        run.produce("gap", made_batch::of(1, id, 0, 3));
        run.produce("the one that was missing", made_batch::of(1, id, 0, 2));
        run.produce("then the other", made_batch::of(1, id, 0, 3));
        run.produce("overlap", made_batch::of(2, id, 0, 3));
    });
}

TEST(DifferentialProduce, Epochs) {
    compare([](script& run) {
        run.topic("t");
        const std::int64_t id = run.producer();
        run.produce("epoch 1", made_batch::of(2, id, 1, 0));
        run.produce("old epoch", made_batch::of(1, id, 0, 2));
        run.produce("old epoch from 0", made_batch::of(1, id, 0, 0));
        run.produce("new epoch not from 0", made_batch::of(1, id, 2, 2));
        run.produce("old epoch goes on", made_batch::of(1, id, 1, 2));
        run.produce("new epoch", made_batch::of(1, id, 2, 0));
        run.produce("duplicate of the old epoch", made_batch::of(1, id, 1, 2));
        run.produce("epoch far ahead", made_batch::of(1, id, 30000, 0));
        run.produce("duplicate in the new epoch", made_batch::of(1, id, 30000, 0));
    });
}

TEST(DifferentialProduce, UnknownProducers) {
    compare([](script& run) {
        run.topic("t");
        run.produce("not from 0", made_batch::of(1, 900001, 0, 17));
        run.produce("goes on", made_batch::of(1, 900001, 0, 18));
        run.produce("not from 0, later epoch", made_batch::of(1, 900002, 5, 99));
        run.produce("no epoch", made_batch::of(1, 900003, -1, 0));
        run.produce("no epoch again", made_batch::of(1, 900003, -1, 0));
        run.produce("no sequence", made_batch::of(1, 900004, 0, -1));
        run.produce("id 0", made_batch::of(1, 0, 0, 0));
        run.produce("negative id", made_batch::of(1, -7, 3, 4));
        run.produce("negative id again", made_batch::of(1, -7, 3, 4));
    });
}

TEST(DifferentialProduce, SequencesWrap) {
    compare([](script& run) {
        run.topic("t");
        const std::int64_t id = run.producer();
        run.produce("up to the last", made_batch::of(2, id, 0, 2147483646));
        run.produce("on from 0", made_batch::of(2, id, 0, 0));
        run.produce("duplicate before", made_batch::of(2, id, 0, 2147483646));
        const std::int64_t other = run.producer();
        run.produce("across", made_batch::of(4, other, 0, 2147483646));
        run.produce("duplicate across", made_batch::of(4, other, 0, 2147483646));
        run.produce("on after the wrap", made_batch::of(1, other, 0, 2));
    });
}

TEST(DifferentialProduce, DeletedRecordsDoNotForgetTheirProducer) {
    compare([](script& run) {
        run.topic("t");
        const std::int64_t id = run.producer();
        run.produce("first", made_batch::of(2, id, 0, 0));
        run.delete_records_before("t", 2);
        run.produce("goes on", made_batch::of(1, id, 0, 2));
        run.produce("duplicate of what was deleted", made_batch::of(2, id, 0, 0));
        run.produce("gap", made_batch::of(1, id, 0, 9));
    });
}

TEST(DifferentialProduce, RecreatedTopics) {
    compare(
        [](script& run) {
            run.topic("t");
            const std::int64_t id = run.producer();
            run.produce("first", made_batch::of(2, id, 0, 0));
            run.delete_topic("t");
            run.produce("deleted", made_batch::of(1, id, 0, 2));
            run.topic("t");
            run.produce("again, by the old id where ids are used", made_batch::of(1, id, 0, 2));
        },
        {9, 13});
}

TEST(DifferentialProduce, ChecksumsAndHeaders) {
    compare([](script& run) {
        run.topic("t");
        const std::vector<std::byte> good = made_batch::of(3).bytes();
        std::vector<std::byte> corrupt = good;
        corrupt.back() ^= std::byte{1};
        run.produce("wrong checksum", corrupt);
        run.produce("base offset 5", with_field<std::int64_t>(good, base_offset_at, 5));
        run.produce("leader epoch 9", with_field<std::int32_t>(good, leader_epoch_at, 9));
        run.produce("count 4", with_field<std::int32_t>(good, record_count_at, 4));
        run.produce("count 2", with_field<std::int32_t>(good, record_count_at, 2));
        run.produce("count 0", with_field<std::int32_t>(good, record_count_at, 0));
        run.produce("count -1", with_field<std::int32_t>(good, record_count_at, -1));
        run.produce("last offset delta 5", with_field<std::int32_t>(good, last_offset_delta_at, 5));
        run.produce("last offset delta -1", with_field<std::int32_t>(good, last_offset_delta_at, -1));
        auto two = with_field<std::int32_t>(good, last_offset_delta_at, 1);
        run.produce("one record too many", with_field<std::int32_t>(two, record_count_at, 2));
        auto four = with_field<std::int32_t>(good, last_offset_delta_at, 3);
        run.produce("one record missing", with_field<std::int32_t>(four, record_count_at, 4));
        run.produce("control batch", with_field<std::int16_t>(good, attributes_at, 32));
        run.produce("unused attributes", with_field<std::int16_t>(good, attributes_at, 0x4f80));
        run.produce("delete horizon", with_field<std::int16_t>(good, attributes_at, 64));
        run.produce("largest timestamp is wrong", with_field<std::int64_t>(good, max_timestamp_at, 5));
        run.produce("codec 5", with_field<std::int16_t>(good, attributes_at, 5));
        run.produce("codec 7", with_field<std::int16_t>(good, attributes_at, 7));
    });
}

TEST(DifferentialProduce, CompressedBatches) {
    compare([](script& run) {
        run.topic("t");
        run.topic("compacted", {.is_compacted = true});
        made_batch batch = made_batch::of(3);
        batch.records[1].value = std::string(2000, 'v');
        made_batch keyless = batch;
        keyless.records[2].key = std::nullopt;
        made_batch late = batch;
        late.records[1].timestamp = std::int64_t{1} << 60;
        for (const compression type :
             {compression::gzip, compression::snappy, compression::lz4, compression::zstd}) {
            if (type == compression::zstd && run.version() < 7) continue;  // refused for its version alone
            const std::string name(to_string(type));
            const std::vector<std::byte> good = compressed(batch, type);
            run.produce(name, good);
            run.produce(name + ", a record too far ahead", compressed(late, type));
            const auto four = with_field<std::int32_t>(good, last_offset_delta_at, 3);
            run.produce(name + ", one record missing", with_field<std::int32_t>(four, record_count_at, 4));
            const auto two = with_field<std::int32_t>(good, last_offset_delta_at, 1);
            run.produce(name + ", one record too many", with_field<std::int32_t>(two, record_count_at, 2));
            made_produce to_compacted;
            to_compacted.parts.push_back({"compacted", 0, compressed(keyless, type)});
            run.produce(name + ", without a key", to_compacted);
            run.produce(
                name + ", which it is not",
                with_field<std::int16_t>(batch.bytes(), attributes_at, static_cast<std::int16_t>(type)));
        }
    });
}

TEST(DifferentialProduce, ShapesOfRecordSets) {
    compare([](script& run) {
        run.topic("t");
        const std::vector<std::byte> good = made_batch::of(2).bytes();
        const auto cut = [&](std::size_t size) {
            return std::vector<std::byte>(good.begin(), good.begin() + std::ptrdiff_t(size));
        };
        run.produce("empty", std::vector<std::byte>());
        for (const std::size_t size : {5u, 12u, 16u, 17u, 20u, 61u, 70u}) run.produce("cut off", cut(size));
        run.produce("two batches", joined(good, good));
        run.produce("two batches, second corrupt", joined(good, with_field<std::int32_t>(good, size_at, 3)));
        run.produce("two batches, second cut off", joined(good, cut(40)));
        run.produce("five bytes behind", joined(good, cut(5)));
        run.produce("twelve zeros behind", joined(good, std::vector<std::byte>(12)));
        run.produce("magic 0", with_field<std::int8_t>(good, magic_at, 0));
        run.produce("magic 1", with_field<std::int8_t>(good, magic_at, 1));
        run.produce("magic 3", with_field<std::int8_t>(good, magic_at, 3));
        run.produce("magic -1", with_field<std::int8_t>(good, magic_at, -1));
        run.produce("size 0", with_field<std::int32_t>(good, size_at, 0));
        run.produce("size 13", with_field<std::int32_t>(good, size_at, 13));
        run.produce("size 30", with_field<std::int32_t>(good, size_at, 30));
        run.produce("size -1", with_field<std::int32_t>(good, size_at, -1));
        run.produce("size too large", with_field<std::int32_t>(good, size_at, 1000000));
        run.produce("empty batch", made_batch::of(0).bytes());
    });
}

TEST(DifferentialProduce, OnePartitionOfSeveralIsBad) {
    compare([](script& run) {
        run.topic("t", {.partition_count = 4, .replication_factor = 1});
        const std::vector<std::byte> good = made_batch::of(2).bytes();
        std::vector<std::byte> corrupt = good;
        corrupt.back() ^= std::byte{1};
        run.produce("wrong checksum", made_produce{{{"t", 0, good}, {"t", 3, corrupt}}});
        run.produce("not made out",
                    made_produce{{{"t", 0, good}, {"t", 3, with_field<std::int32_t>(good, size_at, 3)}}});
        run.produce("two batches", made_produce{{{"t", 0, good}, {"t", 3, joined(good, good)}}});
        run.produce("no such partition", made_produce{{{"t", 0, good}, {"t", 9, good}}});
        run.produce("no such topic", made_produce{{{"t", 0, good}, {"nothing", 0, good}}});
        run.produce("led by another", made_produce{{{"t", 0, good}, {"t", 1, good}, {"t", 2, good}}});
        run.produce("empty beside good", made_produce{{{"t", 0, good}, {"t", 3, {}}}});
    });
}

TEST(DifferentialProduce, RecordsInside) {
    compare([](script& run) {
        run.topic("t");
        made_batch batch = made_batch::of(1);
        batch.records[0].headers = {{"h", "x"}, {"n", std::nullopt}};
        const std::vector<std::byte> good = batch.bytes();
        run.produce("good", good);
        // length attributes delta offset | key: 1 'k' | value: 1 'v' | headers: 2, 1 'h' 1 'x', 1 'n' -1
        const auto with_byte = [&](std::size_t at, int value) {
            return with_field(good, 61 + at, static_cast<std::int8_t>(value));
        };
        run.produce("length too long", with_byte(0, 60));
        run.produce("length too short", with_byte(0, 2));
        run.produce("length 0", with_byte(0, 0));
        run.produce("length negative", with_byte(0, 1));
        run.produce("attributes", with_byte(1, 7));
        run.produce("offset delta 5", with_byte(3, 10));
        run.produce("key too long", with_byte(4, 100));
        run.produce("key of size -2", with_byte(4, 3));
        run.produce("value too long", with_byte(6, 100));
        run.produce("more headers", with_byte(8, 6));
        run.produce("fewer headers", with_byte(8, 2));
        run.produce("many headers", with_byte(8, 126));
        run.produce("negative headers", with_byte(8, 1));
        run.produce("null header key", with_byte(9, 1));
        run.produce("header value of size -3", with_byte(15, 5));
        run.produce("varint without an end", with_byte(2, -1));
    });
}

TEST(DifferentialProduce, TooLarge) {
    compare([](script& run) {
        run.topic("t", {.max_message_bytes = 200});
        made_batch batch = made_batch::of(1);
        const std::size_t rest = batch.bytes().size() - 1;
        batch.records[0].value = std::string(199 - rest, 'x');
        run.produce("just fits", batch);
        batch.records[0].value = std::string(203 - rest, 'x');
        run.produce("just too large", batch);
        std::vector<std::byte> corrupt = batch.bytes();
        corrupt.back() ^= std::byte{1};
        run.produce("too large and corrupt", corrupt);
    });
}

TEST(DifferentialProduce, Acks) {
    compare([](script& run) {
        run.topic("t");
        const std::vector<std::byte> good = made_batch::of(1).bytes();
        for (const std::int16_t acks : std::vector<std::int16_t>{-1, 1, 2, -2, 0, 100}) {
            run.produce("acks " + std::to_string(acks), made_produce{{{"t", 0, good}}, acks});
        }
        run.produce("acks 0, unknown topic", made_produce{{{"nothing", 0, good}}, 0});
        run.produce("acks 0, not the leader", made_produce{{{"t", 0, good}}, 0}, 2);
        run.produce("acks 2, unknown topic", made_produce{{{"nothing", 0, good}}, 2});
        run.produce("acks 2, two batches", made_produce{{{"t", 0, joined(good, good)}}, 2});
        run.produce("acks 2, corrupt",
                    made_produce{{{"t", 0, with_field<std::int32_t>(good, record_count_at, 9)}}, 2});
        run.produce("what is stored", made_produce{{{"t", 0, good}}, 1});
    });
}

TEST(DifferentialProduce, NotTheLeader) {
    compare(
        [](script& run) {
            run.topic("t", {.partition_count = 3, .replication_factor = 2});
            const std::vector<std::byte> good = made_batch::of(1).bytes();
            for (const std::int32_t node : {1, 2, 3}) {
                run.produce("node " + std::to_string(node),
                            made_produce{{{"t", 0, good}, {"t", 1, good}, {"t", 2, good}}}, node);
            }
        },
        {3, 9, 10, 11, 12, 13});
}

TEST(DifferentialProduce, UnknownTopics) {
    compare([](script& run) {
        run.topic("t");
        const std::vector<std::byte> good = made_batch::of(1).bytes();
        run.produce("no such topic", made_produce{{{"nothing", 0, good}}});
        run.produce("no such partition", made_produce{{{"t", 7, good}}});
        run.produce("negative partition", made_produce{{{"t", -1, good}}});
        if (run.version() < 13) run.produce("illegal name", made_produce{{{"no/such", 0, good}}});
        made_produce by_id{{{"t", 0, good}}};
        by_id.ids.push_back({});
        by_id.ids[0].octets.fill(std::byte{0x5a});
        if (run.version() >= 13) run.produce("no such id", by_id);
        by_id.ids[0] = {};
        if (run.version() >= 13) run.produce("zero id", by_id);
    });
}

TEST(DifferentialProduce, TooFewInSync) {
    compare([](script& run) {
        run.topic("t", {.replication_factor = 1, .min_insync_replicas = 2});
        run.produce("more asked for than there are replicas", made_batch::of(1));
    });
}

TEST(DifferentialProduce, LogAppendTime) {
    compare([](script& run) {
        run.topic("t", {.message_timestamp_type = timestamp_type::log_append_time});
        const std::int64_t id = run.producer();
        run.produce("plain", made_batch::of(2));
        run.produce("idempotent", made_batch::of(2, id, 0, 0));
        run.produce("duplicate", made_batch::of(2, id, 0, 0));
        run.produce("stamped by the client",
                    with_field<std::int16_t>(made_batch::of(1).bytes(), attributes_at, 8));
    });
}

TEST(DifferentialProduce, Timestamps) {
    compare([](script& run) {
        run.topic("t");
        const auto at = [](std::int64_t time) {
            made_batch batch = made_batch::of(3);
            batch.records[1].timestamp = time;
            return batch;
        };
        const std::int64_t now = std::chrono::duration_cast<std::chrono::milliseconds>(
                                     std::chrono::system_clock::now().time_since_epoch())
                                     .count();
        run.produce("0", at(0));
        run.produce("-1", at(-1));
        run.produce("-5", at(-5));
        run.produce("in half an hour", at(now + hour_ms / 2));
        run.produce("in two hours", at(now + 2 * hour_ms));
        run.produce("at the end of time", at(INT64_MAX));
        made_batch none = made_batch::of(1);
        none.records[0].timestamp = -1;
        run.produce("no timestamp", none);
        run.produce("no timestamp, stamped by the client",
                    with_field<std::int16_t>(none.bytes(), attributes_at, 8));
        run.produce("stamped by the client",
                    with_field<std::int16_t>(made_batch::of(1).bytes(), attributes_at, 8));
        const std::int64_t id = run.producer();
        run.produce("idempotent", made_batch::of(2, id, 0, 0));
        run.produce("duplicate", made_batch::of(2, id, 0, 0));
    });
}

TEST(DifferentialProduce, CompactedTopicsNeedKeys) {
    compare([](script& run) {
        run.topic("t", {.is_compacted = true});
        made_batch batch = made_batch::of(5);
        run.produce("keys", batch);
        batch.records[1].key = std::nullopt;
        batch.records[3].key = std::nullopt;
        run.produce("two without", batch);
        batch.records[4].timestamp = INT64_MAX;
        run.produce("two without, one too late", batch);
    });
}

TEST(DifferentialProduce, TransactionsWithoutATransactionalId) {
    compare([](script& run) {
        run.topic("t", {.partition_count = 4, .replication_factor = 1});
        made_batch batch = made_batch::of(1, 77, 0, 0);
        batch.attributes = 16;
        run.produce("alone", made_produce{{{"t", 0, batch.bytes()}}});
        run.produce("beside a good one",
                    made_produce{{{"t", 0, made_batch::of(1).bytes()}, {"t", 3, batch.bytes()}}});
        run.produce("acks 0", made_produce{{{"t", 0, batch.bytes()}}, 0});
    });
}

TEST(DifferentialProduce, ZstdNeedsVersion7) {
    compare(
        [](script& run) {
            run.topic("t");
            run.produce("zstd", with_field<std::int16_t>(made_batch::of(1).bytes(), attributes_at, 4));
        },
        {3, 6});
}

}  // namespace
}  // namespace sluice::testing
