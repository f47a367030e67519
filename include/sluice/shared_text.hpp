// An immutable text that many hold: topic names, and what a broker said about an error.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <string_view>
#include <utility>

namespace sluice {

// One pointer; copying counts a reference. Empty holds nothing and costs nothing.
//
// Thread rules: distinct objects that share a text may be used from distinct threads.
class shared_text {
public:
    constexpr shared_text() noexcept = default;
    explicit shared_text(std::string_view text);
    shared_text(const shared_text& other) noexcept : held_(other.held_) {
        if (held_ != nullptr) held_->references.fetch_add(1, std::memory_order_relaxed);
    }
    shared_text(shared_text&& other) noexcept : held_(std::exchange(other.held_, nullptr)) {}
    shared_text& operator=(shared_text other) noexcept {
        std::swap(held_, other.held_);
        return *this;
    }
    ~shared_text() {
        if (held_ != nullptr) release(*held_);
    }

    std::string_view view() const noexcept { return held_ == nullptr ? std::string_view() : text_of(*held_); }
    operator std::string_view() const noexcept { return view(); }
    bool empty() const noexcept { return view().empty(); }

    friend bool operator==(const shared_text& a, std::string_view b) noexcept { return a.view() == b; }
    friend bool operator==(const shared_text& a, const shared_text& b) noexcept {
        return a.view() == b.view();
    }
    friend std::ostream& operator<<(std::ostream& out, const shared_text& text);

private:
    struct text_block {  // the characters follow it
        std::atomic<std::uint32_t> references;
        std::uint32_t size;
    };
    static std::string_view text_of(const text_block& block) noexcept {
        return {reinterpret_cast<const char*>(&block + 1), block.size};
    }
    static void release(text_block& block) noexcept;

    text_block* held_ = nullptr;
};

}  // namespace sluice
