#include "unit/testing/differential/witness.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

namespace sluice::testing {
namespace {

constexpr const char* kafka_tool = SLUICE_SOURCE_FOLDER "/tools/kafka";
constexpr int node_count = 3;
constexpr std::int16_t fetch_key = 1;
constexpr std::int16_t list_offsets_key = 2;
constexpr std::int16_t create_topics_key = 19;
constexpr std::int16_t delete_topics_key = 20;
constexpr std::int16_t delete_records_key = 21;
constexpr std::int32_t admin_timeout_ms = 20000;

using wire::encoding;

// A request that the client does not know, in a version that is not flexible.
template <class WriteBody>
std::vector<std::byte> plain_request(std::int16_t key, std::int16_t version, WriteBody write_body) {
    wire::writer out;
    const wire::open_frame frame =
        wire::begin_request(out, static_cast<wire::api_key>(key), version, false, 1, "tests");
    write_body(out);
    EXPECT_FALSE(wire::end_request(out, frame));
    return out.gathered();
}

std::vector<std::byte> create_topics_request(const std::string& name, const topic_config& config) {
    return plain_request(create_topics_key, 4, [&](wire::writer& out) {
        const auto plain = encoding::plain;
        out.write_length(1, plain);
        out.write_string(name, plain);
        out.write_int32(-1);
        out.write_int16(-1);
        out.write_length(static_cast<std::size_t>(config.partition_count), plain);
        const int replicas = config.replication_factor == 0 ? node_count : config.replication_factor;
        for (std::int32_t partition = 0; partition < config.partition_count; ++partition) {
            out.write_int32(partition);
            out.write_length(static_cast<std::size_t>(replicas), plain);
            for (int index = 0; index < replicas; ++index)
                out.write_int32((partition + index) % node_count + 1);
        }
        const bool is_stamped = config.message_timestamp_type == timestamp_type::log_append_time;
        const std::array<std::pair<const char*, std::string>, 4> settings{{
            {"max.message.bytes", std::to_string(config.max_message_bytes)},
            {"min.insync.replicas", std::to_string(config.min_insync_replicas)},
            {"message.timestamp.type", is_stamped ? "LogAppendTime" : "CreateTime"},
            {"cleanup.policy", config.is_compacted ? "compact" : "delete"},
        }};
        out.write_length(settings.size(), plain);
        for (const auto& [key, value] : settings) {
            out.write_string(key, plain);
            out.write_string(value, plain);
        }
        out.write_int32(admin_timeout_ms);
        out.write_bool(false);
    });
}

// Runs a command, returns what it prints.
std::optional<std::string> output_of(const std::string& command) {
    std::FILE* pipe = ::popen(command.c_str(), "r");
    if (pipe == nullptr) return std::nullopt;
    std::string text;
    std::array<char, 4096> piece;
    while (const std::size_t size = std::fread(piece.data(), 1, piece.size(), pipe))
        text.append(piece.data(), size);
    return ::pclose(pipe) == 0 ? std::optional(text) : std::nullopt;
}

std::string value_in(const std::string& text, const std::string& name) {
    const std::size_t begin = text.find(name + "=");
    if (begin == std::string::npos) return {};
    const std::size_t from = begin + name.size() + 1;
    return text.substr(from, text.find('\n', from) - from);
}

// A cluster of tools/kafka, which ends with the tests.
class started_kafka : public ::testing::Environment {
public:
    bool start() {
        const std::optional<std::string> text =
            output_of(std::string(kafka_tool) + " up --brokers 3 --port free --auto-create");
        if (!text) return false;
        bootstrap_ = value_in(*text, "KAFKA_BOOTSTRAP");
        port_ = value_in(*text, "KAFKA_PORT");
        return true;
    }
    const std::string& bootstrap() const { return bootstrap_; }
    void TearDown() override {
        if (!port_.empty()) output_of(fmt::format("{} down --port {}", kafka_tool, port_));
    }

private:
    std::string bootstrap_;
    std::string port_;
};

// Asks a leader for the end of its log: it says NOT_LEADER_OR_FOLLOWER until it knows that it leads.
std::int16_t error_of_leader(blocking_client& leader, const std::string& topic, std::int32_t partition) {
    const auto answer = leader.call(plain_request(list_offsets_key, 1, [&](wire::writer& out) {
        out.write_int32(-1);
        out.write_length(1, encoding::plain);
        out.write_string(topic, encoding::plain);
        out.write_length(1, encoding::plain);
        out.write_int32(partition);
        out.write_int64(-1);
    }));
    if (!answer) return -1;
    wire::reader in(*answer);
    in.read_int32();                          // correlation id
    in.read_array_count(encoding::plain, 1);  // topics
    in.read_string(encoding::plain);
    in.read_array_count(encoding::plain, 1);  // partitions
    in.read_int32();
    return in.read_int16();
}

bool has_program(const char* name) {
    return output_of(fmt::format("command -v {}", name)).has_value();
}

}  // namespace

bool is_kafka_3_9() {
    const char* wanted = std::getenv("KAFKA_VERSION");
    return wanted != nullptr && std::string_view(wanted).starts_with("3.9");
}

blocking_client& witness::connection(std::int32_t node) {
    const auto found = connections_.find(node);
    if (found != connections_.end()) return found->second;
    return connections_.emplace(node, blocking_client(addresses_.at(node))).first->second;
}

void witness::use(const std::string& bootstrap) {
    blocking_client any(bootstrap.substr(0, bootstrap.find(',')));
    wire::metadata_request request;
    request.topics.emplace();
    const auto payload = any.call(frame_of(request, 9));
    ASSERT_TRUE(payload);
    const auto answer = decode_answer_frame<wire::metadata_response>(*payload, 9);
    for (const auto& broker : answer.body.brokers) {
        addresses_[broker.node_id] = fmt::format("{}:{}", broker.host, broker.port);
    }
    ASSERT_EQ(addresses_.size(), std::size_t{node_count});
}

void witness::wait_for_topic(const std::string& name, std::size_t partition_count) {
    wire::metadata_request request;
    request.topics.emplace().push_back({.topic_id = {}, .name = name});
    request.allow_auto_topic_creation = false;
    const auto is_as_wanted = [&](const wire::metadata_response& answer) {
        const auto& topic = answer.topics.front();
        if (topic.partitions.size() != partition_count) return false;
        return std::ranges::all_of(topic.partitions, [](const auto& each) { return each.leader_id >= 0; });
    };
    for (std::int32_t node = 1; node <= node_count; ++node) {
        for (int attempt = 0; attempt < 500; ++attempt) {
            const auto answer = ask<wire::metadata_response>(node, request, 9);
            if (answer && is_as_wanted(answer->body)) break;
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
        }
    }
}

wire::uuid witness::id_of(const std::string& topic) {
    wire::metadata_request request;
    request.topics.emplace().push_back({.topic_id = {}, .name = topic});
    request.allow_auto_topic_creation = false;
    const auto answer = ask<wire::metadata_response>(1, request, 10);
    return answer ? answer->body.topics.front().topic_id : wire::uuid{};
}

fake_witness::fake_witness()
    : server_(
          {.cluster = {.broker_count = node_count,
                       .profile = is_kafka_3_9() ? broker_profile::kafka_3_9() : broker_profile::newest()}}) {
    use(server_.bootstrap());
}

void fake_witness::create_topic(const std::string& name, const topic_config& config) {
    server_.with_cluster([&](fake_cluster& cluster) { ASSERT_FALSE(cluster.create_topic(name, config)); });
}

void fake_witness::delete_records_before(const std::string& topic, std::int32_t partition,
                                         std::int64_t offset) {
    server_.with_cluster([&](fake_cluster& cluster) {
        ASSERT_FALSE(cluster.delete_records_before(topic, partition, offset));
    });
}

void fake_witness::delete_topic(const std::string& name) {
    server_.with_cluster([&](fake_cluster& cluster) { ASSERT_FALSE(cluster.delete_topic(name)); });
}

std::vector<std::byte> fake_witness::stored(const std::string& topic) {
    std::vector<std::byte> all;
    for (const auto& batch :
         server_.with_cluster([&](fake_cluster& cluster) { return cluster.batches(topic, 0); })) {
        all.insert(all.end(), batch.begin(), batch.end());
    }
    return all;
}

void fake_witness::kill(std::int32_t node) {
    drop_connection(node);
    server_.kill(node);
}

void fake_witness::start(std::int32_t node) {
    server_.start(node);
}

kafka_witness::kafka_witness(const std::string& bootstrap) {
    const std::size_t colon = bootstrap.find(':');
    port_base_ = bootstrap.substr(colon + 1, bootstrap.find(',') - colon - 1);
    use(bootstrap);
}

void kafka_witness::create_topic(const std::string& name, const topic_config& config) {
    const auto answer = connection(1).call(create_topics_request(name, config));
    ASSERT_TRUE(answer) << "CreateTopics";
    wait_for_topic(name, static_cast<std::size_t>(config.partition_count));
    for (std::int32_t partition = 0; partition < config.partition_count; ++partition) {
        for (int attempt = 0; attempt < 500; ++attempt) {
            if (error_of_leader(connection(partition % node_count + 1), name, partition) == 0) break;
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
        }
    }
}

void kafka_witness::delete_records_before(const std::string& topic, std::int32_t partition,
                                          std::int64_t offset) {
    const auto answer = connection(partition % node_count + 1)
                            .call(plain_request(delete_records_key, 1, [&](wire::writer& out) {
                                out.write_length(1, encoding::plain);
                                out.write_string(topic, encoding::plain);
                                out.write_length(1, encoding::plain);
                                out.write_int32(partition);
                                out.write_int64(offset);
                                out.write_int32(admin_timeout_ms);
                            }));
    ASSERT_TRUE(answer) << "DeleteRecords";
}

void kafka_witness::delete_topic(const std::string& name) {
    const auto answer = connection(1).call(plain_request(delete_topics_key, 3, [&](wire::writer& out) {
        out.write_length(1, encoding::plain);
        out.write_string(name, encoding::plain);
        out.write_int32(admin_timeout_ms);
    }));
    ASSERT_TRUE(answer) << "DeleteTopics";
    wait_for_topic(name, 0);
}

std::vector<std::byte> kafka_witness::stored(const std::string& topic) {
    const auto answer = connection(1).call(plain_request(fetch_key, 4, [&](wire::writer& out) {
        out.write_int32(-1);
        out.write_int32(1000);  // wait
        out.write_int32(1);
        out.write_int32(1 << 20);
        out.write_int8(0);
        out.write_length(1, encoding::plain);
        out.write_string(topic, encoding::plain);
        out.write_length(1, encoding::plain);
        out.write_int32(0);
        out.write_int64(0);
        out.write_int32(1 << 20);
    }));
    if (!answer) return {};
    wire::reader in(*answer);
    in.read_int32();                          // correlation id
    in.read_int32();                          // throttle time
    in.read_array_count(encoding::plain, 1);  // topics
    in.read_string(encoding::plain);
    in.read_array_count(encoding::plain, 1);  // partitions
    in.read_int32();
    in.read_int16();
    in.read_int64();                          // high watermark
    in.read_int64();                          // last stable offset
    in.read_array_count(encoding::plain, 1);  // aborted transactions: none
    const bytes records = in.read_nullable_bytes(encoding::plain).value_or(bytes());
    return {records.begin(), records.end()};
}

void kafka_witness::kill(std::int32_t node) {
    drop_connection(node);
    ASSERT_TRUE(output_of(fmt::format("{} node kill {} --port {}", kafka_tool, node, port_base_)));
    wait_for_replicas(node);
}

void kafka_witness::start(std::int32_t node) {
    ASSERT_TRUE(output_of(fmt::format("{} node start {} --port {}", kafka_tool, node, port_base_)));
    wait_for_replicas(0);
}

void kafka_witness::wait_for_replicas(std::int32_t dead) {
    wire::metadata_request all;
    const auto is_settled = [dead](const wire::metadata_response_partition& partition) {
        if (partition.replica_nodes.size() == 1)
            return (partition.leader_id == -1) == (partition.replica_nodes[0] == dead);
        const bool has_dead =
            std::ranges::find(partition.replica_nodes, dead) != partition.replica_nodes.end();
        return partition.leader_id >= 0 &&
               partition.isr_nodes.size() == partition.replica_nodes.size() - (has_dead ? 1 : 0);
    };
    for (const std::int32_t node : {1, 3}) {
        for (int attempt = 0; attempt < 500; ++attempt) {
            const auto answer = ask<wire::metadata_response>(node, all, 9);
            if (answer && std::ranges::all_of(answer->body.topics, [&](const auto& topic) {
                    return std::ranges::all_of(topic.partitions, is_settled);
                })) {
                break;
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(100));
        }
    }
}

witness* real_kafka(std::string& why_not) {
    static std::string reason;
    static const std::unique_ptr<witness> shared = []() -> std::unique_ptr<witness> {
        if (const char* given = std::getenv("SLUICE_DIFFERENTIAL_BOOTSTRAP")) {
            return std::make_unique<kafka_witness>(given);
        }
        if (!has_program("java")) {
            reason =
                "Java is not installed, so there is no real Kafka to compare with (tools/install-packages "
                "kafka)";
            return nullptr;
        }
        auto* started = new started_kafka;
        ::testing::AddGlobalTestEnvironment(started);  // which owns it
        if (!started->start()) {
            ADD_FAILURE() << "tools/kafka up failed";
            reason = "tools/kafka up failed";
            return nullptr;
        }
        return std::make_unique<kafka_witness>(started->bootstrap());
    }();
    why_not = reason;
    return shared.get();
}

}  // namespace sluice::testing
