// Fills a message from the JSON of its fields, as the message describes itself.
#pragma once

#include <deque>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

#include "unit/wire/hex.hpp"
#include "wire/codec/kinds.hpp"

namespace sluice::vectors {

// Member names are the fields' names; bytes, ids and records are hex. Every field of the version must be
// there, except tagged ones (absent = default), and nothing else may be; what is wrong is thrown.
//
// Lifetime: the filled message points into the JSON, and into this object.
class json_message {
public:
    explicit json_message(std::int16_t version) noexcept : version_(version) {}

    template <wire::codec::described T>
    void fill(const nlohmann::json& from, T& value) {
        object members(*this, from);
        T::describe(value, members);
        if (members.found_count() != from.size())
            throw std::invalid_argument("unknown members in " + from.dump());
    }

    bytes from_hex(const nlohmann::json& hex) {
        return stored_.emplace_back(wire::from_hex(hex.get_ref<const std::string&>()));
    }

private:
    // The `fields` of one struct.
    class object {
    public:
        object(json_message& owner, const nlohmann::json& from) noexcept : owner_(owner), from_(from) {}

        template <class T>
        void operator()(const wire::field& place, T& value, const std::type_identity_t<T>& otherwise = T()) {
            value = otherwise;
            const auto member = from_.find(place.name());
            if (member != from_.end()) {
                ++found_count_;
                owner_.fill(*member, value);
            }
            const bool is_expected = place.is_in(owner_.version_);
            if (is_expected == (member != from_.end()) || (is_expected && place.is_tagged())) return;
            throw std::invalid_argument(
                std::string(is_expected ? "no member " : "a member of another version: ") + place.name());
        }
        std::size_t found_count() const noexcept { return found_count_; }

    private:
        json_message& owner_;
        const nlohmann::json& from_;
        std::size_t found_count_ = 0;
    };

    template <class T>
        requires std::is_arithmetic_v<T>
    void fill(const nlohmann::json& from, T& value) {
        value = from.get<T>();
    }
    void fill(const nlohmann::json& from, std::string_view& value) {
        value = from.get_ref<const std::string&>();
    }
    void fill(const nlohmann::json& from, bytes& value) { value = from_hex(from); }
    void fill(const nlohmann::json& from, wire::records& value) {
        value = from.is_null() ? wire::records() : wire::records(from_hex(from));
    }
    void fill(const nlohmann::json& from, wire::uuid& value) {
        const bytes octets = from_hex(from);
        if (octets.size() != value.octets.size()) throw std::invalid_argument("not an id: " + from.dump());
        std::copy(octets.begin(), octets.end(), value.octets.begin());
    }
    template <class T>
    void fill(const nlohmann::json& from, std::optional<T>& value) {
        if (from.is_null()) {
            value.reset();
        } else {
            fill(from, value.emplace());
        }
    }
    template <class T>
    void fill(const nlohmann::json& from, std::vector<T>& values) {
        values.resize(from.size());
        for (std::size_t index = 0; index < values.size(); ++index) fill(from.at(index), values[index]);
    }

    std::int16_t version_;
    std::deque<std::vector<std::byte>> stored_;
};

}  // namespace sluice::vectors
