// How a checker of one vector file is written: `check_<name>.cpp` compares one vector at a time, and
// registers itself.
//
//   namespace sluice::vectors {
//   namespace {
//   void check(const nlohmann::json& vector, verdict& verdict) {
//       verdict.expect_equal("crc32c", vector.at("crc32c").get<std::uint32_t>(), crc32c(...));
//   }
//   const registration registered("crc32c", check);
//   }
//   }
//
// A member that is missing from the vector, or of another type, is a mismatch: nlohmann-json throws, and the
// caller catches.
#pragma once

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::vectors {

struct mismatch {
    std::string what;
    std::string expected;
    std::string came;
};

// What a checker says about one vector. Without a word it agrees.
class verdict {
public:
    template <class T>
    void expect_equal(std::string_view what, const T& expected, const T& came) {
        if (!(expected == came)) disagree(what, fmt::format("{}", expected), fmt::format("{}", came));
    }
    void disagree(std::string_view what, std::string expected, std::string came) {
        mismatches_.push_back({std::string(what), std::move(expected), std::move(came)});
    }

    // Counts this vector in a group of its own, such as the API of a message.
    void belongs_to(std::string group) { group_ = std::move(group); }
    // There is nothing to check it with.
    void not_yet() { is_not_yet_ = true; }

    const std::vector<mismatch>& mismatches() const noexcept { return mismatches_; }
    const std::string& group() const noexcept { return group_; }
    bool is_not_yet() const noexcept { return is_not_yet_; }

private:
    std::vector<mismatch> mismatches_;
    std::string group_;
    bool is_not_yet_ = false;
};

using checker = void (*)(const nlohmann::json& vector, verdict& verdict);

// One static object in each check_<name>.cpp. `file_name` is one of `file_names`.
struct registration {
    registration(std::string_view file_name, checker check);
};

// nullptr: not yet.
checker find_checker(std::string_view file_name);

}  // namespace sluice::vectors
