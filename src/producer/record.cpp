#include "sluice/record.hpp"

#include "engine/topic_registry.hpp"

namespace sluice {
namespace {

std::optional<std::string> copied(const bytes_view& from) {
    if (from.is_null()) return std::nullopt;
    return std::string(from.text());
}

bytes_view view_of(const std::optional<std::string>& held) {
    if (!held) return std::nullopt;
    return bytes_view(*held);
}

}  // namespace

std::string_view topic::name() const noexcept {
    return entry_ == nullptr ? std::string_view() : entry_->name.view();
}

std::string_view topic_ref::name() const noexcept {
    return entry_ == nullptr ? name_ : entry_->name.view();
}

owning_record::owning_record(const record& from)
    : key_(copied(from.key)),
      value_(copied(from.value)),
      partition_(from.partition),
      timestamp_(from.timestamp) {
    if (topic_entry* entry = from.topic.entry()) {
        topic_ = topic_access::handle(entry->shared_from_this());
    } else {
        topic_name_ = from.topic.name();
    }
    for (const header& each : from.headers) add_header(each.key, each.value);
}

owning_record::owning_record(std::string_view topic, bytes_view key, bytes_view value)
    : topic_name_(topic), key_(copied(key)), value_(copied(value)) {}

owning_record::owning_record(const sluice::topic& topic, bytes_view key, bytes_view value)
    : topic_(topic), key_(copied(key)), value_(copied(value)) {}

void owning_record::add_header(std::string_view key, bytes_view value) {
    headers_.push_back({std::string(key), copied(value)});
}

record owning_record::view() const {
    record made;
    if (topic_.name().empty()) {
        made.topic = topic_name_;
    } else {
        made.topic = topic_;
    }
    made.key = view_of(key_);
    made.value = view_of(value_);
    made.partition = partition_;
    made.timestamp = timestamp_;
    header_views_.clear();
    for (const owned_header& each : headers_) header_views_.push_back({each.key, view_of(each.value)});
    made.headers = header_views_;
    return made;
}

}  // namespace sluice
