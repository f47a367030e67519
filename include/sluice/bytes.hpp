// A view of bytes that may be null, as a record's key and value may be.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

// Bytes somewhere else, or null. Null and empty are different things in Kafka: a null value is a tombstone, and a null
// key is no key, while an empty key is hashed like any other (PRT-4).
//
//   record{"orders", "key", "value"}             text
//   record{"orders", std::nullopt, bytes}        no key
//
// Lifetime: a view. It keeps nothing alive.
class bytes_view {
public:
    constexpr bytes_view() noexcept = default;        // null
    constexpr bytes_view(std::nullopt_t) noexcept {}  // null
    constexpr bytes_view(std::nullptr_t) noexcept {}  // null
    constexpr bytes_view(std::span<const std::byte> bytes) noexcept
        : data_(bytes.data()), size_(static_cast<std::ptrdiff_t>(bytes.size())) {}
    bytes_view(std::string_view text) noexcept
        : data_(reinterpret_cast<const std::byte*>(text.data())),
          size_(static_cast<std::ptrdiff_t>(text.size())) {}
    bytes_view(const char* text) noexcept : bytes_view(std::string_view(text)) {}
    bytes_view(const std::string& text) noexcept : bytes_view(std::string_view(text)) {}
    bytes_view(const std::vector<std::byte>& bytes) noexcept
        : bytes_view(std::span<const std::byte>(bytes)) {}

    constexpr bool is_null() const noexcept { return size_ < 0; }
    constexpr const std::byte* data() const noexcept { return data_; }
    constexpr std::size_t size() const noexcept { return size_ < 0 ? 0 : static_cast<std::size_t>(size_); }
    // -1 for null, as Kafka writes and reports it.
    constexpr std::ptrdiff_t size_or_minus_one() const noexcept { return size_; }
    constexpr std::span<const std::byte> span() const noexcept { return {data_, size()}; }
    std::string_view text() const noexcept { return {reinterpret_cast<const char*>(data_), size()}; }

    friend bool operator==(const bytes_view& a, const bytes_view& b) noexcept {
        return a.size_ == b.size_ && (a.size() == 0 || std::memcmp(a.data_, b.data_, a.size()) == 0);
    }

private:
    const std::byte* data_ = nullptr;
    std::ptrdiff_t size_ = -1;
};

}  // namespace sluice
