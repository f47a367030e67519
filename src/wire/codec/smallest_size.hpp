// How few bytes a value can take on the wire: what a decoder divides by before it believes a count.
#pragma once

#include <cstddef>
#include <cstdint>

#include "wire/codec/kinds.hpp"
#include "wire/encoding.hpp"

namespace sluice::wire::codec {

class size_adder {
public:
    size_adder(std::int16_t version, encoding how) noexcept : version_(version), how_(how) {}

    template <class T>
    void operator()(const field& place, const T&, const std::type_identity_t<T>& = T()) {
        if (place.is_in(version_) && !place.is_tagged()) size_ += of<T>(version_, how_);
    }

    template <class T>
    static std::size_t of(std::int16_t version, encoding how) {
        if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, uuid>) {
            return sizeof(T);
        } else if constexpr (described<T>) {
            const T empty{};
            size_adder fields(version, how);
            T::describe(empty, fields);
            return fields.size_ + (how == encoding::compact ? 1 : 0);  // its tagged section
        } else if (how == encoding::compact) {
            return 1;
        } else {
            constexpr bool is_string =
                std::is_same_v<T, std::string_view> || std::is_same_v<T, std::optional<std::string_view>>;
            return is_string ? 2 : 4;
        }
    }

private:
    std::int16_t version_;
    encoding how_;
    std::size_t size_ = 0;
};

template <class T>
std::size_t smallest_size(std::int16_t version, encoding how) {
    return size_adder::of<T>(version, how);
}

}  // namespace sluice::wire::codec
