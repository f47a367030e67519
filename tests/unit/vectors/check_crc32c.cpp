#include "record/crc32c.hpp"
#include "unit/vectors/vectors.hpp"
#include "unit/wire/hex.hpp"

namespace sluice::vectors {
namespace {

// At once, in two pieces, and put together from the checksums of two pieces.
void check(const nlohmann::json& vector, verdict& verdict) {
    const std::vector<std::byte> data = wire::from_hex(vector.at("data").get<std::string>());
    const auto expected = vector.at("crc32c").get<std::uint32_t>();
    verdict.expect_equal("crc32c", expected, crc32c(data));
    for (std::size_t cut = 0; cut <= data.size(); ++cut) {
        const bytes head = bytes(data).first(cut);
        const bytes tail = bytes(data).subspan(cut);
        verdict.expect_equal(fmt::format("extended at {}", cut), expected, crc32c_extend(crc32c(head), tail));
        verdict.expect_equal(fmt::format("combined at {}", cut), expected,
                             crc32c_combine(crc32c(head), crc32c(tail), tail.size()));
    }
}

const registration registered("crc32c", check);

}  // namespace
}  // namespace sluice::vectors
