#include <cmath>

#include "record/compression_ratio.hpp"
#include "unit/vectors/vectors.hpp"

namespace sluice::vectors {
namespace {

constexpr double tolerance = 1e-6;

void check(const nlohmann::json& vector, verdict& verdict) {
    compression_ratio ratio;
    for (const nlohmann::json& step : vector.at("steps")) {
        const auto observed = step.at("observed").get<float>();
        const auto expected = step.at("estimate").get<double>();
        ratio.note(observed);
        if (std::abs(double{ratio.estimate()} - expected) > tolerance)
            verdict.disagree(fmt::format("estimate after {}", observed), fmt::format("{}", expected),
                             fmt::format("{}", ratio.estimate()));
    }
}

const registration registered("compression_estimate", check);

}  // namespace
}  // namespace sluice::vectors
