#include "client/payload.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "base/random.hpp"

namespace sluice::perf {
namespace {

constexpr std::size_t bytes_made = 1024 * 1024;  // of random: much more than any window of a codec

std::string random_bytes(std::size_t at_least) {
    random chance(1);
    std::string made(std::max(at_least, bytes_made), '\0');
    for (std::size_t i = 0; i < made.size(); i += 8) {
        const std::uint64_t drawn = chance.next();
        std::memcpy(made.data() + i, &drawn, std::min<std::size_t>(8, made.size() - i));
    }
    return made;
}

std::string read_file(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) throw std::runtime_error(fmt::format("--payload {}: cannot be read (random and json are made)", path));
    return std::string(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
}

}  // namespace

payload::payload(const settings& asked)
    : bytes_(asked.payload == "random" ? random_bytes(asked.value_size) : read_file(asked.payload)),
      size_(asked.value_size),
      count_(bytes_.size() / size_) {
    if (count_ == 0) {
        throw std::runtime_error(
            fmt::format("--payload {}: shorter than one value of {} bytes", asked.payload, size_));
    }
}

key::key(std::uint64_t number) noexcept {
    // splitmix64: a permutation of the numbers.
    std::uint64_t mixed = number + 0x9e3779b97f4a7c15u;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    mixed ^= mixed >> 31;
    for (char& digit : digits_) {
        digit = "0123456789abcdef"[mixed & 15];
        mixed >>= 4;
    }
}

}  // namespace sluice::perf
