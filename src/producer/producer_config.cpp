#include "sluice/producer_config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <variant>

#include "engine/bootstrap.hpp"

namespace sluice {
namespace {

using milliseconds = std::chrono::milliseconds;
using problem = producer_config::problem;

constexpr std::int64_t int_max = std::numeric_limits<std::int32_t>::max();
constexpr std::int64_t long_max = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t time_max = 1'000'000'000'000;  // ms, 31 years: what is longer is as good as for ever

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view blanks = " \t\r\n";
    const std::size_t first = text.find_first_not_of(blanks);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::string range_text(std::int64_t min, std::int64_t max) {
    return max == long_max || max == int_max ? fmt::format("a number from {} on", min)
                                             : fmt::format("a number from {} to {}", min, max);
}

problem out_of_range(std::string_view key, std::string_view value, std::int64_t min, std::int64_t max) {
    return {std::string(key), fmt::format("'{}' is not allowed; expected {}", value, range_text(min, max))};
}

// ---- the keys that are implemented: how each is read from text, and where it lives

struct number_key {
    std::int64_t min;
    std::int64_t max;
    void (*store)(producer_config&, std::int64_t);
    std::int64_t (*load)(const producer_config&);
    bool is_time;
};
struct text_key {
    std::optional<problem> (*store)(producer_config&, std::string_view value);
};
struct key {
    std::string_view name;
    std::variant<number_key, text_key> kind;
};

template <auto Member>
void store_number(producer_config& config, std::int64_t value) {
    using field = std::remove_reference_t<decltype(config.*Member)>;
    if constexpr (std::is_integral_v<field>) {
        config.*Member = static_cast<field>(value);
    } else {
        config.*Member = milliseconds(value);
    }
}
template <auto Member>
std::int64_t load_number(const producer_config& config) {
    using field = std::remove_cvref_t<decltype(config.*Member)>;
    if constexpr (std::is_integral_v<field>) {
        return config.*Member;
    } else if constexpr (std::is_same_v<field, milliseconds>) {
        return (config.*Member).count();
    } else {
        return (config.*Member).value_or(milliseconds(0)).count();
    }
}
template <auto Member>
constexpr number_key number(std::int64_t min, std::int64_t max) {
    using field = std::remove_reference_t<decltype(std::declval<producer_config&>().*Member)>;
    return {min, max, &store_number<Member>, &load_number<Member>, !std::is_integral_v<field>};
}

std::optional<problem> store_acks(producer_config& config, std::string_view value) {
    if (value == "all" || value == "-1") {
        config.acks = acks::all;
    } else if (value == "0") {
        config.acks = acks::none;
    } else if (value == "1") {
        config.acks = acks::leader;
    } else {
        return problem{"acks", fmt::format("'{}' is not allowed; expected all, -1, 0 or 1", value)};
    }
    return std::nullopt;
}

std::optional<problem> store_idempotence(producer_config& config, std::string_view value) {
    std::string lower(value);
    std::transform(lower.begin(), lower.end(), lower.begin(), [](char each) {
        return each >= 'A' && each <= 'Z' ? static_cast<char>(each + 32) : each;
    });
    if (lower != "true" && lower != "false") {
        return problem{"enable.idempotence",
                       fmt::format("'{}' is not allowed; expected true or false", value)};
    }
    config.enable_idempotence = lower == "true";
    return std::nullopt;
}

std::optional<problem> store_compression(producer_config& config, std::string_view value) {
    for (const compression each :
         {compression::none, compression::gzip, compression::snappy, compression::lz4, compression::zstd}) {
        if (value != to_string(each)) continue;
        config.compression_type = each;
        return std::nullopt;
    }
    return problem{"compression.type",
                   fmt::format("'{}' is not allowed; expected none, gzip, snappy, lz4 or zstd", value)};
}

std::optional<problem> check_gzip_level(std::string_view value, std::int64_t level) {
    if (level == -1 || (level >= 1 && level <= 9)) return std::nullopt;
    return problem{"compression.gzip.level",
                   fmt::format("'{}' is not allowed; expected a number from 1 to 9, or -1", value)};
}

std::optional<problem> store_gzip_level(producer_config& config, std::string_view value) {
    std::int32_t level = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), level);
    if (error != std::errc() || end != value.data() + value.size()) level = 0;
    config.compression_gzip_level = level;
    return check_gzip_level(value, level);
}

const key implemented[] = {
    {"acks", text_key{&store_acks}},
    {"batch.size", number<&producer_config::batch_size>(0, int_max)},
    {"bootstrap.servers",
     text_key{[](producer_config& config, std::string_view value) -> std::optional<problem> {
         config.bootstrap_servers = value;
         if (auto wrong = validate_bootstrap(value)) return problem{"bootstrap.servers", *wrong};
         return std::nullopt;
     }}},
    {"buffer.memory", number<&producer_config::buffer_memory>(0, long_max)},
    {"client.id", text_key{[](producer_config& config, std::string_view value) -> std::optional<problem> {
         config.client_id = value;
         return std::nullopt;
     }}},
    {"compression.gzip.level", text_key{&store_gzip_level}},
    {"compression.lz4.level", number<&producer_config::compression_lz4_level>(1, 17)},
    {"compression.type", text_key{&store_compression}},
    {"compression.zstd.level", number<&producer_config::compression_zstd_level>(-131072, 22)},
    {"delivery.timeout.ms", number<&producer_config::delivery_timeout>(0, int_max)},
    {"enable.idempotence", text_key{&store_idempotence}},
    {"linger.ms", number<&producer_config::linger>(0, long_max)},
    {"max.block.ms", number<&producer_config::max_block>(0, long_max)},
    {"max.in.flight.requests.per.connection",
     number<&producer_config::max_in_flight_requests_per_connection>(1, int_max)},
    {"max.request.size", number<&producer_config::max_request_size>(0, int_max)},
    {"metadata.max.age.ms", number<&producer_config::metadata_max_age>(0, long_max)},
    {"metadata.max.idle.ms", number<&producer_config::metadata_max_idle>(5000, long_max)},
    {"receive.buffer.bytes", number<&producer_config::receive_buffer>(-1, int_max)},
    {"reconnect.backoff.max.ms", number<&producer_config::reconnect_backoff_max>(0, long_max)},
    {"reconnect.backoff.ms", number<&producer_config::reconnect_backoff>(0, long_max)},
    {"request.timeout.ms", number<&producer_config::request_timeout>(0, int_max)},
    {"retries", number<&producer_config::retries>(0, int_max)},
    {"retry.backoff.max.ms", number<&producer_config::retry_backoff_max>(0, long_max)},
    {"retry.backoff.ms", number<&producer_config::retry_backoff>(0, long_max)},
    {"send.buffer.bytes", number<&producer_config::send_buffer>(-1, int_max)},
    {"socket.connection.setup.timeout.max.ms",
     number<&producer_config::socket_connection_setup_timeout_max>(0, long_max)},
    {"socket.connection.setup.timeout.ms",
     number<&producer_config::socket_connection_setup_timeout>(0, long_max)},
};

// The other keys of Kafka's producer (4.4).
constexpr std::string_view not_yet[] = {
    "bootstrap.resolve.timeout.ms",
    "buffer.memory.allocation.strategy",
    "client.dns.lookup",
    "client.rack",
    "config.providers",
    "connections.max.idle.ms",
    "enable.metrics.push",
    "interceptor.classes",
    "key.serializer",
    "metadata.cluster.check.enable",
    "metadata.recovery.rebootstrap.trigger.ms",
    "metadata.recovery.strategy",
    "metric.reporters",
    "metrics.num.samples",
    "metrics.recording.level",
    "metrics.sample.window.ms",
    "partitioner.adaptive.partitioning.enable",
    "partitioner.availability.timeout.ms",
    "partitioner.class",
    "partitioner.ignore.keys",
    "partitioner.rack.aware",
    "sasl.client.callback.handler.class",
    "sasl.jaas.config",
    "sasl.kerberos.kinit.cmd",
    "sasl.kerberos.min.time.before.relogin",
    "sasl.kerberos.service.name",
    "sasl.kerberos.ticket.renew.jitter",
    "sasl.kerberos.ticket.renew.window.factor",
    "sasl.login.callback.handler.class",
    "sasl.login.class",
    "sasl.login.connect.timeout.ms",
    "sasl.login.read.timeout.ms",
    "sasl.login.refresh.buffer.seconds",
    "sasl.login.refresh.min.period.seconds",
    "sasl.login.refresh.window.factor",
    "sasl.login.refresh.window.jitter",
    "sasl.login.retry.backoff.max.ms",
    "sasl.login.retry.backoff.ms",
    "sasl.mechanism",
    "sasl.oauthbearer.allow.unverified.audience",
    "sasl.oauthbearer.allow.unverified.issuer",
    "sasl.oauthbearer.assertion.algorithm",
    "sasl.oauthbearer.assertion.claim.aud",
    "sasl.oauthbearer.assertion.claim.exp.seconds",
    "sasl.oauthbearer.assertion.claim.iss",
    "sasl.oauthbearer.assertion.claim.jti.include",
    "sasl.oauthbearer.assertion.claim.nbf.seconds",
    "sasl.oauthbearer.assertion.claim.sub",
    "sasl.oauthbearer.assertion.file",
    "sasl.oauthbearer.assertion.private.key.file",
    "sasl.oauthbearer.assertion.private.key.passphrase",
    "sasl.oauthbearer.assertion.template.file",
    "sasl.oauthbearer.client.credentials.client.id",
    "sasl.oauthbearer.client.credentials.client.secret",
    "sasl.oauthbearer.clock.skew.seconds",
    "sasl.oauthbearer.expected.audience",
    "sasl.oauthbearer.expected.issuer",
    "sasl.oauthbearer.header.urlencode",
    "sasl.oauthbearer.jwks.endpoint.refresh.ms",
    "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms",
    "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms",
    "sasl.oauthbearer.jwks.endpoint.url",
    "sasl.oauthbearer.jwt.retriever.class",
    "sasl.oauthbearer.jwt.validator.class",
    "sasl.oauthbearer.scope",
    "sasl.oauthbearer.scope.claim.name",
    "sasl.oauthbearer.sub.claim.name",
    "sasl.oauthbearer.token.endpoint.url",
    "security.protocol",
    "security.providers",
    "ssl.cipher.suites",
    "ssl.enabled.protocols",
    "ssl.endpoint.identification.algorithm",
    "ssl.engine.factory.class",
    "ssl.key.password",
    "ssl.keymanager.algorithm",
    "ssl.keystore.certificate.chain",
    "ssl.keystore.key",
    "ssl.keystore.location",
    "ssl.keystore.password",
    "ssl.keystore.type",
    "ssl.protocol",
    "ssl.provider",
    "ssl.secure.random.implementation",
    "ssl.trustmanager.algorithm",
    "ssl.truststore.certificates",
    "ssl.truststore.location",
    "ssl.truststore.password",
    "ssl.truststore.type",
    "transaction.timeout.ms",
    "transaction.two.phase.commit.enable",
    "transactional.id",
    "value.serializer",
};

const key* find_key(std::string_view name) {
    const auto* found = std::find_if(std::begin(implemented), std::end(implemented),
                                     [&](const key& each) { return each.name == name; });
    return found == std::end(implemented) ? nullptr : found;
}

bool is_not_yet(std::string_view name) {
    return std::find(std::begin(not_yet), std::end(not_yet), name) != std::end(not_yet);
}

}  // namespace

bool producer_config::is_known(std::string_view name) noexcept {
    return find_key(name) != nullptr || is_not_yet(name);
}

std::optional<problem> producer_config::set(std::string_view name, std::string_view value) {
    const key* found = find_key(name);
    if (found == nullptr) {
        if (is_not_yet(name)) return problem{std::string(name), "not implemented yet"};
        if (std::find(unknown_keys.begin(), unknown_keys.end(), name) == unknown_keys.end()) {
            unknown_keys.emplace_back(name);
        }
        return std::nullopt;
    }
    const std::string_view text = trimmed(value);
    if (const auto* as_text = std::get_if<text_key>(&found->kind)) return as_text->store(*this, text);
    const auto& range = std::get<number_key>(found->kind);
    std::int64_t parsed = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), parsed);
    if (error != std::errc() || end != text.data() + text.size() || parsed < range.min ||
        parsed > range.max) {
        return out_of_range(name, value, range.min, range.max);
    }
    range.store(*this, parsed);
    return std::nullopt;
}

std::optional<problem> producer_config::validate() {
    if (auto wrong = validate_bootstrap(bootstrap_servers)) return problem{"bootstrap.servers", *wrong};
    for (const key& each : implemented) {
        const auto* range = std::get_if<number_key>(&each.kind);
        if (range == nullptr) continue;
        const std::int64_t value = range->load(*this);
        if (value < range->min || value > range->max) {
            return out_of_range(each.name, std::to_string(value), range->min, range->max);
        }
        if (range->is_time && value > time_max) range->store(*this, time_max);
    }
    if (acks != sluice::acks::all && acks != sluice::acks::none && acks != sluice::acks::leader) {
        return problem{
            "acks", fmt::format("{} is not allowed; expected all, none or leader", static_cast<int>(acks))};
    }
    if (auto wrong = check_gzip_level(std::to_string(compression_gzip_level), compression_gzip_level))
        return wrong;
    if (compression_type < compression::none || compression_type > compression::zstd) {
        return problem{"compression.type",
                       fmt::format("{} is not allowed; expected none, gzip, snappy, lz4 or zstd",
                                   static_cast<int>(compression_type))};
    }
    // Combinations 1 to 4 of the configuration's rules.
    const bool rules_out_idempotence = acks != sluice::acks::all || retries == 0;
    if (enable_idempotence.value_or(false) && rules_out_idempotence) {
        return problem{retries == 0 ? "retries" : "acks",
                       "enable.idempotence=true needs acks=all and retries above 0"};
    }
    // Also where acks or retries go on to switch idempotence off: Kafka looks at the key alone.
    if (enable_idempotence.value_or(true) && max_in_flight_requests_per_connection > 5) {
        return problem{"max.in.flight.requests.per.connection",
                       fmt::format("'{}' is not allowed unless enable.idempotence=false; expected 1 to 5",
                                   max_in_flight_requests_per_connection)};
    }
    if (!enable_idempotence) enable_idempotence = !rules_out_idempotence;
    // 8, 9: the delivery time-out holds a lingering batch and one request at least.
    const milliseconds least = std::min(linger + request_timeout, milliseconds(int_max));
    if (delivery_timeout && *delivery_timeout < least) {
        return problem{"delivery.timeout.ms",
                       fmt::format("'{}' is less than linger.ms + request.timeout.ms ({})",
                                   delivery_timeout->count(), least.count())};
    }
    if (!delivery_timeout) delivery_timeout = std::max(milliseconds(120000), least);
    // 11: only the first of the two set: constant.
    if (!reconnect_backoff_max) {
        reconnect_backoff_max =
            reconnect_backoff == milliseconds(50) ? milliseconds(1000) : reconnect_backoff;
    }
    if (buffer_memory < 1024) {
        return problem{
            "buffer.memory",
            fmt::format("'{}' is too little for one record; expected 1024 at least", buffer_memory)};
    }
    return std::nullopt;
}

}  // namespace sluice
