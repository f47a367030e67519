#include "partitioner/sticky_choice.hpp"
#include "unit/vectors/vectors.hpp"

namespace sluice::vectors {
namespace {

// `enableSwitch` is what on_appended calls `is_batch_full`: the caller is at the end of a batch.
void check(const nlohmann::json& vector, verdict& verdict) {
    const auto batch_size = vector.at("stickyBatchSize").get<std::uint32_t>();
    std::vector<std::int32_t> candidates(vector.at("partitions").get<std::size_t>());
    for (std::size_t i = 0; i < candidates.size(); ++i) candidates[i] = static_cast<std::int32_t>(i);
    random randomness(1);
    sticky_choice choice;
    std::size_t step_index = 0;
    for (const nlohmann::json& step : vector.at("steps")) {
        const std::int32_t before = choice.current(candidates, randomness);
        const bool has_switched = choice.on_appended(step.at("appendedBytes").get<std::uint32_t>(),
                                                     step.at("enableSwitch").get<bool>(), batch_size);
        verdict.expect_equal(fmt::format("switched at step {}", step_index), step.at("switched").get<bool>(),
                             has_switched);
        if (!has_switched) {
            verdict.expect_equal(fmt::format("partition after step {}", step_index), before,
                                 choice.current(candidates, randomness));
        }
        ++step_index;
    }
}

const registration registered("sticky_switch", check);

}  // namespace
}  // namespace sluice::vectors
