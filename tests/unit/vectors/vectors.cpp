#include "unit/vectors/vectors.hpp"

#include <map>

namespace sluice::vectors {
namespace {

std::map<std::string_view, checker>& checkers() {
    static std::map<std::string_view, checker> registered;
    return registered;
}

}  // namespace

registration::registration(std::string_view file_name, checker check) {
    checkers()[file_name] = check;
}

checker find_checker(std::string_view file_name) {
    const auto found = checkers().find(file_name);
    return found == checkers().end() ? nullptr : found->second;
}

}  // namespace sluice::vectors
