// Where a producer's log lines go.
#pragma once

#include <functional>
#include <string_view>

namespace sluice {

enum class log_level { debug, info, warning, error };

// Called on the loops' threads, sometimes on several at once: it must be thread-safe, must not block and must not
// throw. `line` has no line end and is valid during the call only. Lines never hold payloads or secrets.
using log_sink = std::function<void(log_level level, std::string_view line)>;

// The default: warnings and errors on stderr, one line each, with the time and "sluice:" before it.
log_sink stderr_log(log_level least = log_level::warning);

}  // namespace sluice
