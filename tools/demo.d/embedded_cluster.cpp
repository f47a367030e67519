#include <fmt/format.h>

#include "cluster.hpp"
#include "sluice/testing/fake_cluster_server.hpp"

namespace sluice::demo {
namespace {

constexpr const char* topic_name = "packages";

class embedded_cluster final : public cluster {
public:
    embedded_cluster() {
        server_.with_cluster([](testing::fake_cluster& brokers) {
            if (const error_code failed =
                    brokers.create_topic(topic_name, {.partition_count = partition_count})) {
                throw error(failed, fmt::format("topic {}", topic_name));
            }
        });
    }

    std::string describe() const override { return fmt::format("3 embedded brokers at {}", bootstrap()); }
    std::string bootstrap() const override { return server_.bootstrap(); }
    std::string topic() const override { return topic_name; }

    void read_back(proof& judge) override {
        for (std::int32_t partition = 0; partition < partition_count; ++partition) {
            const auto records = server_.with_cluster([partition](testing::fake_cluster& brokers) {
                return brokers.records(topic_name, partition);
            });
            for (const testing::log_record& each : records)
                judge.stored(partition, each.offset, each.key, each.value);
        }
    }

private:
    testing::fake_cluster_server server_{{.cluster = {.broker_count = 3}}};
};

}  // namespace

std::unique_ptr<cluster> make_embedded_cluster() {
    return std::make_unique<embedded_cluster>();
}

}  // namespace sluice::demo
