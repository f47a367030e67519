// Good messages to begin with: those of the vectors.
#pragma once

#include <string_view>

#include "fuzz/target.hpp"

namespace sluice::fuzz {

// The bodies of one API and type ("request", "response"), each behind a byte of its version; none where there
// is no messages.jsonl.
std::vector<input> message_seeds(std::string_view api, std::string_view type);

}  // namespace sluice::fuzz
