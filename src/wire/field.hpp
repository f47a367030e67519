// How one field of a message stands on the wire.
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.hpp"
#include "wire/version_range.hpp"

namespace sluice::wire {

// Written fluently where a message describes itself:
//
//   field("leaderEpoch").since(7).ignorable()                  on the wire from version 7 on; dropped below
//   field("name").until(12)                                    on the wire up to version 12
//   field("topics").nullable_since(1)                          may be null, but not in version 0
//   field("nodeEndpoints").since(10).tagged(0)                 in the tagged section, when it is not its default
//
// Names are Kafka's, with the first letter in lower case. A field of a nullable type may be null in every
// version unless it says otherwise. Every tagged field of Kafka's messages is tagged in all versions that
// have it.
class field {
public:
    constexpr explicit field(const char* name) noexcept : name_(name) {}

    constexpr field since(std::int16_t first) const noexcept { return between(first, versions_.max); }
    constexpr field until(std::int16_t last) const noexcept { return between(versions_.min, last); }
    constexpr field between(std::int16_t first, std::int16_t last) const noexcept {
        field changed = *this;
        changed.versions_ = {first, last};
        return changed;
    }
    constexpr field nullable_since(std::int16_t first) const noexcept {
        field changed = *this;
        changed.nullable_since_ = first;
        return changed;
    }
    constexpr field tagged(std::uint8_t tag) const noexcept {
        field changed = *this;
        changed.tag_ = tag;
        return changed;
    }
    // A value that the version cannot carry is dropped instead of refused.
    constexpr field ignorable() const noexcept {
        field changed = *this;
        changed.is_ignorable_ = true;
        return changed;
    }

    constexpr const char* name() const noexcept { return name_; }
    constexpr bool is_in(std::int16_t version) const noexcept { return versions_.contains(version); }
    constexpr bool is_nullable_in(std::int16_t version) const noexcept { return version >= nullable_since_; }
    constexpr bool is_tagged() const noexcept { return tag_ >= 0; }
    constexpr std::uint32_t tag() const noexcept { return static_cast<std::uint32_t>(tag_); }
    constexpr bool is_ignorable() const noexcept { return is_ignorable_; }

private:
    const char* name_;
    version_range versions_{0, version_max};
    std::int16_t nullable_since_ = 0;
    std::int16_t tag_ = -1;
    bool is_ignorable_ = false;
};

// A tagged field that this version of a message does not know. Messages keep those of their own level, so
// that writing them again gives the same bytes; nested structs drop theirs.
struct unknown_tag {
    std::uint32_t tag = 0;
    bytes content;  // in the frame
};
using unknown_tags = std::vector<unknown_tag>;

}  // namespace sluice::wire
