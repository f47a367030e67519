// Reads a message as its `describe` says. Errors stay in the reader until the end.
#pragma once

#include <cstdint>
#include <optional>

#include "wire/codec/kinds.hpp"
#include "wire/codec/smallest_size.hpp"
#include "wire/reader.hpp"

namespace sluice::wire::codec {

class decoder {
public:
    decoder(reader& in, std::int16_t version, bool is_flexible) noexcept
        : in_(in), version_(version), how_(is_flexible ? encoding::compact : encoding::plain) {}

    template <class T>
    void operator()(const field& place, T& value, const std::type_identity_t<T>& otherwise = T()) {
        if (!place.is_in(version_) || place.is_tagged()) {
            value = otherwise;
        } else {
            read_field(place, value);
        }
    }

    // `kept`: where unknown tags go; nullptr drops them.
    template <described T>
    void read_struct(T& value, unknown_tags* kept = nullptr) {
        T::describe(value, *this);
        if (how_ == encoding::compact) read_tagged_section(value, kept);
    }

private:
    // Another turn through a struct's fields, for the one with the tag that came.
    class tagged_field_reader {
    public:
        tagged_field_reader(const tagged_field& came, std::int16_t version) noexcept
            : came_(came), version_(version), content_(came.content) {}

        template <class T>
        void operator()(const field& place, T& value, const std::type_identity_t<T>& = T()) {
            if (!place.is_tagged() || place.tag() != came_.tag || !place.is_in(version_)) return;
            is_known_ = true;
            decoder(content_, version_, true).read_field(place, value);
        }

        bool is_known() const noexcept { return is_known_; }
        // A known field fills its size exactly.
        bool failed() const noexcept { return is_known_ && content_.finished().failed(); }

    private:
        const tagged_field& came_;
        std::int16_t version_;
        reader content_;
        bool is_known_ = false;
    };

    template <class T>
    void read_tagged_section(T& value, unknown_tags* kept) {
        std::optional<std::uint32_t> tag_before;
        for (std::uint32_t left = in_.read_tagged_field_count(); left > 0; --left) {
            const tagged_field came = in_.read_tagged_field(tag_before);
            if (in_.failed()) return;
            tagged_field_reader fields(came, version_);
            T::describe(value, fields);
            if (fields.failed()) in_.fail();
            if (!fields.is_known() && kept != nullptr) kept->push_back({came.tag, came.content});
            tag_before = came.tag;
        }
    }

    template <class T>
    void read_field(const field& place, T& value) {
        read(value);
        if constexpr (nullable<T>) {
            if (!value && !place.is_nullable_in(version_)) in_.fail();
        } else if constexpr (std::is_same_v<T, records>) {
            if (value.is_null() && !place.is_nullable_in(version_)) in_.fail();
        }
    }

    void read(bool& value) { value = in_.read_bool(); }
    void read(std::int8_t& value) { value = in_.read_int8(); }
    void read(std::int16_t& value) { value = in_.read_int16(); }
    void read(std::int32_t& value) { value = in_.read_int32(); }
    void read(std::int64_t& value) { value = in_.read_int64(); }
    void read(double& value) { value = in_.read_float64(); }
    void read(uuid& value) { value = in_.read_uuid(); }
    void read(std::string_view& text) { text = in_.read_string(how_); }
    void read(std::optional<std::string_view>& text) { text = in_.read_nullable_string(how_); }
    void read(bytes& content) { content = in_.read_bytes(how_); }
    void read(std::optional<bytes>& content) { content = in_.read_nullable_bytes(how_); }
    void read(records& batch) {
        const std::optional<bytes> content = in_.read_nullable_bytes(how_);
        batch = content ? records(*content) : records();
    }
    template <class Element>
    void read(std::vector<Element>& elements) {
        const auto count = in_.read_array_count(how_, smallest_size<Element>(version_, how_));
        if (!count) in_.fail();
        read_elements(elements, count.value_or(0));
    }
    template <class Element>
    void read(std::optional<std::vector<Element>>& elements) {
        const auto count = in_.read_array_count(how_, smallest_size<Element>(version_, how_));
        if (!count) {
            elements.reset();
            return;
        }
        if (!elements) elements.emplace();
        read_elements(*elements, *count);
    }
    template <class Element>
    void read_elements(std::vector<Element>& elements, std::uint32_t count) {
        elements.resize(count);
        for (Element& element : elements) {
            if (in_.failed()) return;
            read(element);
        }
    }
    template <described T>
    void read(T& value) {
        read_struct(value);
    }

    reader& in_;
    std::int16_t version_;
    encoding how_;
};

}  // namespace sluice::wire::codec
