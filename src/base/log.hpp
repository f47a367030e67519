// How the inside of Sluice logs: a sink, and a level below which nothing is even formatted.
#pragma once

#include <fmt/format.h>

#include <string_view>

#include "sluice/log.hpp"

namespace sluice {

// Copies share the sink. Owner: shared, immutable; the sink itself is thread-safe by contract.
class logger {
public:
    logger() = default;  // says nothing
    explicit logger(log_sink sink, std::string_view name = {}) : sink_(std::move(sink)), name_(name) {}

    template <class... Arguments>
    void debug(fmt::format_string<Arguments...> text, Arguments&&... arguments) const {
        write(log_level::debug, text, arguments...);
    }
    template <class... Arguments>
    void info(fmt::format_string<Arguments...> text, Arguments&&... arguments) const {
        write(log_level::info, text, arguments...);
    }
    template <class... Arguments>
    void warning(fmt::format_string<Arguments...> text, Arguments&&... arguments) const {
        write(log_level::warning, text, arguments...);
    }
    template <class... Arguments>
    void error(fmt::format_string<Arguments...> text, Arguments&&... arguments) const {
        write(log_level::error, text, arguments...);
    }

private:
    template <class... Arguments>
    void write(log_level level, fmt::string_view text, Arguments&... arguments) const {
        if (sink_) write_line(level, text, fmt::make_format_args(arguments...));
    }
    void write_line(log_level level, fmt::string_view text, fmt::format_args arguments) const;

    log_sink sink_;
    std::string name_;  // "producer-1", before each line
};

}  // namespace sluice
