// Which broker a fake one takes after: the versions it offers, and the rules that changed between releases.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "sluice/error.hpp"

namespace sluice::testing {

// An API that brokers offer, by Kafka's number, in versions `min_version` to `max_version`.
struct offered_api {
    std::int16_t key = 0;
    std::int16_t min_version = 0;
    std::int16_t max_version = 0;
};

// A feature of a cluster (KIP-584), such as "transaction.version".
struct cluster_feature {
    std::string name;
    std::int16_t supported_min = 0;
    std::int16_t supported_max = 0;
    std::int16_t finalized_level = 0;  // 0: not finalized
};

// What a broker offers is what it lists in ApiVersions. A request in a version outside of it ends the
// connection, as with Kafka, unless it is ApiVersions itself, which is answered with UNSUPPORTED_VERSION
// (KIP-511). Whatever a profile lists, fake brokers answer Produce 3 to 13, Metadata 0 to 13, InitProducerId
// 0 to 5 and ApiVersions 0 to 5; the rest (Fetch, to be taken for a modern broker) is listed, and ends the
// connection when asked for.
struct broker_profile {
    std::string name;
    std::vector<offered_api> apis;
    std::vector<cluster_feature> features;
    std::int64_t features_epoch = -1;  // -1: brokers of this age know no features

    // The answer to an ApiVersions version that the broker does not have names those it has (KIP-511, from
    // 2.4).
    bool names_its_versions = true;
    // What Metadata says of a topic that it has just created: LEADER_NOT_AVAILABLE under ZooKeeper,
    // UNKNOWN_TOPIC_OR_PARTITION since.
    broker_errc not_ready = broker_errc::unknown_topic_or_partition;
    // INVALID_RECORD exists (from 2.4); before it was CORRUPT_MESSAGE.
    bool knows_invalid_record = true;
    // A producer id of which the log has no record may begin with any sequence number (KIP-360, from 2.5).
    // Before, it had to begin with 0, or was answered UNKNOWN_PRODUCER_ID; and deleting records made brokers
    // forget who wrote them.
    bool accepts_unknown_producers = true;

    // message.timestamp.after.max.ms of topics that do not say: an hour from 4.0 on (KIP-937).
    std::chrono::milliseconds timestamp_after_max = std::chrono::hours(1);

    static broker_profile newest();     // as Apache Kafka 4.3
    static broker_profile kafka_3_9();  // as Apache Kafka 3.9 in KRaft mode
    static broker_profile kafka_2_1();  // as Apache Kafka 2.1: no flexible versions, no topic ids

    // For one's own: offers `key` in these versions, instead of what was offered before.
    broker_profile& offer(std::int16_t key, std::int16_t min_version, std::int16_t max_version);
    broker_profile& withdraw(std::int16_t key);
};

}  // namespace sluice::testing
