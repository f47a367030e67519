#include "fuzz/mutator.hpp"

#include <algorithm>
#include <iterator>

namespace sluice::fuzz {
namespace {

constexpr std::size_t size_max = 4096;  // large inputs only make slow ones
constexpr int change_count_max = 6;

auto at(input& data, std::size_t index) {
    return data.begin() + static_cast<std::ptrdiff_t>(index);
}
auto at(const input& data, std::size_t index) {
    return data.begin() + static_cast<std::ptrdiff_t>(index);
}

}  // namespace

input mutator::mutated(std::span<const input> seeds) {
    input data = seeds[below(seeds.size())];
    if (data.size() > size_max) data.resize(size_max);
    for (std::size_t left = 1 + below(change_count_max); left > 0; --left) change(data, seeds);
    if (data.size() > size_max) data.resize(size_max);
    data.shrink_to_fit();  // so that reading one byte too far is seen
    return data;
}

void mutator::change(input& data, std::span<const input> seeds) {
    const std::size_t index = below(data.size());
    const std::size_t size = std::min(1 + below(16), data.size() - index);
    switch (random_.below(8)) {
        case 0:
            if (!data.empty())
                data[index] = static_cast<std::uint8_t>(data[index] ^ (1u << random_.below(8)));
            break;
        case 1:
            if (!data.empty()) data[index] = static_cast<std::uint8_t>(random_.next());
            break;
        case 2: overwrite_with_limit(data); break;
        case 3: data.erase(at(data, index), at(data, index + size)); break;
        case 4: data.insert(at(data, index), size, static_cast<std::uint8_t>(random_.next())); break;
        case 5: data.resize(index); break;
        case 6: move_part(data, data); break;
        case 7: move_part(data, seeds[below(seeds.size())]); break;
    }
}

// Where lengths, counts and versions may be: the values at which they overflow, are null, or are more than
// there is.
void mutator::overwrite_with_limit(input& data) {
    static constexpr std::uint8_t limits[][5] = {
        {0xff, 0xff, 0xff, 0xff, 0xff}, {0x7f, 0xff, 0xff, 0xff, 0x0f}, {0x80, 0x00, 0x00, 0x00, 0x00},
        {0x80, 0x80, 0x80, 0x80, 0x10}, {0xff, 0xff, 0xff, 0xff, 0x0f}, {0x00, 0x00, 0x00, 0x00, 0x00},
        {0x00, 0x00, 0xff, 0xff, 0x01}, {0x01, 0x01, 0x01, 0x01, 0x01}};
    const auto& limit = limits[below(std::size(limits))];
    const std::size_t index = below(data.size());
    const std::size_t size = std::min(1 + below(std::size(limit)), data.size() - index);
    std::copy_n(limit, size, at(data, index));
}

void mutator::move_part(input& data, const input& from) {
    const std::size_t begin = below(from.size());
    const std::size_t size = std::min(1 + below(64), from.size() - begin);
    const input part(at(from, begin), at(from, begin + size));
    data.insert(at(data, below(data.size() + 1)), part.begin(), part.end());
}

}  // namespace sluice::fuzz
