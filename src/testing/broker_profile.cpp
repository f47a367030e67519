#include "sluice/testing/broker_profile.hpp"

#include <algorithm>

namespace sluice::testing {
namespace {

constexpr auto unlimited = std::chrono::milliseconds::max();

}  // namespace

broker_profile broker_profile::newest() {
    broker_profile made;
    made.name = "Apache Kafka 4.3";
    made.apis = {{0, 0, 13}, {1, 4, 18}, {3, 0, 13}, {18, 0, 4}, {22, 0, 5}};
    made.features = {{"group.version", 0, 1, 1},
                     {"kraft.version", 0, 1, 0},
                     {"metadata.version", 7, 30, 30},
                     {"share.version", 0, 1, 1},
                     {"streams.version", 0, 1, 1},
                     {"transaction.version", 0, 2, 2},
                     {"eligible.leader.replicas.version", 0, 1, 1}};
    made.features_epoch = 100;
    return made;
}

broker_profile broker_profile::kafka_3_9() {
    broker_profile made;
    made.name = "Apache Kafka 3.9";
    made.apis = {{0, 0, 11}, {1, 0, 17}, {3, 0, 12}, {18, 0, 4}, {22, 0, 5}};
    made.features = {{"kraft.version", 0, 1, 0}, {"metadata.version", 1, 21, 21}};
    made.features_epoch = 100;
    made.timestamp_after_max = unlimited;
    return made;
}

broker_profile broker_profile::kafka_2_1() {
    broker_profile made;
    made.name = "Apache Kafka 2.1";
    made.apis = {{0, 0, 7}, {1, 0, 10}, {3, 0, 7}, {18, 0, 2}, {22, 0, 1}};
    made.names_its_versions = false;
    made.not_ready = broker_errc::leader_not_available;
    made.knows_invalid_record = false;
    made.accepts_unknown_producers = false;
    made.timestamp_after_max = unlimited;
    return made;
}

broker_profile& broker_profile::offer(std::int16_t key, std::int16_t min_version, std::int16_t max_version) {
    withdraw(key);
    apis.push_back({key, min_version, max_version});
    std::ranges::sort(apis, {}, &offered_api::key);
    return *this;
}

broker_profile& broker_profile::withdraw(std::int16_t key) {
    std::erase_if(apis, [key](const offered_api& each) { return each.key == key; });
    return *this;
}

}  // namespace sluice::testing
