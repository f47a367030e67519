// Copies that do not wait for what was written just before.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace sluice::detail {

// Compilers join the copies of neighbouring fields into one wide load. Where the fields were written a moment ago, one by
// one, as those of a record that is made in the call, such a load cannot be forwarded from the store buffer and waits until
// that is empty: about 7 ns each time. Apart there is nothing to wait for. The empty asm keeps them apart.
template <class T>
    requires std::is_scalar_v<T>
inline T copy_apart(T field) noexcept {
    asm("" : "+r"(field));
    return field;
}

// Of a struct whose fields are all one word, but for the one at `half`, if any, which is half a word and followed by none.
template <class T>
    requires(std::is_trivially_copyable_v<T> && sizeof(T) % sizeof(std::uint64_t) == 0)
inline T copy_by_words(const T& from, std::size_t half = sizeof(T)) noexcept {
    T to;
    const auto copy_at = [&](std::size_t at, auto word) {
        std::memcpy(&word, reinterpret_cast<const char*>(&from) + at, sizeof word);
        word = copy_apart(word);
        std::memcpy(reinterpret_cast<char*>(&to) + at, &word, sizeof word);
    };
    for (std::size_t at = 0; at < sizeof(T); at += sizeof(std::uint64_t)) {
        at == half ? copy_at(at, std::uint32_t{}) : copy_at(at, std::uint64_t{});
    }
    return to;
}

}  // namespace sluice::detail
