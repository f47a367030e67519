// Messages full of values, derived from their own description: so that every message is tested in every
// version.
#pragma once

#include <deque>
#include <string>

#include "base/random.hpp"
#include "wire/codec/kinds.hpp"

namespace sluice::wire {

// Sets every field that `version` has, and leaves the others at their default. The same seed fills in the
// same way.
class filler {
public:
    filler(std::int16_t version, std::uint64_t seed) : version_(version), random_(seed) {}

    template <class T>
    void operator()(const field& place, T& value, const std::type_identity_t<T>& otherwise = T()) {
        value = otherwise;
        if (place.is_in(version_)) fill(value, place.is_nullable_in(version_));
    }

    template <codec::described T>
    void fill(T& value, bool = false) {
        T::describe(value, *this);
    }

private:
    void fill(bool& value, bool) { value = random_.below(2) == 1; }
    void fill(double& value, bool) { value = random_.fraction(); }
    template <std::integral T>
    void fill(T& value, bool) {
        value = static_cast<T>(random_.next() >> random_.below(64));
    }
    void fill(uuid& value, bool) {
        for (std::byte& octet : value.octets) octet = static_cast<std::byte>(random_.next());
    }
    void fill(std::string_view& value, bool) { value = text(); }
    void fill(bytes& value, bool) { value = as_bytes(text()); }
    void fill(records& value, bool may_be_null) {
        value = may_be_null && random_.below(4) == 0 ? records() : records(as_bytes(text()));
    }
    template <class T>
    void fill(std::optional<T>& value, bool may_be_null) {
        if (may_be_null && random_.below(4) == 0) {
            value.reset();
        } else {
            fill(value.emplace(), false);
        }
    }
    template <class T>
    void fill(std::vector<T>& values, bool) {
        values.resize(random_.below(4));
        for (T& value : values) fill(value, false);
    }

    // 0, 1, around 127 (where a compact length takes a second byte), or around 300.
    std::string_view text() {
        constexpr std::size_t sizes[] = {0, 1, 9, 126, 127, 128, 300};
        return texts_.emplace_back(sizes[random_.below(std::size(sizes))],
                                   static_cast<char>('a' + random_.below(26)));
    }

    std::int16_t version_;
    random random_;
    std::deque<std::string> texts_;  // what the views point into
};

}  // namespace sluice::wire
