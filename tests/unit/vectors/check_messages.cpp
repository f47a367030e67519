#include "unit/vectors/json_message.hpp"
#include "unit/vectors/vectors.hpp"
#include "wire/api/api_versions.hpp"
#include "wire/api/init_producer_id.hpp"
#include "wire/api/metadata.hpp"
#include "wire/api/produce.hpp"
#include "wire/frame.hpp"

namespace sluice::vectors {
namespace {

using nlohmann::json;

struct expected_bytes {
    std::string header;
    std::string body;
    std::optional<std::string> frame;

    explicit expected_bytes(const json& vector)
        : header(vector.at("header").get<std::string>()), body(vector.at("body").get<std::string>()) {
        if (vector.contains("frame") && !vector.at("frame").is_null())
            frame = vector.at("frame").get<std::string>();
    }
    std::string payload() const { return header + body; }
};

std::optional<std::string_view> client_id_of(const json& vector) {
    const json& id = vector.at("clientId");
    if (id.is_null()) return std::nullopt;
    return id.get_ref<const std::string&>();
}

// The whole frame in hex, or why it cannot be written.
template <class Message>
std::string write(const json& vector, bool is_request, std::int16_t version, const Message& value) {
    const auto correlation_id = vector.at("correlationId").get<std::int32_t>();
    wire::writer out;
    const error_code error = is_request
                                 ? write_request(out, value, version, correlation_id, client_id_of(vector))
                                 : write_response(out, value, version, correlation_id);
    return error ? error.message() : wire::to_hex(out.gathered());
}

void read_header(const json& vector, bool is_request, std::int16_t version, wire::reader& in,
                 verdict& verdict) {
    const auto correlation_id = vector.at("correlationId").get<std::int32_t>();
    const auto key = vector.at("apiKey").get<std::int16_t>();
    if (!is_request) {
        const auto known = static_cast<wire::api_key>(key);
        verdict.expect_equal("header version", vector.at("headerVersion").get<int>(),
                             wire::response_header_version(known, version));
        verdict.expect_equal("correlation id read", correlation_id,
                             wire::read_response_header(in, known, version));
        return;
    }
    const wire::request_header header = wire::read_request_header(in);
    verdict.expect_equal("header version", vector.at("headerVersion").get<int>(),
                         wire::request_header_version(static_cast<wire::api_key>(key), version));
    verdict.expect_equal("key read", key, header.api_key);
    verdict.expect_equal("version read", version, header.version);
    verdict.expect_equal("correlation id read", correlation_id, header.correlation_id);
    if (header.client_id != client_id_of(vector)) {
        verdict.disagree("client id read", vector.at("clientId").dump(),
                         std::string(header.client_id.value_or("null")));
    }
}

template <class Message>
void check_message(const json& vector, bool is_request, verdict& verdict) {
    const auto version = vector.at("version").get<std::int16_t>();
    const expected_bytes expected(vector);
    verdict.expect_equal("key", vector.at("apiKey").get<int>(), static_cast<int>(Message::key));
    verdict.expect_equal("flexible", vector.at("flexible").get<bool>(), version >= Message::flexible_from);

    Message value;
    json_message fields(version);
    fields.fill(vector.at("fields"), value);
    if (vector.contains("unknownTags")) {
        for (const json& tag : vector.at("unknownTags")) {
            value.unknown_tags.push_back(
                {tag.at("tag").get<std::uint32_t>(), fields.from_hex(tag.at("data"))});
        }
    }
    const std::string written = write(vector, is_request, version, value);
    const std::size_t prefix_size = 2 * wire::frame_prefix_size;
    verdict.expect_equal("encoded", expected.payload(),
                         written.substr(std::min(prefix_size, written.size())));
    if (expected.frame) verdict.expect_equal("frame", *expected.frame, written);

    const std::vector<std::byte> payload = wire::from_hex(expected.payload());
    wire::reader in{bytes(payload)};
    read_header(vector, is_request, version, in, verdict);
    verdict.expect_equal("header size", expected.header.size() / 2, payload.size() - in.remaining());
    Message back;
    if (const error_code error = decode(back, version, in)) {
        verdict.disagree("decoded", print(value, version), error.message());
        return;
    }
    verdict.expect_equal("decoded", print(value, version), print(back, version));
    verdict.expect_equal("encoded again", written, write(vector, is_request, version, back));
}

struct known_api {
    std::string_view name;
    void (*check_request)(const json&, bool, verdict&);
    void (*check_response)(const json&, bool, verdict&);
};

// A new API is one more line.
constexpr known_api known_apis[] = {
    {"ApiVersions", check_message<wire::api_versions_request>, check_message<wire::api_versions_response>},
    {"InitProducerId", check_message<wire::init_producer_id_request>,
     check_message<wire::init_producer_id_response>},
    {"Metadata", check_message<wire::metadata_request>, check_message<wire::metadata_response>},
    {"Produce", check_message<wire::produce_request>, check_message<wire::produce_response>},
};

void check(const json& vector, verdict& verdict) {
    const auto name = vector.at("api").get<std::string>();
    const auto type = vector.at("type").get<std::string>();
    verdict.belongs_to(name);
    for (const known_api& api : known_apis) {
        if (api.name != name) continue;
        if (type == "request") return api.check_request(vector, true, verdict);
        if (type == "response") return api.check_response(vector, false, verdict);
        return verdict.disagree("type", "request or response", type);
    }
    verdict.not_yet();
}

const registration registered("messages", check);

}  // namespace
}  // namespace sluice::vectors
