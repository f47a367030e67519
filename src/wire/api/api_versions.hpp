// ApiVersions: the first request on every connection, and what a broker can do (VER-1..10).
#pragma once

#include "wire/message.hpp"

namespace sluice::wire {

// Version 3 brings the client's software name, version 5 (KIP-1242) cluster and node, both or none. All are
// ignorable: after UNSUPPORTED_VERSION the same request goes out again in an older version (VER-3).
struct api_versions_request {
    static constexpr api_key key = api_key::api_versions;
    static constexpr std::string_view name = "ApiVersionsRequest";
    static constexpr version_range versions{0, 5};
    static constexpr std::int16_t flexible_from = 3;

    std::string_view client_software_name;
    std::string_view client_software_version;
    std::optional<std::string_view> cluster_id;
    std::int32_t node_id = -1;
    wire::unknown_tags unknown_tags;

    template <class Self, class Fields>
    static void describe(Self& self, Fields& fields) {
        fields(field("clientSoftwareName").since(3).ignorable(), self.client_software_name);
        fields(field("clientSoftwareVersion").since(3).ignorable(), self.client_software_version);
        fields(field("clusterId").since(5).ignorable(), self.cluster_id);
        fields(field("nodeId").since(5).ignorable(), self.node_id, -1);
    }
};

struct api_version {
    std::int16_t api_key = 0;
    std::int16_t min_version = 0;
    std::int16_t max_version = 0;

    template <class Self, class Fields>
    static void describe(Self& self, Fields& fields) {
        fields(field("apiKey"), self.api_key);
        fields(field("minVersion"), self.min_version);
        fields(field("maxVersion"), self.max_version);
    }
};

struct supported_feature_key {
    std::string_view name;
    std::int16_t min_version = 0;
    std::int16_t max_version = 0;

    template <class Self, class Fields>
    static void describe(Self& self, Fields& fields) {
        fields(field("name").since(3), self.name);
        fields(field("minVersion").since(3), self.min_version);
        fields(field("maxVersion").since(3), self.max_version);
    }
};

struct finalized_feature_key {
    std::string_view name;
    std::int16_t max_version_level = 0;
    std::int16_t min_version_level = 0;

    template <class Self, class Fields>
    static void describe(Self& self, Fields& fields) {
        fields(field("name").since(3), self.name);
        fields(field("maxVersionLevel").since(3), self.max_version_level);
        fields(field("minVersionLevel").since(3), self.min_version_level);
    }
};

struct api_versions_response {
    static constexpr api_key key = api_key::api_versions;
    static constexpr std::string_view name = "ApiVersionsResponse";
    static constexpr version_range versions{0, 5};
    static constexpr std::int16_t flexible_from = 3;

    std::int16_t error_code = 0;
    std::vector<api_version> api_keys;
    std::int32_t throttle_time_ms = 0;
    std::vector<supported_feature_key> supported_features;
    std::int64_t finalized_features_epoch = -1;
    std::vector<finalized_feature_key> finalized_features;  // of meaning only where the epoch is not -1
    bool zk_migration_ready = false;
    wire::unknown_tags unknown_tags;

    template <class Self, class Fields>
    static void describe(Self& self, Fields& fields) {
        fields(field("errorCode"), self.error_code);
        fields(field("apiKeys"), self.api_keys);
        fields(field("throttleTimeMs").since(1).ignorable(), self.throttle_time_ms);
        fields(field("supportedFeatures").since(3).tagged(0).ignorable(), self.supported_features);
        fields(field("finalizedFeaturesEpoch").since(3).tagged(1).ignorable(), self.finalized_features_epoch,
               -1);
        fields(field("finalizedFeatures").since(3).tagged(2).ignorable(), self.finalized_features);
        fields(field("zkMigrationReady").since(3).tagged(3).ignorable(), self.zk_migration_ready);
    }
};

// Decodes the answer to a request of `version`, also that of a broker which does not know the version: it
// answers UNSUPPORTED_VERSION in the shape of version 0, whatever was asked (VER-3, KIP-511). Errors as
// `decode`.
[[nodiscard]] error_code decode_answer(api_versions_response& value, std::int16_t version, reader& in);

}  // namespace sluice::wire
