#include "cli/options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace sluice::cli {

void options::flag(std::string name, std::function<void()> action) {
    known_.push_back({std::move(name), std::move(action), nullptr});
}

void options::value(std::string name, std::function<void(std::string_view)> action) {
    known_.push_back({std::move(name), nullptr, std::move(action)});
}

const options::option* options::find(std::string_view name) const {
    const auto found =
        std::find_if(known_.begin(), known_.end(), [&](const option& each) { return each.name == name; });
    return found == known_.end() ? nullptr : &*found;
}

std::vector<std::string> options::parse(const std::vector<std::string>& arguments) const {
    std::vector<std::string> rest;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const std::string_view argument = arguments[i];
        if (argument == "--") {
            rest.insert(rest.end(), arguments.begin() + static_cast<std::ptrdiff_t>(i) + 1, arguments.end());
            break;
        }
        if (argument.size() < 2 || argument[0] != '-') {
            rest.emplace_back(argument);
            continue;
        }
        const std::size_t equals = argument.starts_with("--") ? argument.find('=') : std::string_view::npos;
        const std::string_view name = argument.substr(0, equals);
        const option* found = find(name);
        if (found == nullptr) throw usage_error{fmt::format("unknown option {} (see --help)", name)};
        if (found->flag) {
            if (equals != std::string_view::npos)
                throw usage_error{fmt::format("option {} takes no value", name)};
            found->flag();
        } else if (equals != std::string_view::npos) {
            found->value(argument.substr(equals + 1));
        } else {
            if (i + 1 == arguments.size())
                throw usage_error{fmt::format("option {} needs a value (see --help)", name)};
            found->value(arguments[++i]);
        }
    }
    return rest;
}

long long number(std::string_view option, std::string_view text, long long min, long long max) {
    long long parsed = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), parsed);
    if (error != std::errc() || end != text.data() + text.size() || parsed < min || parsed > max) {
        throw usage_error{
            fmt::format("option {}: '{}' is not a whole number from {} to {}", option, text, min, max)};
    }
    return parsed;
}

}  // namespace sluice::cli
