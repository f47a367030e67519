#include "sink/request_reader.hpp"

#include <algorithm>
#include <cstring>

#include "wire/frame.hpp"

namespace sluice::sink {
namespace {

constexpr std::int16_t produce_key = static_cast<std::int16_t>(wire::api_key::produce);
constexpr std::int16_t produce_flexible_from = 9;
constexpr std::int16_t produce_by_id_from = 13;
constexpr std::int16_t produce_version_min = 3;
constexpr std::int16_t produce_version_max = 13;

constexpr std::int16_t unknown_topic_or_partition = 3;
constexpr std::int16_t invalid_record = 87;
constexpr std::int16_t unknown_topic_id = 100;

// The head of a batch: offset:i64 size:i32 epoch:i32 magic:i8 crc:u32 attributes:i16 ... producer:i64 ... count:i32, where `size` begins behind itself.
constexpr std::size_t batch_head_size = 61;
constexpr std::size_t batch_size_at = 8;
constexpr std::size_t batch_size_end = 12;
constexpr std::size_t batch_magic_at = 16;
constexpr std::size_t batch_attributes_at = 21;
constexpr std::size_t batch_producer_id_at = 43;
constexpr std::size_t batch_count_at = 57;
constexpr std::int16_t codec_bits = 7;  // of the attributes
constexpr std::byte batch_magic{2};

wire::encoding encoding_of(bool is_flexible) noexcept {
    return is_flexible ? wire::encoding::compact : wire::encoding::plain;
}

// The length before bytes or an array; -1 for null.
std::int64_t read_length(wire::reader& in, bool is_flexible) noexcept {
    return is_flexible ? std::int64_t{in.read_unsigned_varint()} - 1 : std::int64_t{in.read_int32()};
}

}  // namespace

request_reader::request_reader(topics& all, rare_requests& rare, counts& sum)
    : topics_(all), rare_(rare), counts_(sum) {}

std::span<std::byte> request_reader::room() noexcept {
    if (begin_ == end_) begin_ = end_ = 0;
    if (capacity - end_ < read_size) {
        std::memmove(buffer_.get(), buffer_.get() + begin_, in_buffer());
        end_ = in_buffer();
        begin_ = 0;
    }
    return {buffer_.get() + end_, std::min(read_size, capacity - end_)};
}

bool request_reader::received(std::size_t size) {
    end_ += size;
    while (step()) {}
    return error_.empty();
}

bool request_reader::skipped(std::size_t size) {
    body_left_ -= size;
    request_left_ -= size;
    records_left_ -= size;
    if (body_left_ == 0) expected_ = next_batch();
    return received(0);
}

bool request_reader::step() {
    if (!error_.empty()) return false;
    if (expected_ == expected::request) return take_request();
    if (expected_ == expected::body) {
        take_body();
        return expected_ != expected::body;
    }
    const std::size_t there = std::min(in_buffer(), request_left_);
    wire::reader in(bytes(buffer_.get() + begin_, there));
    const bool made_sense = read_items(in);
    if (in.failed()) {
        // An item that is not there completely, or one that never will be.
        if (there == request_left_ || in_buffer() == capacity) fail("a Produce request ends too early");
        return false;
    }
    if (!made_sense) return false;
    consume(there - in.remaining());
    if (expected_ == expected::request) {
        if (request_left_ != 0) return fail("a Produce request goes on after its end");
        end_request();
    }
    return true;
}

bool request_reader::take_request() {
    if (in_buffer() < wire::frame_prefix_size + 4) return false;
    const std::byte* const at = buffer_.get() + begin_;
    const auto size = wire::load_big_endian<std::int32_t>(at);
    if (size < 8) return fail("a request of less than 8 bytes");
    const auto frame_size = static_cast<std::size_t>(size);
    const std::size_t whole_size = wire::frame_prefix_size + frame_size;
    const bool is_there = in_buffer() >= whole_size;
    const bytes there(at + wire::frame_prefix_size,
                      std::min(in_buffer(), whole_size) - wire::frame_prefix_size);
    if (wire::load_big_endian<std::int16_t>(there.data()) == produce_key) {
        if (there.size() < 4) return false;
        wire::reader in(there);
        request_left_ = frame_size;
        if (!take_produce(in, wire::load_big_endian<std::int16_t>(there.data() + 2))) return false;
        if (in.failed()) {
            if (is_there || in_buffer() == capacity) fail("a Produce request ends too early");
            return false;
        }
        begin_ += wire::frame_prefix_size;
        consume(there.size() - in.remaining());
        return true;
    }
    if (!is_there) return whole_size > capacity - read_size ? fail("a request is too large") : false;
    if (!rare_.answer(there, answer_)) {
        return fail("a request that the sink does not answer: API " +
                    std::to_string(wire::load_big_endian<std::int16_t>(there.data())) + ", version " +
                    std::to_string(wire::load_big_endian<std::int16_t>(there.data() + 2)));
    }
    begin_ += whole_size;
    queue_answer(false);
    return true;
}

bool request_reader::take_produce(wire::reader& in, std::int16_t version) {
    if (version < produce_version_min || version > produce_version_max)
        return fail("Produce in version " + std::to_string(version));
    const wire::request_header header = wire::read_request_header(in);
    const bool is_flexible = version >= produce_flexible_from;
    (void)in.read_nullable_string(encoding_of(is_flexible));  // transactional id
    const std::int16_t acks = in.read_int16();
    (void)in.read_int32();  // timeout
    const std::int64_t topic_count = read_length(in, is_flexible);
    if (in.failed()) return true;
    if (topic_count < 0) return fail("a Produce request without topics");
    is_flexible_ = is_flexible;
    version_ = version;
    is_answered_ = acks != 0;
    ++counts_.requests_by_acks[acks == 0 ? 0 : acks == 1 ? 1 : 2];
    topics_left_ = static_cast<std::uint32_t>(topic_count);
    (void)wire::begin_response(answer_, wire::api_key::produce, version, header.correlation_id);
    answer_.write_length(topics_left_, encoding_of(is_flexible));
    expected_ = topics_left_ > 0 ? expected::topic : expected::request_end;
    return true;
}

// Reads the item that is expected, and what it says is noted only when all of it was there.
bool request_reader::read_items(wire::reader& in) {
    switch (expected_) {
        case expected::topic: return take_topic(in);
        case expected::partition: return take_partition(in);
        case expected::batch: return take_batch(in);
        case expected::partition_end:
            if (is_flexible_) in.skip_tagged_section();
            if (in.failed()) return true;
            answer_.write_int32(partition_index_);
            answer_.write_int16(partition_error_);
            answer_.write_int64(base_offset_);
            answer_.write_int64(-1);                    // log append time: of the producer
            if (version_ >= 5) answer_.write_int64(0);  // log start offset
            if (version_ >= 8) {
                answer_.write_length(0, encoding_of(is_flexible_));  // records that are refused
                answer_.write_nullable_string({}, encoding_of(is_flexible_));
            }
            if (is_flexible_) answer_.write_unsigned_varint(0);
            expected_ = --partitions_left_ > 0 ? expected::partition : expected::topic_end;
            return true;
        case expected::topic_end:
            if (is_flexible_) in.skip_tagged_section();
            if (in.failed()) return true;
            if (is_flexible_) answer_.write_unsigned_varint(0);
            expected_ = --topics_left_ > 0 ? expected::topic : expected::request_end;
            return true;
        case expected::request_end:
            if (is_flexible_) in.skip_tagged_section();
            if (in.failed()) return true;
            answer_.write_int32(0);  // throttle time
            if (is_flexible_) answer_.write_unsigned_varint(0);
            expected_ = expected::request;
            return true;
        case expected::request:
        case expected::body: break;
    }
    return fail("a state that is none");
}

bool request_reader::take_topic(wire::reader& in) {
    const bool is_by_id = version_ >= produce_by_id_from;
    const wire::uuid id = is_by_id ? in.read_uuid() : wire::uuid{};
    const std::string_view name = is_by_id ? std::string_view{} : in.read_string(encoding_of(is_flexible_));
    const std::int64_t partition_count = read_length(in, is_flexible_);
    if (in.failed()) return true;
    if (partition_count < 0) return fail("a topic without partitions");
    topic_ = is_by_id ? topics_.of_id(id) : &topics_.of_name(name);
    if (is_by_id) {
        answer_.write_uuid(id);
    } else {
        answer_.write_string(name, encoding_of(is_flexible_));
    }
    partitions_left_ = static_cast<std::uint32_t>(partition_count);
    answer_.write_length(partitions_left_, encoding_of(is_flexible_));
    expected_ = partitions_left_ > 0 ? expected::partition : expected::topic_end;
    return true;
}

bool request_reader::take_partition(wire::reader& in) {
    const std::int32_t index = in.read_int32();
    const std::int64_t size = read_length(in, is_flexible_);
    if (in.failed()) return true;
    const auto records_size = static_cast<std::size_t>(std::max<std::int64_t>(size, 0));
    if (records_size > request_left_) return fail("records are longer than their request");
    partition_index_ = index;
    base_offset_ = -1;
    partition_error_ = 0;
    if (topic_ == nullptr) {
        partition_error_ = unknown_topic_id;
    } else if (index < 0 || static_cast<std::size_t>(index) >= topic_->next_offsets.size()) {
        partition_error_ = unknown_topic_or_partition;
    }
    records_left_ = records_size;
    expected_ = next_batch();
    return true;
}

bool request_reader::take_batch(wire::reader& in) {
    if (records_left_ < batch_head_size) return fail("a batch ends too early");
    const bytes head = in.read_raw(batch_head_size);
    if (in.failed()) return true;
    const auto size = wire::load_big_endian<std::int32_t>(head.data() + batch_size_at);
    const auto record_count = wire::load_big_endian<std::int32_t>(head.data() + batch_count_at);
    if (head[batch_magic_at] != batch_magic) return fail("a message set of an old format");
    if (size < 0 || record_count < 0) return fail("a batch of a negative size");
    const std::size_t whole_size = batch_size_end + static_cast<std::size_t>(size);
    if (whole_size < batch_head_size || whole_size > records_left_)
        return fail("a batch that does not fit its partition");
    records_left_ -= batch_head_size;
    body_left_ = whole_size - batch_head_size;
    expected_ = body_left_ > 0 ? expected::body : next_batch();
    if (partition_error_ == 0 && counts_.records >= counts_.refuse_after) partition_error_ = invalid_record;
    if (partition_error_ != 0) {
        ++counts_.errors;
        return true;
    }
    std::int64_t& next_offset = topic_->next_offsets[static_cast<std::size_t>(partition_index_)];
    if (base_offset_ < 0) base_offset_ = next_offset;
    next_offset += record_count;
    topic_->record_count += static_cast<std::uint64_t>(record_count);
    counts_.records += static_cast<std::uint64_t>(record_count);
    counts_.bytes += whole_size;
    ++counts_.batches;
    ++counts_.batches_by_codec[static_cast<std::size_t>(
        wire::load_big_endian<std::int16_t>(head.data() + batch_attributes_at) & codec_bits)];
    if (wire::load_big_endian<std::int64_t>(head.data() + batch_producer_id_at) >= 0)
        ++counts_.idempotent_batches;
    return true;
}

void request_reader::take_body() {
    const std::size_t size = std::min(in_buffer(), body_left_);
    body_left_ -= size;
    records_left_ -= size;
    consume(size);
    if (body_left_ == 0) expected_ = next_batch();
}

request_reader::expected request_reader::next_batch() const noexcept {
    return records_left_ > 0 ? expected::batch : expected::partition_end;
}

void request_reader::end_request() {
    ++counts_.requests;
    if (is_answered_) {
        queue_answer(true);
    } else {
        answer_.clear();
    }
}

void request_reader::queue_answer(bool is_late) {
    answer_.patch_int32(0, static_cast<std::int32_t>(answer_.size() - wire::frame_prefix_size));
    pieces_.clear();
    answer_.pieces(pieces_);
    for (const iovec& piece : pieces_) {
        const auto* const from = static_cast<const std::byte*>(piece.iov_base);
        answers_.insert(answers_.end(), from, from + piece.iov_len);
    }
    answer_.clear();
    answer_ends_.push_back({answers_.size(), is_late});
}

void request_reader::consume(std::size_t size) noexcept {
    begin_ += size;
    request_left_ -= size;
}

bool request_reader::fail(std::string text) {
    error_ = std::move(text);
    return false;
}

}  // namespace sluice::sink
