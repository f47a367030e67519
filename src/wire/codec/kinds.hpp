// What kinds of values a message is made of.
#pragma once

#include <optional>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/bytes.hpp"
#include "wire/field.hpp"
#include "wire/records.hpp"
#include "wire/uuid.hpp"

namespace sluice::wire::codec {

// A `fields` that does nothing, to ask whether a type has `describe`.
struct nothing {
    template <class T>
    void operator()(const field&, T&, const std::type_identity_t<T>& = T()) {}
};

template <class T>
concept described = requires(T& value, nothing& fields) { T::describe(value, fields); };

template <class T>
inline constexpr bool is_vector = false;
template <class T>
inline constexpr bool is_vector<std::vector<T>> = true;
template <class T>
concept array = is_vector<T>;

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;
template <class T>
concept nullable = is_optional<T>;

}  // namespace sluice::wire::codec
