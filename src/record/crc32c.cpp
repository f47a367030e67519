#include "record/crc32c.hpp"

#include <isa-l/crc.h>

#include <array>

namespace sluice {
namespace {

// Polynomials over GF(2), reflected: bit 31 is x^0. P is Castagnoli's polynomial.
constexpr std::uint32_t castagnoli = 0x82f63b78u;

constexpr std::uint32_t multiply(std::uint32_t a, std::uint32_t b) noexcept {  // a * b mod P
    std::uint32_t product = 0;
    for (int bit = 0; bit < 32; ++bit) {
        product ^= b & (0u - (a >> 31));
        a <<= 1;
        b = (b >> 1) ^ (castagnoli & (0u - (b & 1)));
    }
    return product;
}

// shifts[k][d] = x^(8 * d * 256^k) mod P: what a checksum is multiplied by when d * 256^k bytes follow.
constexpr auto shifts = [] {
    std::array<std::array<std::uint32_t, 256>, 4> table{};
    std::uint32_t step = 0x00800000u;  // x^8
    for (auto& row : table) {
        std::uint32_t power = 0x80000000u;  // 1
        for (std::uint32_t& entry : row) {
            entry = power;
            power = multiply(power, step);
        }
        step = power;
    }
    return table;
}();

}  // namespace

std::uint32_t crc32c_extend(std::uint32_t so_far, bytes data) noexcept {
    std::uint32_t crc = ~so_far;
    constexpr std::size_t piece_max = std::size_t{1} << 30;  // ISA-L counts in int
    while (!data.empty()) {
        const bytes piece = data.first(data.size() < piece_max ? data.size() : piece_max);
        auto* start = const_cast<unsigned char*>(reinterpret_cast<const unsigned char*>(piece.data()));
        crc = crc32_iscsi(start, static_cast<int>(piece.size()), crc);
        data = data.subspan(piece.size());
    }
    return ~crc;
}

std::uint32_t crc32c(bytes data) noexcept {
    return crc32c_extend(0, data);
}

std::uint32_t crc32c_combine(std::uint32_t crc_a, std::uint32_t crc_b, std::size_t size_b) noexcept {
    std::uint32_t shifted = crc_a;
    for (const auto& row : shifts) {
        if ((size_b & 0xff) != 0) shifted = multiply(row[size_b & 0xff], shifted);
        size_b >>= 8;
    }
    return shifted ^ crc_b;
}

}  // namespace sluice
