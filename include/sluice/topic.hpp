// A topic's name, looked up once.
#pragma once

#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>

namespace sluice {

class topic_entry;
struct topic_access;

// A handle: a record that names its topic with one costs no look-up. Get it from producer::topic().
//
// Thread rules: copies and uses from any thread. Lifetime: of use with its own producer only; may outlive it.
class topic {
public:
    topic() noexcept = default;  // no topic
    std::string_view name() const noexcept;

private:
    friend struct topic_access;
    friend class topic_ref;
    explicit topic(std::shared_ptr<topic_entry> entry) noexcept : entry_(std::move(entry)) {}
    std::shared_ptr<topic_entry> entry_;
};

// How a record names its topic: by name, or by handle. A view: it keeps nothing alive.
class topic_ref {
public:
    topic_ref() noexcept = default;
    topic_ref(std::string_view name) noexcept : name_(name) {}
    topic_ref(const char* name) noexcept : name_(name) {}
    template <class Text>
        requires std::is_convertible_v<const Text&, std::string_view>
    topic_ref(const Text& name) noexcept : name_(name) {}
    topic_ref(const topic& handle) noexcept : entry_(handle.entry_.get()) {}

    topic_entry* entry() const noexcept { return entry_; }
    std::string_view name() const noexcept;
    bool is_empty() const noexcept { return entry_ == nullptr && name_.empty(); }

private:
    std::string_view name_;
    topic_entry* entry_ = nullptr;
};

}  // namespace sluice
