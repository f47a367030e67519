#include "base/backoff.hpp"

#include <algorithm>
#include <cmath>

#include "unit/vectors/vectors.hpp"

namespace sluice::vectors {
namespace {

constexpr double jitter = 0.2;
constexpr int draw_count = 2000;

void check(const nlohmann::json& vector, verdict& verdict) {
    const auto initial = vector.at("initial").get<std::int64_t>();
    const auto max = vector.at("max").get<std::int64_t>();
    const backoff waits(backoff::milliseconds(initial), backoff::milliseconds(max),
                        vector.at("multiplier").get<double>(), jitter);
    const nlohmann::json& without_jitter = vector.at("withoutJitter");
    random randomness(1);

    for (std::uint32_t attempts = 0; attempts < without_jitter.size(); ++attempts) {
        const auto expected = without_jitter.at(attempts).get<std::int64_t>();
        verdict.expect_equal(fmt::format("without jitter, attempt {}", attempts), expected,
                             static_cast<std::int64_t>(waits.wait_without_jitter(attempts).count()));
        // 0.8 to 1.2 of what it is before it is cut to a whole number; the cap comes after the jitter.
        const auto whole = static_cast<double>(expected);
        const auto smallest =
            static_cast<std::int64_t>(std::floor(initial < max ? whole * (1 - jitter) : whole));
        const auto largest = std::min(max, static_cast<std::int64_t>(std::ceil((whole + 1) * (1 + jitter))));
        for (int draw = 0; draw < draw_count; ++draw) {
            const auto drawn = static_cast<std::int64_t>(waits.wait(attempts, randomness).count());
            if (drawn >= smallest && drawn <= largest) continue;
            verdict.disagree(fmt::format("with jitter, attempt {}", attempts),
                             fmt::format("{}..{}", smallest, largest), fmt::format("{}", drawn));
            break;
        }
    }
}

const registration registered("backoff", check);

}  // namespace
}  // namespace sluice::vectors
