// Produce: record batches on their way to the leaders of their partitions, and what became of them.
#pragma once

#include "wire/message.hpp"
#include "wire/records.hpp"

namespace sluice::wire {

struct partition_produce_data {
    std::int32_t index = 0;
    wire::records records;  // one batch

    template <class Self, class Fields>
    static void describe(Self& self, Fields& fields) {
        fields(field("index"), self.index);
        fields(field("records"), self.records);
    }
};

// By name up to version 12, by id from 13 on. Both may be set: the version chooses.
struct topic_produce_data {
    std::string_view name;
    uuid topic_id;
    std::vector<partition_produce_data> partition_data;

    template <class Self, class Fields>
    static void describe(Self& self, Fields& fields) {
        fields(field("name").until(12).ignorable(), self.name);
        fields(field("topicId").since(13).ignorable(), self.topic_id);
        fields(field("partitionData"), self.partition_data);
    }
};

// Version 12 begins transactions V2 (KIP-890): with V1 the cap is 11 (VER-7). With acks = 0 no answer comes.
struct produce_request {
    static constexpr api_key key = api_key::produce;
    static constexpr std::string_view name = "ProduceRequest";
    static constexpr version_range versions{3, 13};
    static constexpr std::int16_t flexible_from = 9;

    std::optional<std::string_view> transactional_id;
    std::int16_t acks = 0;
    std::int32_t timeout_ms = 0;
    std::vector<topic_produce_data> topic_data;
    wire::unknown_tags unknown_tags;

    template <class Self, class Fields>
    static void describe(Self& self, Fields& fields) {
        fields(field("transactionalId"), self.transactional_id);
        fields(field("acks"), self.acks);
        fields(field("timeoutMs"), self.timeout_ms);
        fields(field("topicData"), self.topic_data);
    }
};

struct batch_index_and_error_message {
    std::int32_t batch_index = 0;
    std::optional<std::string_view> batch_index_error_message;

    template <class Self, class Fields>
    static void describe(Self& self, Fields& fields) {
        fields(field("batchIndex"), self.batch_index);
        fields(field("batchIndexErrorMessage"), self.batch_index_error_message);
    }
};

// A leader hint (KIP-951): -1 = unknown.
struct leader_id_and_epoch {
    std::int32_t leader_id = -1;
    std::int32_t leader_epoch = -1;

    template <class Self, class Fields>
    static void describe(Self& self, Fields& fields) {
        fields(field("leaderId").since(10), self.leader_id, -1);
        fields(field("leaderEpoch").since(10), self.leader_epoch, -1);
    }
};

struct partition_produce_response {
    std::int32_t index = 0;
    std::int16_t error_code = 0;
    std::int64_t base_offset = 0;
    std::int64_t log_append_time_ms = -1;
    std::int64_t log_start_offset = -1;
    std::vector<batch_index_and_error_message> record_errors;
    std::optional<std::string_view> error_message;
    leader_id_and_epoch current_leader;

    template <class Self, class Fields>
    static void describe(Self& self, Fields& fields) {
        fields(field("index"), self.index);
        fields(field("errorCode"), self.error_code);
        fields(field("baseOffset"), self.base_offset);
        fields(field("logAppendTimeMs").ignorable(), self.log_append_time_ms, -1);
        fields(field("logStartOffset").since(5).ignorable(), self.log_start_offset, -1);
        fields(field("recordErrors").since(8).ignorable(), self.record_errors);
        fields(field("errorMessage").since(8).ignorable(), self.error_message);
        fields(field("currentLeader").since(10).tagged(0), self.current_leader);
    }
};

struct topic_produce_response {
    std::string_view name;
    uuid topic_id;
    std::vector<partition_produce_response> partition_responses;

    template <class Self, class Fields>
    static void describe(Self& self, Fields& fields) {
        fields(field("name").until(12).ignorable(), self.name);
        fields(field("topicId").since(13).ignorable(), self.topic_id);
        fields(field("partitionResponses"), self.partition_responses);
    }
};

struct node_endpoint {
    std::int32_t node_id = 0;
    std::string_view host;
    std::int32_t port = 0;
    std::optional<std::string_view> rack;

    template <class Self, class Fields>
    static void describe(Self& self, Fields& fields) {
        fields(field("nodeId").since(10), self.node_id);
        fields(field("host").since(10), self.host);
        fields(field("port").since(10), self.port);
        fields(field("rack").since(10), self.rack);
    }
};

struct produce_response {
    static constexpr api_key key = api_key::produce;
    static constexpr std::string_view name = "ProduceResponse";
    static constexpr version_range versions{3, 13};
    static constexpr std::int16_t flexible_from = 9;

    std::vector<topic_produce_response> responses;
    std::int32_t throttle_time_ms = 0;
    std::vector<node_endpoint> node_endpoints;  // of the leaders that are hinted at
    wire::unknown_tags unknown_tags;

    template <class Self, class Fields>
    static void describe(Self& self, Fields& fields) {
        fields(field("responses"), self.responses);
        fields(field("throttleTimeMs").ignorable(), self.throttle_time_ms);
        fields(field("nodeEndpoints").since(10).tagged(0), self.node_endpoints);
    }
};

}  // namespace sluice::wire
