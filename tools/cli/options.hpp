// Command lines: options with and without values, in any order, and what is wrong with them in words.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::cli {

// Thrown for a command line that makes no sense; main prints it and ends with status 2.
struct usage_error {
    std::string text;
};

//   options.flag("--version", [&] { ... });   options.value("--topic", [&](std::string_view v) { ... });
//   std::vector<std::string> rest = options.parse(arguments);
//
// `--name value` and `--name=value` are the same; `--` ends the options.
class options {
public:
    void flag(std::string name, std::function<void()> action);
    void value(std::string name, std::function<void(std::string_view)> action);
    std::vector<std::string> parse(const std::vector<std::string>& arguments) const;

private:
    struct option {
        std::string name;
        std::function<void()> flag;
        std::function<void(std::string_view)> value;
    };
    const option* find(std::string_view name) const;
    std::vector<option> known_;
};

// A whole number in a range, or a usage_error that names the option.
long long number(std::string_view option, std::string_view text, long long min, long long max);

}  // namespace sluice::cli
