// What is said to a cluster, and a line of text for each thing that it answers.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "unit/testing/differential/witness.hpp"
#include "unit/testing/made_batch.hpp"

namespace sluice::testing {

// Names of topics are made unique by a prefix, which lines do not show; producer ids and times are shown as
// what they stand for.
class script {
public:
    script(witness& asked, std::string prefix, std::int16_t version)
        : asked_(asked), prefix_(std::move(prefix)), version_(version) {}

    std::int16_t version() const { return version_; }  // of Produce
    witness& cluster() { return asked_; }
    std::string full_name(const std::string& topic) const { return prefix_ + topic; }

    void topic(const std::string& name, topic_config config = {}) {
        asked_.create_topic(full_name(name), config);
    }
    void delete_records_before(const std::string& topic, std::int64_t offset) {
        asked_.delete_records_before(full_name(topic), 0, offset);
    }
    void delete_topic(const std::string& name) { asked_.delete_topic(full_name(name)); }

    // An id from InitProducerId.
    std::int64_t producer();

    // Produces, and writes down what came of it. To partition 0 of "t" unless it says otherwise.
    void produce(const std::string& what, std::vector<std::byte> records);
    void produce(const std::string& what, made_produce request, std::int32_t node = 1);
    void produce(const std::string& what, const made_batch& batch) { produce(what, batch.bytes()); }

    void write(std::string line) { lines_.push_back(std::move(line)); }
    const std::vector<std::string>& lines() const { return lines_; }

    std::string describe(const wire::metadata_response& answer, std::int16_t version) const;

private:
    std::string describe(const wire::produce_response& answer, bool shows_endpoints) const;
    std::string short_name(std::string_view topic) const;
    std::string describe_time(std::int64_t time) const;

    witness& asked_;
    std::string prefix_;
    std::int16_t version_;
    std::vector<std::string> lines_;
    std::map<std::string, wire::uuid> ids_;
};

// Runs a script on real Kafka and on ours, for each version of Produce given, and expects the same lines.
void compare(const std::function<void(script&)>& run, std::vector<std::int16_t> versions = {3, 8, 10, 13});

}  // namespace sluice::testing
