// Two clusters that are asked the same: real Kafka, and ours.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sluice/testing/fake_cluster_server.hpp"
#include "unit/testing/differential/blocking_client.hpp"
#include "unit/testing/made_request.hpp"

namespace sluice::testing {

// With KAFKA_VERSION=3.9.2 both are as Kafka 3.9, else as Kafka 4.3.
bool is_kafka_3_9();

// A cluster of three brokers. Partition p of a topic has its replicas on nodes p+1, p+2, ... (modulo 3), and
// is led by the first of them.
class witness {
public:
    virtual ~witness() = default;

    virtual void create_topic(const std::string& name, const topic_config& config) = 0;
    virtual void delete_records_before(const std::string& topic, std::int32_t partition,
                                       std::int64_t offset) = 0;
    virtual void delete_topic(const std::string& name) = 0;
    // The bytes of a log, as a consumer gets them.
    virtual std::vector<std::byte> stored(const std::string& topic) = 0;
    // Both return when the other brokers know.
    virtual void kill(std::int32_t node) = 0;
    virtual void start(std::int32_t node) = 0;

    // The connection to a node, made anew if the one before has ended.
    blocking_client& connection(std::int32_t node);
    void drop_connection(std::int32_t node) { connections_.erase(node); }

    // Asks a node. Nothing: the connection ended instead.
    template <class Response, class Request>
    std::optional<answer_of<Response>> ask(std::int32_t node, const Request& request, std::int16_t version) {
        return read_answer<Response>(node, frame_of(request, version), version);
    }
    template <class Response>
    std::optional<answer_of<Response>> read_answer(std::int32_t node, const std::vector<std::byte>& request,
                                                   std::int16_t version) {
        std::optional<std::vector<std::byte>> payload = connection(node).call(request);
        if (!payload) {
            drop_connection(node);
            return std::nullopt;
        }
        return decode_answer_frame<Response>(std::move(*payload), version);
    }

    wire::uuid id_of(const std::string& topic);

protected:
    void use(const std::string& bootstrap);
    // Until every broker knows that topic with a leader for each partition, or (0) does not know it.
    void wait_for_topic(const std::string& name, std::size_t partition_count);

private:
    std::map<std::int32_t, std::string> addresses_;
    std::map<std::int32_t, blocking_client> connections_;
};

class fake_witness : public witness {
public:
    fake_witness();
    std::int16_t produce_version_max() const { return is_kafka_3_9() ? 11 : 13; }
    void create_topic(const std::string& name, const topic_config& config) override;
    void delete_records_before(const std::string& topic, std::int32_t partition,
                               std::int64_t offset) override;
    void delete_topic(const std::string& name) override;
    std::vector<std::byte> stored(const std::string& topic) override;
    void kill(std::int32_t node) override;
    void start(std::int32_t node) override;

private:
    fake_cluster_server server_;
};

class kafka_witness : public witness {
public:
    explicit kafka_witness(const std::string& bootstrap);
    void create_topic(const std::string& name, const topic_config& config) override;
    void delete_records_before(const std::string& topic, std::int32_t partition,
                               std::int64_t offset) override;
    void delete_topic(const std::string& name) override;
    std::vector<std::byte> stored(const std::string& topic) override;
    // Needs a cluster of tools/kafka.
    void kill(std::int32_t node) override;
    void start(std::int32_t node) override;

private:
    // Until nodes 1 and 3 see that all replicas are in sync, or that those of `dead` are not.
    void wait_for_replicas(std::int32_t dead);

    std::string port_base_;
};

// The real cluster: three brokers that SLUICE_DIFFERENTIAL_BOOTSTRAP names, or that `tools/kafka` starts,
// once for all tests. nullptr, and the reason, where there is none.
witness* real_kafka(std::string& why_not);

}  // namespace sluice::testing
