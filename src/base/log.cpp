#include "base/log.hpp"

#include <sys/time.h>

#include <cstdio>
#include <ctime>
#include <string>

namespace sluice {

log_sink stderr_log(log_level least) {
    return [least](log_level level, std::string_view line) {
        if (level < least) return;
        static constexpr const char* names[] = {"debug", "info", "warning", "error"};
        timeval now{};
        gettimeofday(&now, nullptr);
        tm local{};
        localtime_r(&now.tv_sec, &local);
        char clock[16] = "";
        std::strftime(clock, sizeof clock, "%H:%M:%S", &local);
        // One call per line: lines of several threads do not mix.
        std::fprintf(stderr, "%s.%03d sluice: %s: %.*s\n", clock, static_cast<int>(now.tv_usec / 1000),
                     names[static_cast<int>(level)], static_cast<int>(line.size()), line.data());
    };
}

void logger::write_line(log_level level, fmt::string_view text, fmt::format_args arguments) const {
    std::string line;
    if (!name_.empty()) line.append("[").append(name_).append("] ");
    line += fmt::vformat(text, arguments);
    sink_(level, line);
}

}  // namespace sluice
