// Which kernel runs here.
#pragma once

#include <sys/utsname.h>

#include <charconv>
#include <compare>
#include <string>
#include <string_view>

namespace sluice {

struct kernel_version {
    int version = 0;
    int patch_level = 0;

    // From what uname(2) calls the release: "6.1.0-18-amd64". 0.0 where that is not how it starts.
    static kernel_version parse(std::string_view release) noexcept {
        kernel_version parsed;
        const char* const end = release.data() + release.size();
        const auto [dot, bad_version] = std::from_chars(release.data(), end, parsed.version);
        if (bad_version != std::errc{} || dot == end || *dot != '.') return {};
        const auto bad_level = std::from_chars(dot + 1, end, parsed.patch_level).ec;
        return bad_level == std::errc{} ? parsed : kernel_version{};
    }
    static kernel_version running() noexcept {
        utsname system{};
        return ::uname(&system) == 0 ? parse(system.release) : kernel_version{};
    }

    std::string text() const { return std::to_string(version) + "." + std::to_string(patch_level); }
    friend auto operator<=>(const kernel_version&, const kernel_version&) = default;
};

}  // namespace sluice
