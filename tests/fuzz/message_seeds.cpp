#include "fuzz/message_seeds.hpp"

#include "unit/vectors/vector_folder.hpp"
#include "unit/wire/hex.hpp"

namespace sluice::fuzz {

std::vector<input> message_seeds(std::string_view api, std::string_view type) {
    static const auto lines =
        vectors::vector_folder().read("messages").value_or(std::vector<vectors::vector_line>());
    std::vector<input> seeds;
    for (const vectors::vector_line& line : lines) {
        if (!line.parse_error.empty() || line.vector.value("api", "") != api ||
            line.vector.value("type", "") != type) {
            continue;
        }
        input& seed = seeds.emplace_back();
        seed.push_back(line.vector.at("version").get<std::uint8_t>());
        for (const std::byte octet : wire::from_hex(line.vector.at("body").get_ref<const std::string&>())) {
            seed.push_back(std::to_integer<std::uint8_t>(octet));
        }
    }
    return seeds;
}

}  // namespace sluice::fuzz
