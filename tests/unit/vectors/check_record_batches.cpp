#include "exactly_once/sequence.hpp"
#include "record/batch_builder.hpp"
#include "record/batch_header.hpp"
#include "record/batch_reader.hpp"
#include "record/codecs/codec.hpp"
#include "record/crc32c.hpp"
#include "unit/vectors/vectors.hpp"
#include "unit/wire/hex.hpp"
#include "wire/big_endian.hpp"

namespace sluice::vectors {
namespace {

using nlohmann::json;

constexpr std::size_t memory_bytes = std::size_t{16} << 20;

// A record of a vector, with its bytes.
struct described_record {
    std::int64_t timestamp = 0;
    std::optional<std::vector<std::byte>> key;
    std::optional<std::vector<std::byte>> value;
    std::vector<std::string> header_keys;
    std::vector<std::optional<std::vector<std::byte>>> header_values;
    std::vector<header> headers;  // views

    static bytes_view view(const std::optional<std::vector<std::byte>>& held) {
        return held ? bytes_view(*held) : bytes_view();
    }
    record_parts parts() {
        headers.clear();
        for (std::size_t i = 0; i < header_keys.size(); ++i)
            headers.push_back({header_keys[i], view(header_values[i])});
        record_parts made;
        made.timestamp = timestamp;
        made.key = view(key);
        made.value = view(value);
        made.headers = headers;
        return made;
    }
};

std::optional<std::vector<std::byte>> bytes_of(const json& hex) {
    if (hex.is_null()) return std::nullopt;
    return wire::from_hex(hex.get<std::string>());
}

described_record record_of(const json& described) {
    described_record made;
    made.timestamp = described.at("timestamp").get<std::int64_t>();
    made.key = bytes_of(described.at("key"));
    if (described.contains("valueRepeat")) {
        const json& repeated = described.at("valueRepeat");
        const std::vector<std::byte> unit = wire::from_hex(repeated.at("unit").get<std::string>());
        made.value.emplace();
        for (auto times = repeated.at("times").get<int>(); times > 0; --times) {
            made.value->insert(made.value->end(), unit.begin(), unit.end());
        }
    } else {
        made.value = bytes_of(described.at("value"));
    }
    for (const json& each : described.at("headers")) {
        made.header_keys.push_back(each.at("key").get<std::string>());
        made.header_values.push_back(bytes_of(each.at("value")));
    }
    return made;
}

// Key and value of a marker that ends a transaction (RB-15).
described_record marker_of(const json& vector) {
    const std::int16_t kind =
        vector.at("type").get<std::string>() == "COMMIT" ? std::int16_t{1} : std::int16_t{0};
    described_record made;
    made.timestamp = vector.at("timestamp").get<std::int64_t>();
    made.key.emplace(4);
    wire::store_big_endian(made.key->data() + 2, kind);
    made.value.emplace(6);
    wire::store_big_endian(made.value->data() + 2, vector.at("coordinatorEpoch").get<std::int32_t>());
    return made;
}

int codec_of(const json& vector) {
    const std::string name = vector.value("compression", "none");
    for (const compression each :
         {compression::gzip, compression::snappy, compression::lz4, compression::zstd}) {
        if (name == to_string(each)) return static_cast<int>(each);
    }
    return 0;
}

batch_header header_of(const json& vector) {
    batch_header made;
    made.base_offset = vector.at("baseOffset").get<std::int64_t>();
    made.partition_leader_epoch = vector.at("partitionLeaderEpoch").get<std::int32_t>();
    made.producer_id = vector.at("producerId").get<std::int64_t>();
    made.producer_epoch = vector.at("producerEpoch").get<std::int16_t>();
    made.base_sequence = vector.at("baseSequence").get<std::int32_t>();
    const auto add = [&](batch_attributes attribute) {
        made.attributes = static_cast<std::int16_t>(made.attributes | static_cast<std::int16_t>(attribute));
    };
    if (vector.value("timestampType", "CreateTime") == "LogAppendTime")
        add(batch_attributes::log_append_time);
    if (vector.at("transactional").get<bool>()) add(batch_attributes::transactional);
    if (vector.at("control").get<bool>()) add(batch_attributes::control);
    made.attributes = static_cast<std::int16_t>(made.attributes | codec_of(vector));
    return made;
}

void check_encoding(const json& vector, std::vector<described_record>& records, std::uint32_t chunk_size,
                    verdict& verdict) {
    buffer_pool pool(memory_bytes, chunk_size);
    chunk_chain first;
    if (!pool.try_lend(first, 1)) return verdict.disagree("memory", "one chunk", "none");
    batch_builder builder(pool, first, memory_bytes);
    for (described_record& each : records) {
        const record_parts parts = each.parts();
        if (!builder.try_append(parts)) verdict.disagree("append", "room", "none");
    }
    builder.close();
    batch_header header = header_of(vector);
    header.record_count = static_cast<std::int32_t>(builder.record_count());
    header.last_offset_delta = header.record_count - 1;
    header.base_timestamp = builder.base_timestamp();
    header.max_timestamp = vector.value("logAppendTime", builder.max_timestamp());
    header.body_size = static_cast<std::int32_t>(builder.body_size());
    std::vector<std::byte> encoded(batch_header::size_bytes);
    encode(header, builder.body_crc(), std::span<std::byte, batch_header::size_bytes>(encoded));
    std::vector<bytes> pieces;
    builder.append_pieces(pieces);
    for (const bytes piece : pieces) encoded.insert(encoded.end(), piece.begin(), piece.end());
    verdict.expect_equal(fmt::format("encoded in chunks of {}", chunk_size),
                         vector.at("hex").get<std::string>(), wire::to_hex(encoded));
}

std::string text_of(const bytes_view& view) {
    return view.is_null() ? "null" : wire::to_hex(view.span());
}

void compare(const record_parts& expected, std::int64_t timestamp, std::int32_t index,
             const stored_record& came, verdict& verdict) {
    const auto what = [&](const char* name) { return fmt::format("{} of record {}", name, index); };
    verdict.expect_equal(what("offset"), index, came.offset_delta);
    verdict.expect_equal(what("timestamp"), timestamp, came.parts.timestamp);
    verdict.expect_equal(what("key"), text_of(expected.key), text_of(came.parts.key));
    verdict.expect_equal(what("value"), text_of(expected.value), text_of(came.parts.value));
    verdict.expect_equal(what("header count"), expected.headers.size(), came.parts.headers.size());
    if (expected.headers.size() != came.parts.headers.size()) return;
    for (std::size_t i = 0; i < expected.headers.size(); ++i) {
        verdict.expect_equal(what("header key"), std::string(expected.headers[i].key),
                             std::string(came.parts.headers[i].key));
        verdict.expect_equal(what("header value"), text_of(expected.headers[i].value),
                             text_of(came.parts.headers[i].value));
    }
}

void check_decoding(const json& vector, std::vector<described_record>& records, verdict& verdict) {
    const std::vector<std::byte> encoded = wire::from_hex(vector.at("hex").get<std::string>());
    const auto decoded = decode_batch_header(encoded);
    if (!decoded) return verdict.disagree("header", "a batch", decoded.error().message());
    verdict.expect_equal("crc is valid", true, has_valid_crc(*decoded, encoded));
    const batch_header expected = header_of(vector);
    verdict.expect_equal("baseOffset", expected.base_offset, decoded->base_offset);
    verdict.expect_equal("partitionLeaderEpoch", expected.partition_leader_epoch,
                         decoded->partition_leader_epoch);
    verdict.expect_equal("codec", vector.value("compression", "none"),
                         std::string(to_string(static_cast<compression>(decoded->codec()))));
    verdict.expect_equal("attributes", expected.attributes, decoded->attributes);
    verdict.expect_equal("producerId", expected.producer_id, decoded->producer_id);
    verdict.expect_equal("producerEpoch", expected.producer_epoch, decoded->producer_epoch);
    verdict.expect_equal("baseSequence", expected.base_sequence, decoded->base_sequence);
    verdict.expect_equal("record count", records.size(), static_cast<std::size_t>(decoded->record_count));
    verdict.expect_equal("last offset delta", decoded->record_count - 1, decoded->last_offset_delta);
    verdict.expect_equal("body size", encoded.size() - batch_header::size_bytes,
                         static_cast<std::size_t>(decoded->body_size));
    if (vector.contains("crc"))
        verdict.expect_equal("crc", vector.at("crc").get<std::uint32_t>(), decoded->crc);
    if (vector.contains("sizeInBytes")) {
        verdict.expect_equal("sizeInBytes", vector.at("sizeInBytes").get<std::size_t>(), encoded.size());
        verdict.expect_equal("baseTimestamp", vector.at("baseTimestamp").get<std::int64_t>(),
                             decoded->base_timestamp);
        verdict.expect_equal("maxTimestamp", vector.at("maxTimestamp").get<std::int64_t>(),
                             decoded->max_timestamp);
        const std::int32_t last = decoded->base_sequence < 0
                                      ? no_sequence
                                      : sequence_after(decoded->base_sequence, decoded->last_offset_delta);
        verdict.expect_equal("lastSequence", vector.at("lastSequence").get<std::int32_t>(), last);
    }

    bytes body = bytes(encoded).subspan(batch_header::size_bytes);
    output_buffer room;
    if (decoded->codec() != 0) {
        const auto size = vector.at("uncompressedPayloadSize").get<std::size_t>();
        const auto type = static_cast<compression>(decoded->codec());
        if (const error_code error = decompress(type, body, size, room))
            return verdict.disagree("decompressed", "a body", error.message());
        body = room.content();
        verdict.expect_equal("decompressed size", size, body.size());
        verdict.expect_equal("decompressed checksum",
                             vector.at("uncompressedPayloadCrc32c").get<std::uint32_t>(), crc32c(body));
        if (vector.contains("uncompressedPayload"))
            verdict.expect_equal("decompressed", vector.at("uncompressedPayload").get<std::string>(),
                                 wire::to_hex(body));
    }
    batch_reader reader(*decoded, body);
    std::int32_t index = 0;
    for (described_record& each : records) {
        const auto came = reader.next();
        if (!came)
            return verdict.disagree("records", fmt::format("{}", records.size()), fmt::format("{}", index));
        compare(each.parts(), vector.value("logAppendTime", each.timestamp), index, *came, verdict);
        ++index;
    }
    verdict.expect_equal("ends there", true, !reader.next().has_value() && !reader.error());
}

// Each codec is a group of its own.
void check(const json& vector, verdict& verdict) {
    const std::string codec = vector.value("compression", "none");
    verdict.belongs_to(codec);
    std::vector<described_record> records;
    if (vector.contains("records")) {
        for (const json& each : vector.at("records")) records.push_back(record_of(each));
    } else {
        records.push_back(marker_of(vector));
    }
    if (vector.at("compareBytes").get<bool>()) {
        for (const std::uint32_t chunk_size : {64u, 16384u})
            check_encoding(vector, records, chunk_size, verdict);
    }
    check_decoding(vector, records, verdict);
}

const registration registered("record_batches", check);

}  // namespace
}  // namespace sluice::vectors
