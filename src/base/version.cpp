#include "sluice/version.hpp"

namespace sluice {

std::string_view software_version() noexcept {
    return SLUICE_VERSION;
}

}  // namespace sluice
