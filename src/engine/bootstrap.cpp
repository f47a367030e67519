#include "engine/bootstrap.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace sluice {
namespace {

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view blanks = " \t\r\n";
    const std::size_t first = text.find_first_not_of(blanks);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

// One entry; the text of what is wrong with it otherwise.
std::optional<std::string> parse_entry(std::string_view entry, host_port& parsed) {
    std::string_view host = entry;
    const std::size_t colon = entry.rfind(':');
    const bool is_bracketed = entry.starts_with('[');
    if (colon == std::string_view::npos || (is_bracketed && entry.find("]:") == std::string_view::npos)) {
        return fmt::format("'{}' has no port; expected host:port", entry);
    }
    host = entry.substr(0, colon);
    if (is_bracketed && !host.ends_with(']')) {
        return fmt::format("'{}': only a port follows the brackets: [::1]:9092", entry);
    }
    if (is_bracketed) host = host.substr(1, host.size() - 2);
    if (host.empty()) return fmt::format("'{}' has no host; expected host:port", entry);
    if (!is_bracketed && host.find(':') != std::string_view::npos) {
        return fmt::format("'{}': an IPv6 address goes in brackets: [::1]:9092", entry);
    }
    const std::string_view digits = entry.substr(colon + 1);
    unsigned port = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (error != std::errc() || end != digits.data() + digits.size() || port == 0 || port > 65535) {
        return fmt::format("'{}': the port must be 1 to 65535", entry);
    }
    parsed = {std::string(host), static_cast<std::uint16_t>(port)};
    return std::nullopt;
}

template <class Take>
std::optional<std::string> for_each_entry(std::string_view servers, Take take) {
    while (true) {
        const std::size_t comma = servers.find(',');
        if (auto trouble = take(trimmed(servers.substr(0, comma)))) return trouble;
        if (comma == std::string_view::npos) return std::nullopt;
        servers.remove_prefix(comma + 1);
    }
}

}  // namespace

std::vector<host_port> parse_bootstrap(std::string_view servers) {
    std::vector<host_port> parsed;
    for_each_entry(servers, [&](std::string_view entry) -> std::optional<std::string> {
        host_port one;
        if (!parse_entry(entry, one)) parsed.push_back(std::move(one));
        return std::nullopt;
    });
    return parsed;
}

std::optional<std::string> validate_bootstrap(std::string_view servers) {
    if (trimmed(servers).empty()) return "it is empty; expected host:port, or several with commas between";
    std::vector<host_port> seen;
    return for_each_entry(servers, [&](std::string_view entry) -> std::optional<std::string> {
        if (entry.empty()) return "it has an empty entry; expected host:port,host:port";
        host_port one;
        if (auto trouble = parse_entry(entry, one)) return trouble;
        if (std::find(seen.begin(), seen.end(), one) != seen.end())
            return fmt::format("'{}' is there twice", entry);
        seen.push_back(std::move(one));
        return std::nullopt;
    });
}

bootstrap_lookup::bootstrap_lookup(resolver& names, std::vector<host_port> servers, callback done)
    : names_(names), servers_(std::move(servers)), done_(std::move(done)) {}

bootstrap_lookup::~bootstrap_lookup() {
    names_.cancel(lookup_);
}

void bootstrap_lookup::start() {
    if (next_ == servers_.size()) return done_(false, trouble_);
    lookup_.wanted = servers_[next_];
    names_.start(lookup_);
}

void bootstrap_lookup::on_answer() {
    if (!lookup_.found.empty()) return done_(true, {});
    trouble_ +=
        fmt::format("{}{}: {}", trouble_.empty() ? "" : "; ", servers_[next_].text(), lookup_.error_text);
    ++next_;
    start();
}

}  // namespace sluice
