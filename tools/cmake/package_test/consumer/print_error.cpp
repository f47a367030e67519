#include <iostream>
#include <sluice/error.hpp>

int main() {
    sluice::error_code error = sluice::errc::record_too_large;
    std::cout << error.message() << '\n';
    return error == sluice::condition::rejected ? 0 : 1;
}
