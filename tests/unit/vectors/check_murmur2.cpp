#include "partitioner/murmur2.hpp"
#include "unit/vectors/vectors.hpp"
#include "unit/wire/hex.hpp"

namespace sluice::vectors {
namespace {

void check(const nlohmann::json& vector, verdict& verdict) {
    const std::vector<std::byte> key = wire::from_hex(vector.at("key").get<std::string>());
    const std::int32_t hash = murmur2(key);
    verdict.expect_equal("murmur2", vector.at("murmur2").get<std::int32_t>(), hash);
    verdict.expect_equal("positive", vector.at("positive").get<std::int32_t>(), hash & 0x7fffffff);
    const nlohmann::json& partitions = vector.at("partition");
    if (partitions.empty()) verdict.disagree("partition", "at least one partition count", "none");
    for (const auto& [count, partition] : partitions.items()) {
        verdict.expect_equal(fmt::format("of {} partitions", count), partition.get<std::int32_t>(),
                             partition_of_key(key, std::stoi(count)));
    }
}

const registration registered("murmur2", check);

}  // namespace
}  // namespace sluice::vectors
