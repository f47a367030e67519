// What a world found, as a test expects it.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sluice::testing {

// As many findings as parts, each with its part in it, in this order.
inline ::testing::AssertionResult are(const std::vector<std::string>& findings,
                                      std::vector<std::string> parts) {
    bool is_match = findings.size() == parts.size();
    for (std::size_t i = 0; is_match && i < parts.size(); ++i) {
        is_match = findings[i].find(parts[i]) != std::string::npos;
    }
    if (is_match) return ::testing::AssertionSuccess();
    ::testing::AssertionResult failure = ::testing::AssertionFailure();
    failure << findings.size() << " findings:";
    for (const std::string& each : findings) failure << "\n  " << each;
    return failure;
}

}  // namespace sluice::testing
