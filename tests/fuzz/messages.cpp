// Decoders of messages: the first byte is the version, the others are a body.
//
// Property: what decodes can be encoded, and that decodes to the same again; also into a message that held
// something else before. (The bytes may differ from the input: a tagged field may have been sent although it
// had its default.)
#include "fuzz/message_seeds.hpp"
#include "fuzz/target.hpp"
#include "wire/api/api_versions.hpp"
#include "wire/api/init_producer_id.hpp"
#include "wire/api/metadata.hpp"
#include "wire/api/produce.hpp"

namespace sluice::fuzz {
namespace {

using namespace wire;

template <class Message>
std::vector<std::byte> encoded(const Message& value, std::int16_t version) {
    writer out;
    require(!encode(value, version, out), "what was decoded can be encoded");
    return out.gathered();
}

template <class Message>
int run(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    constexpr int version_count = Message::versions.max - Message::versions.min + 1;
    // Versions that exist stay what they are, so that seeds do.
    const int offset = (data[0] + version_count - Message::versions.min % version_count) % version_count;
    const auto version = static_cast<std::int16_t>(Message::versions.min + offset);
    static Message used;

    reader in(as_bytes(data + 1, size - 1));
    const error_code error = decode(used, version, in);
    if (error) {
        require(error == errc::protocol_error, "bad bytes are a protocol error");
        return 0;
    }
    const std::vector<std::byte> body = encoded(used, version);
    reader again(body);
    Message fresh;
    require(!decode(fresh, version, again), "what was encoded can be decoded");
    require(encoded(fresh, version) == body, "and is the same");
    require(print(fresh, version) == print(used, version), "also for people");
    return 0;
}

template <class Message>
std::vector<input> seeds() {
    const bool is_request = Message::name.ends_with("Request");
    std::vector<input> found = message_seeds(name_of(Message::key), is_request ? "request" : "response");
    for (int version = Message::versions.min; version <= Message::versions.max; ++version) {
        found.push_back({static_cast<std::uint8_t>(version)});
    }
    return found;
}

// A new message is one more line.
const target all[] = {
    {"api_versions_request", run<api_versions_request>, seeds<api_versions_request>},
    {"api_versions_response", run<api_versions_response>, seeds<api_versions_response>},
    {"init_producer_id_request", run<init_producer_id_request>, seeds<init_producer_id_request>},
    {"init_producer_id_response", run<init_producer_id_response>, seeds<init_producer_id_response>},
    {"metadata_request", run<metadata_request>, seeds<metadata_request>},
    {"metadata_response", run<metadata_response>, seeds<metadata_response>},
    {"produce_request", run<produce_request>, seeds<produce_request>},
    {"produce_response", run<produce_response>, seeds<produce_response>},
};

}  // namespace
}  // namespace sluice::fuzz
