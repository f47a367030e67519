// What this library is called and which version it is: also what it announces to brokers (KIP-511).
#pragma once

#include <string_view>

namespace sluice {

inline constexpr std::string_view software_name = "sluice";

// "0.1.0"
std::string_view software_version() noexcept;

}  // namespace sluice
