// The same targets under libFuzzer, which looks for new paths instead of drawing blindly:
//
//   cmake -B build/libfuzzer -DCMAKE_CXX_COMPILER=clang++-19 -DCMAKE_BUILD_TYPE=RelWithDebInfo \
//         -DSLUICE_LIBFUZZER=ON -DSLUICE_SANITIZE=address,undefined,fuzzer-no-link
//   SLUICE_FUZZ_TARGET=produce_response build/libfuzzer/bin/libfuzzer_tests -max_total_time=60
#include <cstdlib>

#include "fuzz/target.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace sluice::fuzz;
    static const target* const chosen = [] {
        const char* name = std::getenv("SLUICE_FUZZ_TARGET");
        const target* found = name == nullptr ? nullptr : find_target(name);
        require(found != nullptr, "SLUICE_FUZZ_TARGET names a target");
        return found;
    }();
    return chosen->run(data, size);
}
