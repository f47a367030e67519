// What is fuzzed: functions that take any bytes, and must neither crash nor break their property.
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"

namespace sluice::fuzz {

using input = std::vector<std::uint8_t>;

// One static object for each target; `main.cpp` finds them by name, `libfuzzer.cpp` too.
struct target {
    std::string_view name;
    // As LLVMFuzzerTestOneInput(3): returns 0, and does not return when the property is broken.
    int (*run)(const std::uint8_t* data, std::size_t size);
    // Good inputs, to begin with.
    std::vector<input> (*seeds)();
    // Broken on purpose: run only when asked for.
    bool is_planted = false;

    target(std::string_view target_name, int (*run_once)(const std::uint8_t*, std::size_t),
           std::vector<input> (*make_seeds)(), bool planted = false);
};

std::span<const target* const> targets();
const target* find_target(std::string_view name);

inline bytes as_bytes(const std::uint8_t* data, std::size_t size) noexcept {
    return std::as_bytes(std::span(data, size));
}

// Says what is wrong and aborts; the driver adds how to run it again.
[[noreturn]] void broken_property(std::string_view what);

inline void require(bool holds, std::string_view what) {
    if (!holds) broken_property(what);
}

}  // namespace sluice::fuzz
