// A record's header: a name and a value, as an application sees fit (EXT-1).
#pragma once

#include <string_view>

#include "sluice/bytes.hpp"

namespace sluice {

// Views: they keep nothing alive. Names may repeat; a value may be null.
struct header {
    std::string_view key;
    bytes_view value;
};

}  // namespace sluice
