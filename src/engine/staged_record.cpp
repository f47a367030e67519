#include "engine/staged_record.hpp"

#include <cstring>

#include "engine/producer_core.hpp"
#include "engine/shard.hpp"

namespace sluice {

staged_record* staged_record::make(const record& copied, topic_entry& topic) {
    std::size_t size = copied.headers.size() * sizeof(header) + copied.key.size() + copied.value.size();
    for (const header& each : copied.headers) size += each.key.size() + each.value.size();

    static_assert(sizeof(staged_record) % alignof(header) == 0);
    const bool is_small = size <= block_size - sizeof(staged_record);
    std::unique_ptr<std::byte[]> large;
    if (!is_small) large = std::make_unique_for_overwrite<std::byte[]>(size);
    void* const block = blocks::allocate();
    auto* const made = new (block) staged_record;
    auto* const behind = static_cast<char*>(block) + sizeof(staged_record);
    made->copy(copied, is_small ? reinterpret_cast<std::byte*>(behind) : large.get());
    made->copy_name(topic, behind + (is_small ? size : 0), static_cast<char*>(block) + block_size);
    made->large_bytes_ = std::move(large);
    made->size_bytes_ = sizeof(staged_record) + size;
    made->content_size_ = record_content_size(made->parts_);
    made->topic = &topic;
    made->partition = copied.partition;
    made->is_open = copied.partition == any_partition && copied.key.is_null();
    made->timestamp = copied.timestamp;
    made->key_size = static_cast<std::int32_t>(copied.key.size_or_minus_one());
    made->value_size = static_cast<std::int32_t>(copied.value.size_or_minus_one());
    return made;
}

// The headers, then the bytes of everything.
void staged_record::copy(const record& copied, std::byte* to) noexcept {
    auto* const headers = reinterpret_cast<header*>(to);
    to += copied.headers.size() * sizeof(header);
    const auto put = [&to](const bytes_view& from) -> bytes_view {
        if (from.is_null()) return std::nullopt;
        if (from.size() != 0) std::memcpy(to, from.data(), from.size());
        const bytes_view at{std::span<const std::byte>(to, from.size())};
        to += from.size();
        return at;
    };
    for (std::size_t i = 0; i < copied.headers.size(); ++i) {
        const std::string_view key = put(copied.headers[i].key).text();
        new (headers + i) header{key, put(copied.headers[i].value)};
    }
    parts_.headers = {headers, copied.headers.size()};
    parts_.key = put(copied.key);
    parts_.value = put(copied.value);
}

void staged_record::copy_name(const topic_entry& topic, char* from, const char* end) noexcept {
    const std::string_view name = topic.name.view();
    if (name.size() > static_cast<std::size_t>(end - from)) {
        topic_name_ = topic.name;
    } else {
        copied_name_ = {from, name.copy(from, name.size())};
    }
}

void staged_record::share_name(const shared_text& name) noexcept {
    if (!copied_name_.empty()) topic_name_ = name;
}

shared_text staged_record::topic_name() const {
    // The shard may write it until then, unless it is there from the start.
    const bool is_shared = copied_name_.empty() || event.level() >= finished;
    return is_shared ? topic_name_ : shared_text(copied_name_);
}

void staged_record::drop_reference() noexcept {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    this->~staged_record();
    blocks::free(this);
}

staged_record* staged_record::of(task& waiter) noexcept {
    return waiter.runs(&on_result) ? &static_cast<staged_record&>(static_cast<completion&>(waiter)) : nullptr;
}

record_parts staged_record::parts() const noexcept {
    record_parts parts = parts_;
    parts.timestamp = timestamp;
    return parts;
}

void staged_record::serve_topic(time_point now) {
    at->serve_topic(*this, now);
}
bool staged_record::serve_memory(time_point now) {
    return at->serve_memory(*this, now);
}

void staged_record::deadline_timer::expire(timer& due) noexcept {
    staged_record& late = static_cast<deadline_timer&>(due).self;
    late.at->on_staged_deadline(late);
}

// The batch has its result; in the resume phase of the shard's loop.
void staged_record::on_result(task& self, fate what) {
    auto& done = static_cast<staged_record&>(static_cast<completion&>(self));
    const bool is_dropped = done.is_caller_gone();
    done.take_result(what == fate::run);
    if (is_dropped && done.result.error && what == fate::run) {
        done.at->core().report_dropped(done.topic != nullptr ? done.topic->name : done.topic_name(),
                                       done.partition, 1, done.result);
    }
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
    if (!is_caller_gone()) share_name(holder->topic());
    std::exchange(block, nullptr)->drop_reference();
    event.set(finished, loop);
}

staged_record* staged_record::share(result_block& block, std::uint32_t index, std::int64_t timestamp,
                                    std::int32_t key_size, std::int32_t value_size) {
    auto* made = new (blocks::allocate()) staged_record;
    made->topic_name_ = block.topic();
    made->mark_accepted();
    made->loop = event_loop::current();
    made->partition_asked = block.partition();
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
    made.topic = topic_name();
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
