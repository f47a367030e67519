// Writes a message as its `describe` says.
//
//   struct  = field* tagged-section           the section in flexible versions only
//   section = count { tag size content }      known fields that are not their default, and unknown tags, ascending
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <utility>

#include "wire/codec/is_default.hpp"
#include "wire/codec/kinds.hpp"
#include "wire/writer.hpp"

namespace sluice::wire::codec {

// What cannot be written is remembered and seen by the caller at the end (`refused`); until then the bytes
// are nonsense.
class encoder {
public:
    encoder(writer& out, std::int16_t version, bool is_flexible) noexcept
        : out_(out), version_(version), how_(is_flexible ? encoding::compact : encoding::plain) {}

    bool refused() const noexcept { return refused_; }

    template <class T>
    void operator()(const field& place, const T& value, const std::type_identity_t<T>& otherwise = T()) {
        if (!place.is_in(version_)) {
            if (!place.is_ignorable() && !is_default(value, otherwise)) refused_ = true;
        } else if (place.is_tagged()) {
            if (!is_default(value, otherwise)) ++tagged_count_;
        } else {
            write_field(place, value);
        }
    }

    // `extra`: unknown tags to write along.
    template <described T>
    void write_struct(const T& value, std::span<const unknown_tag> extra = {}) {
        const std::size_t tagged_count_outside = std::exchange(tagged_count_, 0);
        T::describe(value, *this);
        if (how_ == encoding::compact) {
            write_tagged_section(value, extra);
        } else if (!extra.empty()) {
            refused_ = true;
        }
        tagged_count_ = tagged_count_outside;
    }

private:
    // Second turn through a struct's fields, for the tagged ones.
    class tagged_fields {
    public:
        tagged_fields(encoder& owner, std::span<const unknown_tag> extra) noexcept
            : owner_(owner), extra_(extra) {}

        template <class T>
        void operator()(const field& place, const T& value, const std::type_identity_t<T>& otherwise = T()) {
            if (!place.is_tagged() || !place.is_in(owner_.version_) || is_default(value, otherwise)) return;
            write_extra_below(place.tag());
            write_tag(place.tag());
            const std::size_t begin = owner_.out_.arena_offset();
            owner_.write_field(place, value);
            owner_.out_.insert_size_varint(begin);
        }

        void write_extra_below(std::uint64_t end) {
            for (; !extra_.empty() && extra_.front().tag < end; extra_ = extra_.subspan(1)) {
                write_tag(extra_.front().tag);
                const bytes content = extra_.front().content;
                if (!owner_.check_size(content.size())) return;
                owner_.out_.write_unsigned_varint(static_cast<std::uint32_t>(content.size()));
                owner_.out_.write_raw(content);
            }
        }

    private:
        void write_tag(std::uint32_t tag) {
            if (tag_before_ && tag <= *tag_before_) owner_.refused_ = true;
            tag_before_ = tag;
            owner_.out_.write_unsigned_varint(tag);
        }

        encoder& owner_;
        std::span<const unknown_tag> extra_;
        std::optional<std::uint32_t> tag_before_;
    };

    template <class T>
    void write_tagged_section(const T& value, std::span<const unknown_tag> extra) {
        const std::size_t count = tagged_count_ + extra.size();
        out_.write_unsigned_varint(static_cast<std::uint32_t>(count));
        if (count == 0) return;
        tagged_fields fields(*this, extra);
        T::describe(value, fields);
        fields.write_extra_below(std::numeric_limits<std::uint64_t>::max());
    }

    template <class T>
    void write_field(const field& place, const T& value) {
        if constexpr (nullable<T>) {
            if (!value && !place.is_nullable_in(version_)) refused_ = true;
        } else if constexpr (std::is_same_v<T, records>) {
            if (value.is_null() && !place.is_nullable_in(version_)) refused_ = true;
        }
        write(value);
    }

    void write(bool value) { out_.write_bool(value); }
    void write(std::int8_t value) { out_.write_int8(value); }
    void write(std::int16_t value) { out_.write_int16(value); }
    void write(std::int32_t value) { out_.write_int32(value); }
    void write(std::int64_t value) { out_.write_int64(value); }
    void write(double value) { out_.write_float64(value); }
    void write(const uuid& value) { out_.write_uuid(value); }

    void write(std::string_view text) {
        if (text.size() > string_size_max) {
            refused_ = true;
            return;
        }
        out_.write_string(text, how_);
    }
    void write(const std::optional<std::string_view>& text) {
        if (text) return write(*text);
        out_.write_nullable_string(std::nullopt, how_);
    }
    void write(bytes content) {
        if (check_size(content.size())) out_.write_bytes(content, how_);
    }
    void write(const std::optional<bytes>& content) {
        if (content) return write(*content);
        out_.write_null_length(how_);
    }
    void write(const records& batch) {
        if (batch.is_null()) return out_.write_null_length(how_);
        if (!check_size(batch.size())) return;
        out_.write_length(batch.size(), how_);
        for (const bytes piece : batch.pieces()) {
            if (piece.size() <= records::copied_size_max) {
                out_.write_raw(piece);
            } else {
                out_.write_reference(piece);
            }
        }
    }
    template <class Element>
    void write(const std::vector<Element>& elements) {
        if (!check_size(elements.size())) return;
        out_.write_length(elements.size(), how_);
        for (const Element& element : elements) write(element);
    }
    template <class Element>
    void write(const std::optional<std::vector<Element>>& elements) {
        if (elements) return write(*elements);
        out_.write_null_length(how_);
    }
    template <described T>
    void write(const T& value) {
        write_struct(value);
    }

    bool check_size(std::size_t size) noexcept {
        const bool fits = size < static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max());
        if (!fits) refused_ = true;
        return fits;
    }

    writer& out_;
    std::int16_t version_;
    encoding how_;
    std::size_t tagged_count_ = 0;  // of the struct that is being described
    bool refused_ = false;
};

}  // namespace sluice::wire::codec
