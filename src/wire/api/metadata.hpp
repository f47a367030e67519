// Metadata: which brokers there are, and which of them leads which partition.
#pragma once

#include <limits>

#include "wire/message.hpp"

namespace sluice::wire {

inline constexpr std::int32_t authorized_operations_unknown = std::numeric_limits<std::int32_t>::min();

// From version 12 on a topic may be asked for by its id, with a null name.
struct metadata_request_topic {
    uuid topic_id;
    std::optional<std::string_view> name;

    template <class Self, class Fields>
    static void describe(Self& self, Fields& fields) {
        fields(field("topicId").since(10).ignorable(), self.topic_id);
        fields(field("name").nullable_since(10), self.name);
    }
};

struct metadata_request {
    static constexpr api_key key = api_key::metadata;
    static constexpr std::string_view name = "MetadataRequest";
    static constexpr version_range versions{0, 13};
    static constexpr std::int16_t flexible_from = 9;

    std::optional<std::vector<metadata_request_topic>> topics;  // null: all; empty: none (in version 0: all)
    bool allow_auto_topic_creation = true;
    bool include_cluster_authorized_operations = false;
    bool include_topic_authorized_operations = false;
    wire::unknown_tags unknown_tags;

    template <class Self, class Fields>
    static void describe(Self& self, Fields& fields) {
        fields(field("topics").nullable_since(1), self.topics);
        fields(field("allowAutoTopicCreation").since(4), self.allow_auto_topic_creation, true);
        fields(field("includeClusterAuthorizedOperations").between(8, 10),
               self.include_cluster_authorized_operations);
        fields(field("includeTopicAuthorizedOperations").since(8), self.include_topic_authorized_operations);
    }
};

struct metadata_response_broker {
    std::int32_t node_id = 0;
    std::string_view host;
    std::int32_t port = 0;
    std::optional<std::string_view> rack;

    template <class Self, class Fields>
    static void describe(Self& self, Fields& fields) {
        fields(field("nodeId"), self.node_id);
        fields(field("host"), self.host);
        fields(field("port"), self.port);
        fields(field("rack").since(1).ignorable(), self.rack);
    }
};

struct metadata_response_partition {
    std::int16_t error_code = 0;
    std::int32_t partition_index = 0;
    std::int32_t leader_id = 0;
    std::int32_t leader_epoch = -1;  // to be relied upon from version 9 on
    std::vector<std::int32_t> replica_nodes;
    std::vector<std::int32_t> isr_nodes;
    std::vector<std::int32_t> offline_replicas;

    template <class Self, class Fields>
    static void describe(Self& self, Fields& fields) {
        fields(field("errorCode"), self.error_code);
        fields(field("partitionIndex"), self.partition_index);
        fields(field("leaderId"), self.leader_id);
        fields(field("leaderEpoch").since(7).ignorable(), self.leader_epoch, -1);
        fields(field("replicaNodes"), self.replica_nodes);
        fields(field("isrNodes"), self.isr_nodes);
        fields(field("offlineReplicas").since(5).ignorable(), self.offline_replicas);
    }
};

struct metadata_response_topic {
    std::int16_t error_code = 0;
    std::optional<std::string_view> name;
    uuid topic_id;
    bool is_internal = false;
    std::vector<metadata_response_partition> partitions;
    std::int32_t topic_authorized_operations = authorized_operations_unknown;

    template <class Self, class Fields>
    static void describe(Self& self, Fields& fields) {
        fields(field("errorCode"), self.error_code);
        fields(field("name").nullable_since(12), self.name);
        fields(field("topicId").since(10).ignorable(), self.topic_id);
        fields(field("isInternal").since(1).ignorable(), self.is_internal);
        fields(field("partitions"), self.partitions);
        fields(field("topicAuthorizedOperations").since(8).ignorable(), self.topic_authorized_operations,
               authorized_operations_unknown);
    }
};

struct metadata_response {
    static constexpr api_key key = api_key::metadata;
    static constexpr std::string_view name = "MetadataResponse";
    static constexpr version_range versions{0, 13};
    static constexpr std::int16_t flexible_from = 9;

    std::int32_t throttle_time_ms = 0;
    std::vector<metadata_response_broker> brokers;
    std::optional<std::string_view> cluster_id;
    std::int32_t controller_id = -1;
    std::vector<metadata_response_topic> topics;
    std::int32_t cluster_authorized_operations = authorized_operations_unknown;
    std::int16_t error_code = 0;
    wire::unknown_tags unknown_tags;

    template <class Self, class Fields>
    static void describe(Self& self, Fields& fields) {
        fields(field("throttleTimeMs").since(3).ignorable(), self.throttle_time_ms);
        fields(field("brokers"), self.brokers);
        fields(field("clusterId").since(2).ignorable(), self.cluster_id);
        fields(field("controllerId").since(1).ignorable(), self.controller_id, -1);
        fields(field("topics"), self.topics);
        fields(field("clusterAuthorizedOperations").between(8, 10).ignorable(),
               self.cluster_authorized_operations, authorized_operations_unknown);
        fields(field("errorCode").since(13).ignorable(), self.error_code);
    }
};

}  // namespace sluice::wire
