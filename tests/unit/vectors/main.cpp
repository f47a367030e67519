// vector_tests [NAME...]     checks the named files (without ".jsonl"), or all of them and the folder
// vector_tests folder        checks only that the folder is there and has no unknown file
//
// Exit: 0 all that was checked agrees; 1 something does not; 2 wrong arguments.
#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "unit/vectors/vector_folder.hpp"
#include "unit/vectors/vectors.hpp"

namespace sluice::vectors {
namespace {

constexpr int shown_max = 20;  // mismatches of one file

// A piece of `text` around `position`: vectors may be of many kilobytes.
std::string excerpt(std::string_view text, std::size_t position) {
    constexpr std::size_t before = 40, size = 200;
    const std::size_t begin = position > before ? position - before : 0;
    const std::string_view part = text.substr(std::min(begin, text.size()), size);
    return fmt::format("{}{}{}", begin > 0 ? fmt::format("[{}]...", begin) : "", part,
                       begin + part.size() < text.size() ? "..." : "");
}

void show(std::string_view file_name, int line, const mismatch& found) {
    const auto ends =
        std::mismatch(found.expected.begin(), found.expected.end(), found.came.begin(), found.came.end());
    const auto position = static_cast<std::size_t>(ends.first - found.expected.begin());
    fmt::print("{}.jsonl:{}: {}\n  expected {}\n  came     {}\n", file_name, line, found.what,
               excerpt(found.expected, position), excerpt(found.came, position));
}

verdict judge(checker check, const vector_line& line) {
    verdict out;
    if (!line.parse_error.empty()) {
        out.disagree("not JSON", "a JSON object", line.parse_error);
        return out;
    }
    try {
        check(line.vector, out);
    } catch (const std::exception& error) {
        out.disagree("the vector cannot be read", "the members that README.md lists", error.what());
    }
    return out;
}

struct tally {
    int checked = 0;
    bool is_not_yet = false;
};

std::string text_of(const std::map<std::string, tally>& groups) {
    std::string text;
    for (const auto& [group, counted] : groups) {
        if (group.empty()) continue;
        text += text.empty() ? ": " : ", ";
        text += counted.is_not_yet ? fmt::format("{} not yet", group)
                                   : fmt::format("{} {} checked", group, counted.checked);
    }
    return text;
}

bool check_file(const vector_folder& folder, std::string_view name) {
    const checker check = find_checker(name);
    if (check == nullptr) {
        fmt::print("{}: not yet\n", name);
        return true;
    }
    const std::optional<std::vector<vector_line>> lines = folder.read(name);
    if (!lines) {
        fmt::print("{}: missing, skipped (no {}.jsonl in {})\n", name, name, folder.path().string());
        return true;
    }
    std::map<std::string, tally> groups;
    int checked = 0, mismatches = 0;
    for (const vector_line& line : *lines) {
        const verdict said = judge(check, line);
        tally& group = groups[said.group()];
        group.is_not_yet = said.is_not_yet();
        if (said.is_not_yet()) continue;
        ++group.checked;
        ++checked;
        for (const mismatch& found : said.mismatches()) {
            if (++mismatches <= shown_max) show(name, line.number, found);
        }
    }
    fmt::print("{}: {} checked{}\n", name, checked, text_of(groups));
    if (mismatches > 0) fmt::print("{}: {} mismatches\n", name, mismatches);
    if (checked == 0) fmt::print("{}: error: the file is there, but nothing in it was checked\n", name);
    return mismatches == 0 && checked > 0;
}

int run(const std::vector<std::string_view>& arguments) {
    const vector_folder folder;
    const std::vector<std::string> problems = folder.problems();
    const bool all = arguments.empty();
    bool agrees = true;
    // A single file is not to fail for what else lies around: that is what `folder` is for.
    const bool is_usable = std::any_of(file_names.begin(), file_names.end(), [&](std::string_view name) {
        return std::filesystem::exists(folder.path() / fmt::format("{}.jsonl", name));
    });
    if (all || arguments.front() == "folder" || !is_usable) {
        for (const std::string& problem : problems) fmt::print("error: {}\n", problem);
        agrees = problems.empty();
        if (agrees) fmt::print("folder: {} is in order\n", folder.path().string());
    }
    if (!is_usable) return 1;
    for (const std::string_view name : file_names) {
        const bool is_named = std::find(arguments.begin(), arguments.end(), name) != arguments.end();
        if (all || is_named) agrees = check_file(folder, name) && agrees;
    }
    return agrees ? 0 : 1;
}

}  // namespace
}  // namespace sluice::vectors

int main(int count, char** values) {
    using namespace sluice::vectors;
    const std::vector<std::string_view> arguments(values + 1, values + count);
    for (const std::string_view argument : arguments) {
        if (argument == "folder" ||
            std::find(file_names.begin(), file_names.end(), argument) != file_names.end())
            continue;
        fmt::print(stderr, "usage: vector_tests [folder] [NAME...]    NAME is one of:");
        for (const std::string_view name : file_names) fmt::print(stderr, " {}", name);
        fmt::print(stderr, "\n");
        return 2;
    }
    return run(arguments);
}
