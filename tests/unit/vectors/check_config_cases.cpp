#include "sluice/producer_config.hpp"
#include "unit/vectors/vectors.hpp"

namespace sluice::vectors {
namespace {

using nlohmann::json;

constexpr std::int64_t as_good_as_for_ever = 1'000'000'000'000;  // ms; longer waits are cut to this

struct read_key {
    std::string_view name;
    std::string (*read)(const producer_config&);
};

template <class Number>
std::string text_of(Number number) {
    return fmt::format("{}", number);
}

// What the vectors give as effective values, of the keys that are implemented. (client.id is made up in create().)
const read_key effective_keys[] = {
    {"acks", [](const producer_config& config) { return text_of(static_cast<int>(config.acks)); }},
    {"enable.idempotence", [](const producer_config& config) { return text_of(config.is_idempotent()); }},
    {"retries", [](const producer_config& config) { return text_of(config.retries); }},
    {"max.in.flight.requests.per.connection",
     [](const producer_config& config) { return text_of(config.max_in_flight_requests_per_connection); }},
    {"reconnect.backoff.ms",
     [](const producer_config& config) { return text_of(config.reconnect_backoff.count()); }},
    {"reconnect.backoff.max.ms",
     [](const producer_config& config) { return text_of(config.reconnect_backoff_max.value().count()); }},
    {"linger.ms", [](const producer_config& config) { return text_of(config.linger.count()); }},
    {"compression.type",
     [](const producer_config& config) { return std::string(to_string(config.compression_type)); }},
    {"batch.size", [](const producer_config& config) { return text_of(config.batch_size); }},
};

// The outcome as text: "ok", or what is wrong. nullopt: a key is not implemented.
std::optional<std::string> outcome_of(const json& keys, producer_config& config) {
    config.bootstrap_servers = "localhost:9092";
    for (const auto& [name, value] : keys.items()) {
        if (const auto problem = config.set(name, value.get<std::string>())) {
            if (problem->text == "not implemented yet") return std::nullopt;
            return problem->key + ": " + problem->text;
        }
    }
    if (const auto problem = config.validate()) return problem->key + ": " + problem->text;
    return "ok";
}

void check(const json& vector, verdict& verdict) {
    const json& keys = vector.at("set");
    // ProducerConfig alone takes it; Kafka's list validator, which runs elsewhere, does not.
    const bool is_left_to_the_list_validator = keys.value("bootstrap.servers", "") == "a:1,a:1";
    producer_config config;
    const std::optional<std::string> came = outcome_of(keys, config);
    verdict.belongs_to(came && !is_left_to_the_list_validator ? "implemented keys" : "other keys");
    if (!came || is_left_to_the_list_validator) return verdict.not_yet();
    if (!vector.at("ok").get<bool>()) {
        if (*came == "ok") verdict.disagree(keys.dump(), vector.at("error").get<std::string>(), *came);
        return;
    }
    if (*came != "ok") return verdict.disagree(keys.dump(), "ok", *came);
    const json& effective = vector.at("effective");
    for (const read_key& each : effective_keys) {
        auto expected = effective.at(std::string(each.name)).get<std::string>();
        if (each.name == "linger.ms")
            expected = text_of(std::min<std::int64_t>(std::stoll(expected), as_good_as_for_ever));
        verdict.expect_equal(fmt::format("{} of {}", each.name, keys.dump()), expected, each.read(config));
    }
}

const registration registered("config_cases", check);

}  // namespace
}  // namespace sluice::vectors
