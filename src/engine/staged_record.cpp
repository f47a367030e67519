#include "engine/staged_record.hpp"

#include <cstring>

#include "engine/shard.hpp"

namespace sluice {

staged_record* staged_record::make(const record& copied, std::shared_ptr<topic_entry> topic) {
    std::unique_ptr<staged_record> made(new staged_record());
    std::size_t size = copied.key.size() + copied.value.size();
    for (const header& each : copied.headers) size += each.key.size() + each.value.size();
    made->bytes_ = std::make_unique_for_overwrite<std::byte[]>(std::max<std::size_t>(size, 1));
    std::byte* to = made->bytes_.get();
    const auto copy = [&to](const bytes_view& from) -> bytes_view {
        if (from.is_null()) return std::nullopt;
        if (from.size() != 0) std::memcpy(to, from.data(), from.size());
        const bytes_view at{std::span<const std::byte>(to, from.size())};
        to += from.size();
        return at;
    };
    made->parts_.key = copy(copied.key);
    made->parts_.value = copy(copied.value);
    made->headers_.reserve(copied.headers.size());
    for (const header& each : copied.headers) {
        const std::string_view key = copy(each.key).text();
        made->headers_.push_back({key, copy(each.value)});
    }
    made->parts_.headers = made->headers_;
    made->size_bytes_ = sizeof(staged_record) + size;
    made->content_size_ = record_content_size(made->parts_);
    made->topic = std::move(topic);
    made->partition = copied.partition;
    made->timestamp = copied.timestamp;
    made->key_size = static_cast<std::int32_t>(copied.key.size_or_minus_one());
    made->value_size = static_cast<std::int32_t>(copied.value.size_or_minus_one());
    return made.release();
}

void staged_record::drop_reference() noexcept {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

record_parts staged_record::parts() const noexcept {
    record_parts parts = parts_;
    parts.timestamp = timestamp;
    return parts;
}

void staged_record::serve_topic(time_point now) { at->serve_staged(*this, now); }

void staged_record::deadline_timer::expire(timer& due) noexcept {
    staged_record& late = static_cast<deadline_timer&>(due).self;
    late.at->on_staged_deadline(late);
}

// The batch has its result; in the resume phase of the shard's loop.
void staged_record::on_result(task& self, fate what) {
    auto& done = static_cast<staged_record&>(static_cast<completion&>(self));
    done.take_result(what == fate::run);
    done.drop_reference();
}

void staged_record::take_result(bool is_valid) {
    const result_block* holder = block;
    while (holder->is_split()) {
        const result_block::part part = holder->find(index);
        holder = part.block;
        index = part.first_index;
    }
    if (is_valid && holder->is_done()) {
        result = holder->result();
    } else {
        result.error = errc::closed;
        result.outcome = outcome::possibly_persisted;
    }
    partition = holder->partition();
    std::exchange(block, nullptr)->drop_reference();
    event.set(finished, loop);
}

staged_record* staged_record::share(result_block& block, std::uint32_t index, std::int64_t timestamp,
                                    std::int32_t key_size, std::int32_t value_size) {
    auto* made = new staged_record();
    made->mark_accepted();
    made->loop = event_loop::current();
    made->topic_name = block.topic();
    made->partition = block.partition();
    made->timestamp = timestamp;
    made->key_size = key_size;
    made->value_size = value_size;
    made->block = &block;
    made->index = index;
    if (block.is_done()) {
        made->take_result(true);
        made->drop_reference();
    } else {
        made->completion::index = index;
        block.wait(*made);
    }
    return made;
}

record_metadata staged_record::metadata() const {
    record_metadata made;
    made.topic = topic_name.empty() ? topic->name : topic_name;
    made.partition = partition;
    made.outcome = result.outcome;
    made.message = result.message;
    if (result.error) return made;
    made.offset = result.base_offset < 0 ? -1 : result.base_offset + index;
    made.timestamp = result.log_append_time < 0 ? timestamp : result.log_append_time;
    made.serialized_key_size = key_size;
    made.serialized_value_size = value_size;
    return made;
}

}  // namespace sluice
