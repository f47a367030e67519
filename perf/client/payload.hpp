// The values and keys of a load.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "client/settings.hpp"

namespace sluice::perf {

// Bytes that are cut into values of one size, used in turn. The same for the same settings.
//
// Owner: shared, immutable.
class payload {
public:
    // Throws std::runtime_error if the file cannot be read or is shorter than one value.
    explicit payload(const settings& asked);

    std::string_view value(std::uint64_t number) const noexcept {
        return {bytes_.data() + number % count_ * size_, size_};
    }
    std::size_t distinct_count() const noexcept { return count_; }

private:
    std::string bytes_;
    std::size_t size_;
    std::size_t count_;
};

// 16 hexadecimal digits, different for each number and in no order.
class key {
public:
    explicit key(std::uint64_t number) noexcept;
    std::string_view text() const noexcept { return {digits_, sizeof digits_}; }

private:
    char digits_[16];
};

}  // namespace sluice::perf
