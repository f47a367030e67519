#include "integration/kafka/workload.hpp"

#include <fmt/format.h>

#include <string>

#include "base/random.hpp"
#include "record/crc32c.hpp"

namespace sluice::testing {
namespace {

constexpr std::uint32_t size_max = 900'000;

std::uint32_t draw_size(random& drawn) {
    const std::uint64_t kind = drawn.below(1000);
    const std::uint32_t bound = kind < 990 ? 1024 : kind < 999 ? 32 * 1024 : size_max;
    return static_cast<std::uint32_t>(1 + drawn.below(bound));
}

// Words of their own, a few hundred, so that text is made of them again and again.
void fill_with_words(std::vector<std::byte>& to, random& drawn) {
    std::vector<std::string> words(300);
    for (std::string& word : words) {
        for (std::uint64_t left = 2 + drawn.below(8); left > 0; --left)
            word += static_cast<char>('a' + drawn.below(26));
    }
    for (std::size_t at = 0; at < to.size();) {
        for (const char letter : words[drawn.below(words.size())] + ' ') {
            if (at < to.size()) to[at++] = static_cast<std::byte>(letter);
        }
    }
}

}  // namespace

workload::workload(std::size_t record_count, std::uint32_t key_count, std::uint64_t seed, content of)
    : random_bytes_(2 * size_max) {
    random drawn(seed);
    if (of == content::words) {
        fill_with_words(random_bytes_, drawn);
    } else {
        for (std::byte& each : random_bytes_) each = static_cast<std::byte>(drawn.next() >> 56);
    }
    keys_.reserve(key_count);
    for (std::uint32_t i = 0; i < key_count; ++i) keys_.push_back(fmt::format("key-{}", i));
    entries_.reserve(record_count);
    for (std::size_t i = 0; i < record_count; ++i) {
        entry made;
        made.key = static_cast<std::uint32_t>(drawn.below(key_count));
        made.size = draw_size(drawn);
        made.begin = static_cast<std::uint32_t>(drawn.below(random_bytes_.size() - made.size + 1));
        made.checksum = crc32c(std::span(random_bytes_).subspan(made.begin, made.size));
        size_bytes_ += made.size + keys_[made.key].size();
        entries_.push_back(made);
    }
}

bytes_view workload::value(std::size_t number) const noexcept {
    const entry& wanted = entries_[number];
    return std::span(random_bytes_).subspan(wanted.begin, wanted.size);
}

}  // namespace sluice::testing
