// Whether a field has its default value: such a tagged field is left out, and may be missing from a version.
#pragma once

#include "wire/codec/kinds.hpp"

namespace sluice::wire::codec {

class default_checker {
public:
    template <class T>
    void operator()(const field&, const T& value, const std::type_identity_t<T>& otherwise = T()) {
        is_default_ = is_default_ && check(value, otherwise);
    }
    bool is_default() const noexcept { return is_default_; }

    template <class T>
    static bool check(const T& value, const T& otherwise) {
        if constexpr (array<T>) {
            return value.empty();
        } else if constexpr (nullable<T>) {
            return !value.has_value();
        } else if constexpr (std::is_same_v<T, records>) {
            return value.is_null();
        } else if constexpr (std::is_same_v<T, bytes>) {
            return value.empty();
        } else if constexpr (described<T>) {
            default_checker fields;
            T::describe(value, fields);
            return fields.is_default();
        } else {
            return value == otherwise;
        }
    }

private:
    bool is_default_ = true;
};

template <class T>
bool is_default(const T& value, const T& otherwise) {
    return default_checker::check(value, otherwise);
}

}  // namespace sluice::wire::codec
