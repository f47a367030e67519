// Who comes first where callers on the loop, callers called back elsewhere, and other threads wait at the same shard, or
// may go to another. Each is a schedule that random ones do not reach, or seldom.
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
        loops_.clear();
    }

    void create(producer_config config, std::size_t loop_count = 1) {
        config.bootstrap_servers = brokers_.bootstrap();
        config.log = nullptr;
        config.seed = 1;
        std::vector<event_loop*> on;
        for (std::size_t i = 0; i < loop_count; ++i) {
            loops_.push_back(std::make_unique<testing::sim_loop>(network_, fmt::format("loop-{}", i)));
            on.push_back(&loops_.back()->events());
        }
        auto creating = create_with(on, config, [this](event_loop& of) -> std::unique_ptr<resolver> {
            const auto found =
                std::ranges::find_if(loops_, [&of](const auto& each) { return &each->events() == &of; });
            return std::make_unique<testing::sim_resolver>(**found, network_);
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
    bool send_on_loop(std::string topic, std::size_t size, std::size_t loop_index = 0) {
        const loop::scope here(loops_[loop_index]->facade());
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
        flush();
        return in_log(topic, 0);
    }
    void flush() {
        auto flushing = producer_->flush();
        finish(flushing);
    }
    std::vector<int> in_log(const std::string& topic, std::int32_t partition) {
        std::vector<int> made;
        for (const testing::log_record& each : brokers_.cluster().records(topic, partition))
            made.push_back(std::stoi(*each.value));
        return made;
    }

    testing::sim_world world_{1, testing::fault_plan::calm()};
    testing::sim_network network_{world_};
    testing::sim_cluster brokers_{network_, {.broker_count = 2, .auto_create_topics_enable = false}};
    std::vector<std::unique_ptr<testing::sim_loop>> loops_;
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
    loops_[0]->run_turn();
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

// Callers of one loop that wait for memory, and a topic that is forgotten meanwhile.
class OrderOfAForgottenTopic : public OrderAtAShard {
protected:
    OrderOfAForgottenTopic() {
        static_cast<void>(brokers_.cluster().create_topic("renewed", {.replication_factor = 1}));
        producer_config config;
        config.buffer_memory = 256 * 1024;
        config.metadata_max_age = 500ms;
        create(std::move(config));
        for (const char* topic : {"orders", "renewed"}) send_on_loop(topic, 100);
        run_until_accepted();
        flush();
        brokers_.cluster().on_request([this](const testing::request_info& request) {
            const bool is_produce = request.api_key == 0;
            return is_produce && is_slow_ ? testing::fate::delay(20s) : testing::fate::answer();
        });
        while (send_on_loop("orders", 15'000)) run_for(10ms);  // the last one waits
        is_slow_ = false;
        sent_before_ = static_cast<int>(values_.size());
    }
    void run_for(duration time) {
        world_.run_until([] { return false; }, time);
    }
    void forget_topic() {
        static_cast<void>(brokers_.cluster().delete_topic("renewed"));
        run_for(2s);
    }
    void learn_of_topic() {
        static_cast<void>(brokers_.cluster().create_topic("renewed", {.replication_factor = 1}));
        run_for(2s);
    }
    // By the order of the calls.
    std::vector<int> stored_since() {
        std::vector<int> made = stored("renewed");
        for (int& each : made) each -= sent_before_;
        return made;
    }

    bool is_slow_ = true;  // a broker that keeps the memory
    int sent_before_ = 0;
};

TEST_F(OrderOfAForgottenTopic, WhoWaitsForMemoryAgainIsNotBehindThoseWhoDidAllTheTime) {
    sends_.pop_back();  // gives up: the next one is the first who waits
    EXPECT_FALSE(send_on_loop("renewed", 15'000));
    EXPECT_FALSE(send_on_loop("orders", 15'000));
    EXPECT_FALSE(send_on_loop("renewed", 15'000));
    forget_topic();
    learn_of_topic();
    run_until_accepted();

    EXPECT_EQ(stored_since(), (std::vector<int>{0, 2}));
}

TEST_F(OrderOfAForgottenTopic, WhoWaitsForItAfterMemoryIsNotBehindThoseWhoCameLater) {
    send_on_loop("renewed", 100);
    forget_topic();
    send_on_loop("renewed", 100);
    run_for(20s);  // there is memory again
    learn_of_topic();
    run_until_accepted();

    EXPECT_EQ(stored_since(), (std::vector<int>{0, 1}));
}

// Two partitions are shared out evenly between two shards, and each shard chooses among its own; three are not, and the
// common choice may belong to the other shard.
TEST_F(OrderAtAShard, WhoIsAcceptedWithoutAPartitionIsNotOvertakenAtAnotherShardWhenTheTopicGrows) {
    constexpr int topic_count = 8;  // each has its own choice: some choose the other shard's
    const auto topic = [](int index) { return fmt::format("topic-{}", index); };
    static_cast<void>(
        brokers_.cluster().create_topic("filling", {.partition_count = 2, .replication_factor = 1}));
    for (int i = 0; i < topic_count; ++i) {
        static_cast<void>(
            brokers_.cluster().create_topic(topic(i), {.partition_count = 2, .replication_factor = 1}));
    }
    producer_config config;
    config.buffer_memory = 2 * 256 * 1024;
    config.linger = 0ms;
    config.metadata_max_age = 500ms;
    create(std::move(config), 2);
    const auto entry_of = [this](const std::string& name) {
        return producer_access::core(*producer_).registry().find_or_add(name);
    };
    // The topics are known, and this thread's own shard has lent it credit.
    for (int i = 0; i < topic_count; ++i) send_from_elsewhere(topic(i), 100);
    send_from_elsewhere("filling", 100);
    run_until_accepted();
    flush();
    const std::int32_t partition_here = in_log("filling", 0).empty() ? 1 : 0;
    const std::size_t here = entry_of("filling")->owner_of(partition_here, 2);
    while (!send_from_elsewhere("filling", 100)) run_until_accepted();
    flush();

    brokers_.cluster().on_request([](const testing::request_info& request) {
        const bool fills = std::ranges::any_of(
            request.partitions, [](const auto& each) { return each.where.topic == "filling"; });
        return fills ? testing::fate::delay(20s) : testing::fate::answer();
    });
    while (send_on_loop("filling", 15'000, here)) world_.run_until([] { return false; }, 10ms);
    const int first = static_cast<int>(values_.size());
    for (int i = 0; i < topic_count; ++i) ASSERT_TRUE(send_from_elsewhere(topic(i), 100)) << "by credit";
    for (int i = 0; i < topic_count; ++i) static_cast<void>(brokers_.cluster().add_partitions(topic(i), 3));
    ASSERT_TRUE(world_.run_until(
        [&] {
            for (int i = 0; i < topic_count; ++i) {
                if (entry_of(topic(i))->published_partition_count != 3) return false;
            }
            return true;
        },
        10s));
    for (int i = 0; i < topic_count; ++i) send_from_elsewhere(topic(i), 100);
    world_.run_until([] { return false; }, 1s);
    int ahead_count = 0;
    for (int i = 0; i < topic_count; ++i) {
        for (std::int32_t partition = 0; partition < 3; ++partition) {
            const std::vector<int> early = in_log(topic(i), partition);
            EXPECT_EQ(std::ranges::count(early, first + i), 0) << "its shard was to have no memory";
            ahead_count += static_cast<int>(std::ranges::count(early, first + topic_count + i));
        }
    }
    EXPECT_GT(ahead_count, 0) << "some were to go to the shard that has memory";
    run_until_accepted();
    flush();

    for (int i = 0; i < topic_count; ++i) {
        std::size_t stored_count = 0;
        for (std::int32_t partition = 0; partition < 3; ++partition) {
            const std::vector<int> in_partition = in_log(topic(i), partition);
            EXPECT_TRUE(std::ranges::is_sorted(in_partition)) << topic(i) << '-' << partition;
            stored_count += in_partition.size();
        }
        EXPECT_EQ(stored_count, 3u);
    }
}

}  // namespace
}  // namespace sluice::simulation
