#include "fuzz/target.hpp"

#include <cstdio>
#include <cstdlib>

namespace sluice::fuzz {
namespace {

std::vector<const target*>& registered() {
    static std::vector<const target*> all;
    return all;
}

}  // namespace

target::target(std::string_view target_name, int (*run_once)(const std::uint8_t*, std::size_t),
               std::vector<input> (*make_seeds)(), bool planted)
    : name(target_name), run(run_once), seeds(make_seeds), is_planted(planted) {
    registered().push_back(this);
}

std::span<const target* const> targets() {
    return registered();
}

const target* find_target(std::string_view name) {
    for (const target* entry : registered()) {
        if (entry->name == name) return entry;
    }
    return nullptr;
}

void broken_property(std::string_view what) {
    fmt::print(stderr, "fuzz: broken property: {}\n", what);
    std::abort();
}

}  // namespace sluice::fuzz
