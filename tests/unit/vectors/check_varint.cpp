#include <array>

#include "unit/vectors/vectors.hpp"
#include "unit/wire/hex.hpp"
#include "wire/reader.hpp"
#include "wire/varint.hpp"

namespace sluice::vectors {
namespace {

// Encodes `value`, asks for its size, and decodes the bytes again: checked and unchecked.
template <class Value, class Write, class Size, class Read, class Checked>
void compare(verdict& verdict, std::string_view what, const std::string& hex, Value value, Write write,
             Size size, Read read, Checked checked) {
    std::array<std::byte, wire::varlong_size_max> room{};
    const std::byte* end = write(room.data(), value);
    const bytes written(room.data(), end);
    verdict.expect_equal(what, hex, wire::to_hex(written));
    verdict.expect_equal("size", hex.size() / 2, static_cast<std::size_t>(size(value)));

    std::vector<std::byte> expected = wire::from_hex(hex);
    wire::reader in{bytes(expected)};
    verdict.expect_equal("read, checked", value, checked(in));
    verdict.expect_equal("bytes left", std::size_t{0}, in.remaining());
    expected.resize(wire::varlong_size_max);
    Value back{};
    read(expected.data(), back);
    verdict.expect_equal("read, unchecked", value, back);
}

void check(const nlohmann::json& vector, verdict& verdict) {
    const auto value = vector.at("value").get<std::int64_t>();
    compare(verdict, "varlong", vector.at("varlong").get<std::string>(), value, wire::write_varlong,
            wire::varlong_size, wire::read_varlong, [](wire::reader& in) { return in.read_varlong(); });
    const auto narrow = static_cast<std::int32_t>(value);
    verdict.expect_equal("has varint", narrow == value, vector.contains("varint"));
    if (narrow != value) return;
    compare(verdict, "varint", vector.at("varint").get<std::string>(), narrow, wire::write_varint,
            wire::varint_size, wire::read_varint, [](wire::reader& in) { return in.read_varint(); });
    compare(verdict, "unsigned varint", vector.at("unsigned_varint_of_int32_bits").get<std::string>(),
            static_cast<std::uint32_t>(narrow), wire::write_unsigned_varint, wire::unsigned_varint_size,
            wire::read_unsigned_varint, [](wire::reader& in) { return in.read_unsigned_varint(); });
}

const registration registered("varint", check);

}  // namespace
}  // namespace sluice::vectors
