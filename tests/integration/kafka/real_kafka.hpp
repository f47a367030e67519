// A real Kafka cluster for the tests of this program: started with tools/kafka, ended with its owner.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace sluice::testing {

// A record as Kafka's own consumer read it. `key` is valid during the call only; "null" for none.
struct stored_record {
    std::int32_t partition = -1;
    std::int64_t offset = -1;
    std::int64_t value_size = -1;
    std::uint32_t value_checksum = 0;  // CRC-32C
    std::string_view key;
};

// Owner: caller. What cannot be done fails the test that asks for it, with the command.
class real_kafka {
public:
    // nullptr where it cannot be had: then the test has failed.
    static std::unique_ptr<real_kafka> start_cluster(int broker_count);
    ~real_kafka();
    real_kafka(const real_kafka&) = delete;
    real_kafka& operator=(const real_kafka&) = delete;

    const std::string& bootstrap() const noexcept { return bootstrap_; }

    // `settings`: "min.insync.replicas=2 max.message.bytes=1000".
    void create_topic(const std::string& name, int partition_count, int replica_count,
                      const std::string& settings = {});
    void delete_topic(const std::string& name);
    // SIGKILL.
    void kill(int node);
    // Again, on its own data; serves clients when this returns.
    void start(int node);

    // Calls `visit` for every record of the topic, partition by partition, by offset.
    void read_back(const std::string& topic, const std::function<void(const stored_record&)>& visit);

    // Calls `visit` for every record of the topic that kcat reads, which is librdkafka's consumer: without a key or a checksum.
    void read_back_with_kcat(const std::string& topic,
                             const std::function<void(const stored_record&)>& visit);

    // The batches of a topic as they stand in the log of its only broker.
    struct stored_batches {
        std::map<std::string, int> count_by_codec;  // by Kafka's name of it: "LZ4"
        std::size_t size_max = 0;
    };
    stored_batches batches(const std::string& topic);

private:
    real_kafka(std::string bootstrap, std::string port);
    void run(const std::string& arguments);

    std::string bootstrap_;
    std::string port_;
};

}  // namespace sluice::testing
