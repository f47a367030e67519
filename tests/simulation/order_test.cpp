// Who comes first where callers on the loop, callers called back elsewhere, and other threads wait at the same shard.
// Each is a schedule that random ones do not reach.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <numeric>
#include <optional>

#include "producer/create.hpp"
#include "sluice/producer.hpp"
#include "testing/sim_cluster.hpp"
#include "testing/sim_loop.hpp"
#include "testing/sim_network.hpp"
#include "testing/sim_resolver.hpp"
#include "testing/sim_world.hpp"

namespace sluice::simulation {
namespace {

using namespace std::chrono_literals;

class OrderAtAShard : public ::testing::Test {
protected:
    OrderAtAShard() {
        static_cast<void>(brokers_.cluster().create_topic("orders", {.replication_factor = 1}));
    }
    ~OrderAtAShard() override {
        sends_.clear();
        producer_.reset();
        world_.run_until([] { return false; }, 1s);
        loop_.reset();
    }

    void create(producer_config config) {
        config.bootstrap_servers = brokers_.bootstrap();
        config.log = nullptr;
        config.seed = 1;
        auto creating =
            create_with({&loop_->events()}, config, [this](event_loop&) -> std::unique_ptr<resolver> {
                return std::make_unique<testing::sim_resolver>(*loop_, network_);
            });
        finish(creating);
        producer_.emplace(creating.value());
    }

    struct flag : completion {
        flag() noexcept : completion([](task& self, fate) { static_cast<flag&>(self).is_set = true; }) {}
        bool is_set = false;
    };
    template <class Operation>
    void finish(Operation& operation) {
        flag done;
        if (operation.poll()) return;
        operation.start(done);
        ASSERT_TRUE(world_.run_until([&] { return done.is_set; }, 5min));
        ASSERT_TRUE(operation.poll());
    }

    struct sent {
        explicit sent(send_operation operation_)
            : operation(std::move(operation_)), is_accepted(operation.poll()) {
            if (!is_accepted) operation.start(done);
        }
        bool is_over() const { return is_accepted || done.is_set; }
        flag done;
        send_operation operation;
        bool is_accepted;
    };
    // Pushed to the shard, as from a thread that is on no loop. True: accepted at once.
    bool send_from_elsewhere(std::string topic, std::size_t size) {
        topics_.push_back(std::move(topic));
        values_.push_back(fmt::format("{:<{}}", values_.size(), size));
        sends_.push_back(std::make_unique<sent>(producer_->send(record(topics_.back(), values_.back()))));
        return sends_.back()->is_accepted;
    }
    // As a coroutine of the loop does.
    bool send_on_loop(std::string topic, std::size_t size) {
        const loop::scope here(loop_->facade());
        return send_from_elsewhere(std::move(topic), size);
    }
    void run_until_accepted() {
        ASSERT_TRUE(world_.run_until(
            [this] { return std::ranges::all_of(sends_, [](const auto& each) { return each->is_over(); }); },
            5min));
        for (const auto& each : sends_) {
            ASSERT_TRUE(each->operation.poll());
            ASSERT_FALSE(each->operation.error()) << each->operation.message();
        }
    }

    // The numbers of the records in the log; they are counted in the order of the calls.
    std::vector<int> stored(const std::string& topic) {
        auto flushing = producer_->flush();
        finish(flushing);
        std::vector<int> made;
        for (const testing::log_record& each : brokers_.cluster().records(topic, 0))
            made.push_back(std::stoi(*each.value));
        return made;
    }

    testing::sim_world world_{1, testing::fault_plan::calm()};
    testing::sim_network network_{world_};
    testing::sim_cluster brokers_{network_, {.broker_count = 2, .auto_create_topics_enable = false}};
    std::unique_ptr<testing::sim_loop> loop_ = std::make_unique<testing::sim_loop>(network_, "loop");
    std::optional<producer> producer_;
    std::deque<std::string> values_;
    std::deque<std::string> topics_;
    std::vector<std::unique_ptr<sent>> sends_;
};

TEST_F(OrderAtAShard, WhoYieldedToTheIngressIsNotOvertakenAndNotForgotten) {
    producer_config config;
    config.buffer_memory = 64 << 20;
    create(std::move(config));
    // The topic is known, and each that comes without credit has more of it lent.
    for (const std::size_t size : {100u, 300'000u, 600'000u, 900'000u}) {
        send_from_elsewhere("orders", size);
        run_until_accepted();
    }
    const time_point start = world_.now();

    // More than callers take in, in one turn, and then more than a turn takes.
    for (int i = 0; i < 50; ++i) ASSERT_TRUE(send_from_elsewhere("orders", 20'000));
    EXPECT_FALSE(send_on_loop("orders", 100));
    loop_->run_turn();
    EXPECT_FALSE(send_on_loop("orders", 100));
    run_until_accepted();

    EXPECT_LT(world_.now() - start, 1s);  // nobody slept on it
    std::vector<int> all(56);
    std::iota(all.begin(), all.end(), 0);
    EXPECT_EQ(stored("orders"), all);
}

TEST_F(OrderAtAShard, WhoWaitedForATopicAndThenForMemoryIsNotOvertakenByLaterOnes) {
    producer_config config;
    config.buffer_memory = 4 * 16384;
    config.batch_size = 16384;
    create(std::move(config));
    send_on_loop("orders", 10);
    run_until_accepted();
    ASSERT_EQ(stored("orders"), std::vector<int>{0});
    brokers_.cluster().on_request([](const testing::request_info& request) {
        const bool is_produce = request.api_key == 0;
        return is_produce ? testing::fate::delay(5s) : testing::fate::answer();
    });

    while (send_on_loop("orders", 15'000)) world_.run_until([] { return false; }, 10ms);
    const int first = static_cast<int>(values_.size());
    EXPECT_FALSE(send_from_elsewhere("late", 10));        // waits for its topic
    EXPECT_FALSE(send_from_elsewhere("orders", 15'000));  // waits for memory, and keeps the next one waiting
    EXPECT_FALSE(send_from_elsewhere("late", 10));
    world_.run_until([] { return false; }, 10ms);
    EXPECT_FALSE(send_on_loop("orders", 15'000));
    static_cast<void>(brokers_.cluster().create_topic("late", {.replication_factor = 1}));
    run_until_accepted();

    EXPECT_EQ(stored("late"), (std::vector<int>{first, first + 2}));
}

}  // namespace
}  // namespace sluice::simulation
