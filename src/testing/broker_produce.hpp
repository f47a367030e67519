// Produce, as the leader of a partition handles it.
//
//   the whole request   a first batch that cannot be made out: CORRUPT_MESSAGE for all partitions; a
//                       transactional one without a transactional id: TRANSACTIONAL_ID_AUTHORIZATION_FAILED
//   each partition      allowed? known? one batch of format 2? acks -1, 0 or 1? led by this broker? enough in
//                       sync? a good batch (record_set)? a duplicate? the next sequence? then it is appended
//
// Source: KafkaApis.handleProduceRequest, ReplicaManager.appendRecords, Partition.appendRecordsToLeader,
// UnifiedLog.append.
#pragma once

#include <deque>
#include <string>

#include "testing/broker_reaction.hpp"
#include "wire/api/produce.hpp"

namespace sluice::testing {

// Keeps its memory from one request to the next. Owner: one connection.
class broker_produce {
public:
    // Answers, or with acks = 0 says nothing, or ends the connection where such a request failed.
    reaction handle(const broker_request& request, const wire::produce_request& body, wire::writer& out);

private:
    struct part {
        const wire::produce_request& body;
        const fake_topic* topic;  // nullptr: not known
        std::string_view topic_name;
        const wire::partition_produce_data& data;
    };

    void answer_partition(const broker_request& request, const part& asked,
                          wire::partition_produce_response& answer);
    void append(const broker_request& request, const part& asked, wire::partition_produce_response& answer);
    void hint_at_leader(const broker_request& request, const part& asked,
                        wire::partition_produce_response& answer);
    std::string_view keep(std::string text) { return texts_.emplace_back(std::move(text)); }

    wire::produce_response response_;
    std::deque<std::string> texts_;  // what the response refers to
    bool has_error_ = false;
};

}  // namespace sluice::testing
