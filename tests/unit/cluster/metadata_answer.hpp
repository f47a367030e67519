// Builds Metadata responses in a few words: for the tests of merging and of the keeper.
#pragma once

#include <string_view>
#include <vector>

#include "wire/api/metadata.hpp"

namespace sluice {

inline wire::uuid id_of(int number) {
    wire::uuid id;
    id.octets[15] = static_cast<std::byte>(number);
    return id;
}

// A response with brokers b1:9001 to b3:9003. Names are views: use literals.
class metadata_answer {
public:
    explicit metadata_answer(std::vector<std::int32_t> brokers = {1, 2, 3}) {
        static constexpr std::string_view hosts[] = {"b0", "b1", "b2", "b3", "b4"};
        for (const std::int32_t id : brokers) {
            auto& added = response.brokers.emplace_back();
            added.node_id = id;
            added.host = hosts[id];
            added.port = 9000 + id;
        }
        response.controller_id = 1;
    }

    metadata_answer& topic(std::string_view name, int id = 0) {
        auto& added = response.topics.emplace_back();
        added.name = name;
        added.topic_id = id_of(id);
        return *this;
    }
    metadata_answer& failed_topic(std::string_view name, std::int16_t error_code) {
        topic(name);
        response.topics.back().error_code = error_code;
        return *this;
    }
    // Of the last topic; partitions are numbered as they are added.
    metadata_answer& partition(std::int32_t leader, std::int32_t epoch, std::int16_t error_code = 0) {
        auto& partitions = response.topics.back().partitions;
        auto& added = partitions.emplace_back();
        added.partition_index = static_cast<std::int32_t>(partitions.size()) - 1;
        added.leader_id = leader;
        added.leader_epoch = epoch;
        added.error_code = error_code;
        return *this;
    }

    wire::metadata_response response;
};

}  // namespace sluice
