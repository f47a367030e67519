// The bodies of compressed batches.
#include <algorithm>

#include "fuzz/target.hpp"
#include "record/codecs/codec.hpp"
#include "unit/vectors/vector_folder.hpp"
#include "unit/wire/hex.hpp"

namespace sluice::fuzz {
namespace {

constexpr std::size_t size_max = 256 * 1024;
constexpr std::size_t batch_header_size = 61;
constexpr std::size_t attributes_at = 21;

// Property: any bytes are decompressed or refused, never to more than the limit; and what came of them is compressed
// and decompressed to the same again.
int run(compression type, const std::uint8_t* data, std::size_t size) {
    output_buffer raw;
    if (decompress(type, as_bytes(data, size), size_max, raw)) return 0;
    require(raw.size() <= size_max, "no more than the limit");
    if (raw.size() == 0) return 0;
    output_buffer packed;
    const std::unique_ptr<compressor> codec = make_compressor(type, 1);
    const bool did_compress = codec->begin(raw.size(), packed) && codec->write(raw.content(), true, packed);
    require(did_compress, "what was decompressed can be compressed");
    output_buffer again;
    require(!decompress(type, packed.content(), raw.size(), again),
            "what was compressed can be decompressed");
    require(std::ranges::equal(again.content(), raw.content()), "the same bytes");
    return 0;
}

// What Java compressed.
std::vector<input> seeds(compression type) {
    static const auto lines =
        vectors::vector_folder().read("record_batches").value_or(std::vector<vectors::vector_line>());
    std::vector<input> seeds;
    for (const vectors::vector_line& line : lines) {
        if (!line.parse_error.empty()) continue;
        const std::vector<std::byte> batch =
            wire::from_hex(line.vector.at("hex").get_ref<const std::string&>());
        if ((std::to_integer<int>(batch[attributes_at + 1]) & 7) != static_cast<int>(type)) continue;
        if (batch.size() > 4096) continue;
        input& seed = seeds.emplace_back();
        for (const std::byte octet : bytes(batch).subspan(batch_header_size))
            seed.push_back(std::to_integer<std::uint8_t>(octet));
    }
    return seeds;
}

template <compression Type>
int run_one(const std::uint8_t* data, std::size_t size) {
    return run(Type, data, size);
}
template <compression Type>
std::vector<input> seeds_of_one() {
    return seeds(Type);
}

const target gzip("gzip", run_one<compression::gzip>, seeds_of_one<compression::gzip>);
const target snappy("snappy", run_one<compression::snappy>, seeds_of_one<compression::snappy>);
const target lz4("lz4", run_one<compression::lz4>, seeds_of_one<compression::lz4>);
const target zstd("zstd", run_one<compression::zstd>, seeds_of_one<compression::zstd>);

}  // namespace
}  // namespace sluice::fuzz
