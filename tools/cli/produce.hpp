// sluice produce: lines to records.
#pragma once

#include <string>
#include <vector>

namespace sluice::cli {

// The exit status: 0 only if every record was acknowledged. Throws usage_error, and what a producer throws.
int produce(const std::vector<std::string>& arguments);

}  // namespace sluice::cli
