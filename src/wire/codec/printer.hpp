// Writes a message for people, as its `describe` says: the fields of one version, on one line.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>

#include "wire/codec/kinds.hpp"

namespace sluice::wire::codec {

class printer {
public:
    printer(std::string& out, std::int16_t version) noexcept : out_(out), version_(version) {}

    template <class T>
    void operator()(const field& place, const T& value, const std::type_identity_t<T>& = T()) {
        if (!place.is_in(version_)) return;
        if (!is_first_) out_ += ", ";
        is_first_ = false;
        out_ += place.name();
        out_ += ": ";
        print(value);
    }

    template <described T>
    void print(const T& value) {
        out_ += '{';
        printer fields(out_, version_);
        T::describe(value, fields);
        out_ += '}';
    }

private:
    template <class T>
        requires std::is_arithmetic_v<T>
    void print(T value) {
        out_ += fmt::format("{}", value);
    }
    void print(const uuid& value) { out_ += value.text(); }
    void print(bytes content) { out_ += fmt::format("{} bytes", content.size()); }
    void print(const records& batch) {
        if (batch.is_null()) {
            out_ += "null";
        } else {
            out_ += fmt::format("{} bytes", batch.size());
        }
    }
    // Names come from a peer: what could forge a line of a log, or move a terminal's cursor, is escaped.
    void print(std::string_view text) {
        out_ += '"';
        for (const char letter : text) {
            const auto code = static_cast<unsigned char>(letter);
            if (code < 0x20 || code == 0x7f || letter == '"' || letter == '\\') {
                out_ += fmt::format("\\x{:02x}", code);
            } else {
                out_ += letter;
            }
        }
        out_ += '"';
    }
    template <nullable T>
    void print(const T& value) {
        if (value) {
            print(*value);
        } else {
            out_ += "null";
        }
    }
    template <class Element>
    void print(const std::vector<Element>& elements) {
        out_ += '[';
        for (const Element& element : elements) {
            if (&element != elements.data()) out_ += ", ";
            print(element);
        }
        out_ += ']';
    }

    std::string& out_;
    std::int16_t version_;
    bool is_first_ = true;
};

}  // namespace sluice::wire::codec
