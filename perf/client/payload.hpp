// The values and keys of a load: the same bytes in every program that measures (perf/README.md says how they are made).
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace sluice::perf {

// A payload that cannot be had: what was asked for makes no sense.
struct payload_error : std::runtime_error {
    using runtime_error::runtime_error;
};

// Bytes that are cut into values of one size, used in turn.
//
// Owner: shared, immutable.
class payload {
public:
    // `kind`: random, json, or a file. Throws payload_error if the file cannot be read or is shorter than one value.
    payload(const std::string& kind, std::size_t size);

    // The values of records that follow each other, from record `first` on. Without a division for each, which would cost a
    // tenth of a send.
    class cursor {
    public:
        cursor() noexcept = default;
        cursor(const payload& of, std::uint64_t first) noexcept : of_(&of), place_(first % of.count_) {}
        std::string_view next() noexcept {
            const std::string_view value(of_->bytes_.data() + place_ * of_->size_, of_->size_);
            if (++place_ == of_->count_) place_ = 0;
            return value;
        }

    private:
        const payload* of_ = nullptr;
        std::uint64_t place_ = 0;
    };
    const std::string& bytes() const noexcept { return bytes_; }

private:
    std::string bytes_;
    std::size_t size_;
    std::size_t count_;
};

// 1024 keys of 16 hexadecimal digits, used in turn.
//
// Owner: shared, immutable.
class keys {
public:
    static constexpr std::size_t key_size = 16;

    keys();
    std::string_view key(std::uint64_t number) const noexcept;

private:
    std::string text_;
};

}  // namespace sluice::perf
