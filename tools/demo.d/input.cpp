#include "input.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <unordered_map>
#include <utility>

#include "cli/options.hpp"

namespace sluice::demo {
namespace {

constexpr std::string_view key_field = "Package: ";

std::string whole(const std::string& file) {
    const int fd = file == "-" ? STDIN_FILENO : open(file.c_str(), O_RDONLY | O_CLOEXEC);
    std::string text;
    ssize_t got = fd < 0 ? -1 : 1;
    while (got > 0) {
        const std::size_t size = text.size();
        text.resize(std::max(size * 2, std::size_t{1} << 20));
        got = read(fd, text.data() + size, text.size() - size);
        text.resize(size + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    }
    if (got < 0) throw cli::usage_error{fmt::format("{}: {}", file, std::strerror(errno))};
    if (fd != STDIN_FILENO) close(fd);
    return text;
}

// Calls `use` with what stands between separators, without what is empty.
template <class Use>
void split(std::string_view text, std::string_view separator, Use use) {
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(separator), text.size());
        if (end > 0) use(text.substr(0, end));
        text.remove_prefix(std::min(end + separator.size(), text.size()));
    }
}

// The field's value; empty without one.
std::string_view package_of(std::string_view stanza) {
    std::size_t at = 0;
    if (!stanza.starts_with(key_field)) {
        at = stanza.find("\nPackage: ");
        if (at == std::string_view::npos) return {};
        ++at;
    }
    stanza.remove_prefix(at + key_field.size());
    return stanza.substr(0, stanza.find('\n'));
}

}  // namespace

input::input(const std::string& file) : text_(whole(file)) {
    const std::string_view first = std::string_view(text_).substr(0, text_.find("\n\n"));
    has_stanzas_ = !package_of(first).empty();
    if (has_stanzas_) {
        cut_stanzas(file);
    } else {
        cut_lines();
    }
    if (records_.empty()) throw cli::usage_error{fmt::format("{}: there is nothing in it to send", file)};
    number_keys();
}

void input::cut_stanzas(const std::string& file) {
    split(text_, "\n\n", [&](std::string_view stanza) {
        const std::size_t start = stanza.find_first_not_of('\n');
        if (start == std::string_view::npos) return;
        stanza.remove_prefix(start);
        const std::string_view key = package_of(stanza);
        if (key.empty()) {
            const auto line = std::count(std::as_const(text_).data(), stanza.data(), '\n') + 1;
            throw cli::usage_error{
                fmt::format("{}: the stanza at line {} has no 'Package:' field", file, line)};
        }
        records_.push_back({key, stanza, 0});
    });
}

void input::cut_lines() {
    split(text_, "\n",
          [&](std::string_view line) { records_.push_back({line.substr(0, line.find(' ')), line, 0}); });
}

void input::number_keys() {
    std::unordered_map<std::string_view, std::uint32_t> ids;
    for (std::uint32_t index = 0; index < records_.size(); ++index) {
        input_record& each = records_[index];
        const auto [found, is_new] = ids.try_emplace(each.key, static_cast<std::uint32_t>(of_key_.size()));
        if (is_new) of_key_.emplace_back();
        each.key_id = found->second;
        of_key_[each.key_id].push_back(index);
        size_bytes_ += each.key.size() + each.value.size();
    }
}

}  // namespace sluice::demo
