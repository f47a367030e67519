#include "exactly_once/sequence.hpp"
#include "unit/vectors/vectors.hpp"

namespace sluice::vectors {
namespace {

void check(const nlohmann::json& vector, verdict& verdict) {
    const auto sequence = vector.at("sequence").get<std::int32_t>();
    const auto increment = vector.at("increment").get<std::int32_t>();
    verdict.expect_equal("incremented", vector.at("incremented").get<std::int32_t>(),
                         sequence_after(sequence, increment));
    verdict.expect_equal("decremented", vector.at("decremented").get<std::int32_t>(),
                         sequence_before(sequence, increment));
}

const registration registered("sequence", check);

}  // namespace
}  // namespace sluice::vectors
