#include "engine/staged_record.hpp"

#include <cstring>

#include "engine/producer_core.hpp"
#include "engine/shard.hpp"

namespace sluice {

static_assert(sizeof(staged_record) <= 224, "each line more is moved between two cores, for every record");

staged_record* staged_record::make(const record& copied, std::size_t content_size, topic_entry& topic) {
    std::size_t size = copied.headers.size() * sizeof(header) + copied.key.size() + copied.value.size();
    for (const header& each : copied.headers) size += each.key.size() + each.value.size();

    auto* const made = new (blocks::allocate()) staged_record;
    made->copy_name(topic, size);
    const auto* const end = reinterpret_cast<std::byte*>(made) + block_size;
    const bool is_small = size <= static_cast<std::size_t>(end - made->bytes_behind());
    if (!is_small) made->large_bytes_ = std::make_unique_for_overwrite<std::byte[]>(size);
    made->size_bytes_ = static_cast<std::uint32_t>(block_size + (is_small ? 0 : size));
    made->content_size_ = static_cast<std::uint32_t>(content_size);
    made->topic = &topic;
    made->partition = copied.partition;
    made->is_open = copied.partition == any_partition && copied.key.is_null();
    made->timestamp = copied.timestamp;
    made->key_size = static_cast<std::int32_t>(copied.key.size_or_minus_one());
    made->value_size = static_cast<std::int32_t>(copied.value.size_or_minus_one());
    made->header_count_ = static_cast<std::uint32_t>(copied.headers.size());
    made->copy_bytes(copied);
    return made;
}

void staged_record::copy_name(const topic_entry& topic, std::size_t record_size) noexcept {
    constexpr std::size_t room = block_size - sizeof(staged_record);
    const std::string_view name = topic.name.view();
    const std::size_t beside = record_size <= room ? record_size + alignof(header) - 1 : 0;
    if (name.size() + beside > room) {
        topic_name_ = topic.name;
    } else {
        name_size_ = static_cast<std::uint16_t>(name.copy(reinterpret_cast<char*>(this + 1), room));
    }
}

std::string_view staged_record::copied_name() const noexcept {
    return {reinterpret_cast<const char*>(this + 1), name_size_};
}

std::byte* staged_record::bytes_behind() const noexcept {
    static_assert(sizeof(staged_record) % alignof(header) == 0);
    static_assert(block_size % alignof(header) == 0);
    const std::size_t name_end = sizeof(staged_record) + name_size_;
    const std::size_t from = (name_end + alignof(header) - 1) / alignof(header) * alignof(header);
    return reinterpret_cast<std::byte*>(const_cast<staged_record*>(this)) + from;
}

void staged_record::copy_bytes(const record& copied) noexcept {
    std::byte* to = large_bytes_ != nullptr ? large_bytes_.get() : bytes_behind();
    auto* headers = reinterpret_cast<header*>(to);
    to += copied.headers.size() * sizeof(header);
    const auto put = [&to](const bytes_view& from) -> bytes_view {
        if (from.is_null()) return std::nullopt;
        if (from.size() != 0) std::memcpy(to, from.data(), from.size());
        const bytes_view at{std::span<const std::byte>(to, from.size())};
        to += from.size();
        return at;
    };
    put(copied.key);
    put(copied.value);
    for (const header& each : copied.headers) {
        const std::string_view key = put(each.key).text();
        new (headers++) header{key, put(each.value)};
    }
}

record_parts staged_record::parts() const noexcept {
    const std::byte* from = large_bytes_ != nullptr ? large_bytes_.get() : bytes_behind();
    record_parts parts;
    parts.timestamp = timestamp;
    parts.headers = {reinterpret_cast<const header*>(from), header_count_};
    from += header_count_ * sizeof(header);
    const auto take = [&from](std::int32_t size) -> bytes_view {
        if (size < 0) return std::nullopt;
        const std::span<const std::byte> at(from, static_cast<std::size_t>(size));
        from += size;
        return at;
    };
    parts.key = take(key_size);
    parts.value = take(value_size);
    return parts;
}

void staged_record::share_name(const shared_text& name) noexcept {
    if (name_size_ != 0) topic_name_ = name;
}

shared_text staged_record::topic_name() const {
    // The shard may write it until then, unless it is there from the start.
    const bool is_shared = name_size_ == 0 || event.level() >= finished;
    return is_shared ? topic_name_ : shared_text(copied_name());
}

void staged_record::drop_reference() noexcept {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    this->~staged_record();
    blocks::free(this);
}

staged_record* staged_record::of(task& waiter) noexcept {
    return waiter.runs(&on_result) ? &static_cast<staged_record&>(static_cast<completion&>(waiter)) : nullptr;
}

void staged_record::aside_part::serve_topic(time_point now) {
    of.at->serve_topic(of, now);
}
bool staged_record::aside_part::serve_memory(time_point now) {
    return of.at->serve_memory(of, now);
}
void staged_record::aside_part::expire(timer& due) noexcept {
    staged_record& late = static_cast<aside_part&>(due).of;
    late.at->on_staged_deadline(late);
}

// The batch has its result; in the resume phase of the shard's loop.
void staged_record::on_result(task& self, fate what) {
    auto& done = static_cast<staged_record&>(static_cast<completion&>(self));
    const bool is_dropped = done.is_caller_gone();
    done.take_result(what == fate::run);
    if (is_dropped && what == fate::run && done.error()) {
        done.at->core().report_dropped(done.topic != nullptr ? done.topic->name : done.topic_name(),
                                       done.partition, 1, done.failure());
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
        set_result(holder->result());
    } else {
        fail(errc::closed, {}, outcome::possibly_persisted);
    }
    partition = holder->partition();
    if (!is_caller_gone()) share_name(holder->topic());
    std::exchange(block, nullptr)->drop_reference();
    event.set(finished, loop);
}

void staged_record::set_result(const batch_result& result) {
    if (result.error) return fail(result.error, result.message, result.outcome);
    outcome_ = result.outcome;
    if (result.base_offset >= 0) offset_ = result.base_offset + index;
    if (result.log_append_time >= 0) timestamp = result.log_append_time;
}

void staged_record::fail(error_code why, shared_text message, sluice::outcome what) {
    aside().error = why;
    aside().message = std::move(message);
    outcome_ = what;
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

batch_result staged_record::failure() const {
    batch_result why;
    why.error = error();
    why.outcome = outcome_;
    why.message = message();
    return why;
}

record_metadata staged_record::metadata() const {
    record_metadata made;
    made.topic = topic_name();
    made.partition = partition;
    made.outcome = outcome_;
    if (error()) {
        made.message = message();
        return made;
    }
    made.offset = offset_;
    made.timestamp = timestamp;
    made.serialized_key_size = key_size;
    made.serialized_value_size = value_size;
    return made;
}

}  // namespace sluice
