// A bug for the driver to find: a driver that finds this one, and says how to, may be believed about the
// others.
#include "fuzz/target.hpp"

namespace sluice::fuzz {
namespace {

int run(const std::uint8_t* data, std::size_t size) {
    require(size < 3 || data[1] != 0xff, "the second byte is not 255");
    return 0;
}

std::vector<input> seeds() {
    return {{1, 2, 3, 4}};
}

const target registered("planted_bug", run, seeds, true);

}  // namespace
}  // namespace sluice::fuzz
