// The requests of one connection: Produce is answered from the heads of its batches, records are not looked at.
//
//   request    = size:i32 header transactional-id acks:i16 timeout-ms:i32 topic-count topic* [tags]
//   topic      = name or id, partition-count partition* [tags]
//   partition  = index:i32 records-size batch* [tags]
//   batch      = head:61 body          of the head its size, its codec, whether there is a producer id, and its
//                                      count of records are read
//
// No I/O: bytes come in through `room` and `received`, and what need not be copied at all through `skippable` and
// `skipped`. Every item above but the body is taken in whole, as soon as all of it is there.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "sink/rare_requests.hpp"
#include "sink/topics.hpp"
#include "wire/reader.hpp"
#include "wire/writer.hpp"

namespace sluice::sink {

struct counts {
    std::uint64_t connections = 0;
    std::uint64_t requests = 0;  // Produce
    std::uint64_t batches = 0;
    std::uint64_t records = 0;
    std::uint64_t bytes = 0;  // of batches
    std::uint64_t errors = 0;

    static constexpr std::array<std::string_view, 8> codecs{"none", "gzip", "snappy", "lz4",
                                                            "zstd", "5",    "6",      "7"};
    std::array<std::uint64_t, codecs.size()> batches_by_codec{};
    std::array<std::uint64_t, 3> requests_by_acks{};  // 0, 1, all
    std::uint64_t idempotent_batches = 0;

    std::uint64_t refuse_after = UINT64_MAX;  // records: batches that come later are answered with an error
};

// Owner: the sink's thread. Errors: false from `received` and `skipped`; `error` says what was wrong.
class request_reader {
public:
    // How much of a request is read at a time. Small, because what is left of a batch is then skipped uncopied.
    static constexpr std::size_t read_size = 8 << 10;

    request_reader(topics& all, rare_requests& rare, counts& sum);

    // Where the next bytes go: at least one.
    std::span<std::byte> room() noexcept;
    [[nodiscard]] bool received(std::size_t size);

    // How many bytes of a batch come next that nobody has to look at.
    std::size_t skippable() const noexcept { return begin_ == end_ ? body_left_ : 0; }
    [[nodiscard]] bool skipped(std::size_t size);

    // Answers in order, one or more after the other; `is_late` is for those that `--delay-ms` is about.
    struct answer {
        std::size_t end;  // in `answers`
        bool is_late;
    };
    std::vector<std::byte>& answers() noexcept { return answers_; }
    std::vector<answer>& answer_ends() noexcept { return answer_ends_; }

    const std::string& error() const noexcept { return error_; }

private:
    enum class expected { request, topic, partition, batch, body, partition_end, topic_end, request_end };

    // Takes in one item. False when it is not there completely, or when it makes no sense: then there is an error.
    bool step();
    bool take_request();
    bool take_produce(wire::reader& in, std::int16_t version);
    bool take_topic(wire::reader& in);
    bool take_partition(wire::reader& in);
    bool take_batch(wire::reader& in);
    void take_body();
    void end_request();
    // What comes after the item that was taken in last.
    expected next_batch() const noexcept;

    std::size_t in_buffer() const noexcept { return end_ - begin_; }
    void consume(std::size_t size) noexcept;
    bool read_items(wire::reader& in);
    void queue_answer(bool is_late);
    bool fail(std::string text);

    static constexpr std::size_t capacity = 256 << 10;

    topics& topics_;
    rare_requests& rare_;
    counts& counts_;

    std::unique_ptr<std::byte[]> buffer_ = std::make_unique<std::byte[]>(capacity);
    std::size_t begin_ = 0;
    std::size_t end_ = 0;

    // The Produce request that is being read.
    expected expected_ = expected::request;
    bool is_flexible_ = false;
    bool is_answered_ = false;
    std::int16_t version_ = 0;
    std::size_t request_left_ = 0;
    std::size_t records_left_ = 0;  // of this partition
    std::size_t body_left_ = 0;     // of this batch
    std::uint32_t topics_left_ = 0;
    std::uint32_t partitions_left_ = 0;
    topic* topic_ = nullptr;
    std::int32_t partition_index_ = 0;
    std::int64_t base_offset_ = -1;
    std::int16_t partition_error_ = 0;

    wire::writer answer_;  // to it
    std::vector<iovec> pieces_;
    std::vector<std::byte> answers_;
    std::vector<answer> answer_ends_;
    std::string error_;
};

}  // namespace sluice::sink
