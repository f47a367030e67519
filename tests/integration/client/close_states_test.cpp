// Every call in every state of a producer, from a thread of its own and from a coroutine on the producer's loop.
//
//   call              open            closing                       closed      loop ended
//   send, deliver     done            errc::closed                  closed      closed
//   try_send          done            errc::closed                  closed      closed
//   partitions_for    the partitions  known: the partitions         closed      closed
//                                     else:  errc::closed
//   flush             done            when the rest has its result  done        done
//   close             done            done                          done        done
//   destructor        at once; what has no result ends with errc::closed
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>
#include <future>

#include "integration/client/client_fixture.hpp"
#include "integration/produce_watch.hpp"

namespace sluice::testing {
namespace {

namespace asio = boost::asio;

constexpr auto soon =
    20s;  // longer than any machine takes, shorter than every time-out that could end a call

enum class state { open, closing, closed, loop_ended };
enum class caller { thread, loop };
enum class call { send, try_send, deliver, partitions_for, partitions_for_unknown, flush, close, close_now };
enum class expected { done, closed, done_with_the_rest };

constexpr const char* to_string(state each) {
    constexpr const char* names[] = {"Open", "Closing", "Closed", "LoopEnded"};
    return names[static_cast<int>(each)];
}
constexpr const char* to_string(call each) {
    constexpr const char* names[] = {"Send",  "TrySend", "Deliver", "PartitionsFor", "PartitionsForUnknown",
                                     "Flush", "Close",   "CloseNow"};
    return names[static_cast<int>(each)];
}

// A producer with one record that has no result yet, whose broker keeps silent from then on.
class scene {
public:
    explicit scene(state wanted) {
        config.bootstrap_servers = kafka.bootstrap();
        config.log = [](log_level, std::string_view) {};
        config.max_block = 60s;
        kafka.with_cluster([](fake_cluster& cluster) { EXPECT_FALSE(cluster.create_topic("orders")); });
        to = wait(producer::create(*loops, config));
        wait(to.deliver(record("orders", "first")));
        if (wanted != state::open) requests.decide([](const request_info&) { return fate::never_answer(); });
        if (wanted != state::closed) outstanding = wait(to.send(record("orders", "outstanding")));
        switch (wanted) {
            case state::open: break;
            case state::closing:
                closing = std::make_unique<blocking<call_operation<void>>>(to.close());
                break;
            case state::closed: wait(to.close()); break;
            case state::loop_ended: loops.reset(); break;
        }
    }

    fake_cluster_server kafka;
    produce_watch requests{kafka};
    producer_config config;
    std::unique_ptr<runtime> loops = std::make_unique<runtime>(usual_runtime());
    producer to;
    delivery outstanding;
    std::unique_ptr<blocking<call_operation<void>>> closing;
};

template <class Operation>
asio::awaitable<error_code> error_of(Operation awaited) {
    try {
        co_await std::move(awaited);
    } catch (const boost::system::system_error& why) {
        co_return why.code();
    }
    co_return error_code();
}

// A call that has begun.
class begun_call {
public:
    begun_call(scene& in, caller from, call what) { begin_call(in, from, what); }

    bool has_ended_soon() { return ended_.wait_for(soon) == std::future_status::ready; }
    error_code error() { return ended_.get(); }

private:
    void begin_call(scene& in, caller from, call what) {
        switch (what) {
            case call::send: return begin(in, from, in.to.send(record("orders", "value")));
            case call::deliver: return begin(in, from, in.to.deliver(record("orders", "value")));
            case call::partitions_for: return begin(in, from, in.to.partitions_for("orders"));
            case call::partitions_for_unknown: return begin(in, from, in.to.partitions_for("new"));
            case call::flush: return begin(in, from, in.to.flush());
            case call::close: return begin(in, from, in.to.close());
            case call::close_now: return begin(in, from, in.to.close(0ns));
            case call::try_send: break;
        }
        std::packaged_task<error_code()> task(
            [&in] { return in.to.try_send(record("orders", "value")).error(); });
        if (from == caller::loop) {
            ended_ = asio::post(in.loops->loops()[0]->get_executor(), std::move(task));
            return;
        }
        ended_ = task.get_future();
        task();
    }

    template <class Operation>
    void begin(scene& in, caller from, Operation operation) {
        if (from == caller::loop) {
            auto task = error_of(std::move(operation));
            ended_ = asio::co_spawn(in.loops->loops()[0]->get_executor(), std::move(task), asio::use_future);
            return;
        }
        // Begins on this thread; another one waits.
        auto waiting = std::make_shared<blocking<Operation>>(std::move(operation));
        ended_ = std::async(std::launch::async, [waiting] {
            waiting->wait();
            return waiting->error();
        });
    }

    std::future<error_code> ended_;
};

struct table_entry {
    state in;
    call what;
    expected comes;
};

class CallsByState : public ::testing::TestWithParam<std::tuple<caller, table_entry>> {};

TEST_P(CallsByState, ComeToWhatTheTableSays) {
    const auto [from, entry] = GetParam();
    if (from == caller::loop && entry.in == state::loop_ended)
        GTEST_SKIP() << "there is no loop to call from";
    scene in(entry.in);

    begun_call begun(in, from, entry.what);

    if (entry.comes != expected::done_with_the_rest) {
        EXPECT_TRUE(begun.has_ended_soon());
    }
    if (entry.in == state::closing) {  // the rest ends, too
        wait(in.to.close(0ns));
        in.closing->wait();
        EXPECT_EQ(in.closing->error(), error_code());
    }
    ASSERT_TRUE(begun.has_ended_soon());
    EXPECT_EQ(begun.error(), entry.comes == expected::closed ? error_code(errc::closed) : error_code());
}

const table_entry table[] = {
    {state::open, call::send, expected::done},
    {state::open, call::try_send, expected::done},
    {state::open, call::deliver, expected::done},
    {state::open, call::partitions_for, expected::done},
    {state::open, call::partitions_for_unknown, expected::done},
    {state::open, call::flush, expected::done},
    {state::open, call::close, expected::done},
    {state::open, call::close_now, expected::done},
    {state::closing, call::send, expected::closed},
    {state::closing, call::try_send, expected::closed},
    {state::closing, call::deliver, expected::closed},
    {state::closing, call::partitions_for, expected::done},
    {state::closing, call::partitions_for_unknown, expected::closed},
    {state::closing, call::flush, expected::done_with_the_rest},
    {state::closing, call::close, expected::done_with_the_rest},
    {state::closing, call::close_now, expected::done},
    {state::closed, call::send, expected::closed},
    {state::closed, call::try_send, expected::closed},
    {state::closed, call::deliver, expected::closed},
    {state::closed, call::partitions_for, expected::closed},
    {state::closed, call::partitions_for_unknown, expected::closed},
    {state::closed, call::flush, expected::done},
    {state::closed, call::close, expected::done},
    {state::closed, call::close_now, expected::done},
    {state::loop_ended, call::send, expected::closed},
    {state::loop_ended, call::try_send, expected::closed},
    {state::loop_ended, call::deliver, expected::closed},
    {state::loop_ended, call::partitions_for, expected::closed},
    {state::loop_ended, call::partitions_for_unknown, expected::closed},
    {state::loop_ended, call::flush, expected::done},
    {state::loop_ended, call::close, expected::done},
    {state::loop_ended, call::close_now, expected::done},
};
std::string name_of_case(const ::testing::TestParamInfo<std::tuple<caller, table_entry>>& tested) {
    const auto& [from, entry] = tested.param;
    return std::string(from == caller::thread ? "Thread" : "Loop") + to_string(entry.in) +
           to_string(entry.what);
}
std::vector<std::tuple<caller, table_entry>> all_cases() {
    std::vector<std::tuple<caller, table_entry>> made;
    for (const table_entry& each : table) {
        made.emplace_back(caller::thread, each);
        if (each.in != state::loop_ended) made.emplace_back(caller::loop, each);
    }
    return made;
}
INSTANTIATE_TEST_SUITE_P(, CallsByState, ::testing::ValuesIn(all_cases()), name_of_case);

// ---- the destructor

class Destructor : public ::testing::TestWithParam<state> {};

TEST_P(Destructor, NeverWaitsAndWhatHasNoResultEndsWithClosed) {
    scene in(GetParam());
    const auto begin = clock::now();

    { const producer destroyed = std::move(in.to); }

    EXPECT_LT(clock::now() - begin, 5s);
    if (GetParam() == state::closed) return;
    blocking awaited(std::move(in.outstanding));
    ASSERT_TRUE(awaited.wait_for(soon));
    if (GetParam() == state::open) return;  // the broker answers: either may be first
    EXPECT_EQ(awaited.error(), errc::closed);
    if (in.closing == nullptr) return;
    ASSERT_TRUE(in.closing->wait_for(soon));
    EXPECT_EQ(in.closing->error(), error_code());
}

INSTANTIATE_TEST_SUITE_P(, Destructor,
                         ::testing::Values(state::open, state::closing, state::closed, state::loop_ended),
                         [](const auto& tested) { return std::string(to_string(tested.param)); });

TEST(Destroyed, WithASilentBrokerItsDeliveriesEndWithClosedAndMayBeStored) {
    scene in(state::open);
    in.requests.decide([](const request_info&) { return fate::never_answer(); });
    delivery last = wait(in.to.send(record("orders", "last")));
    wait(in.to.partitions_for("orders"));

    { const producer destroyed = std::move(in.to); }

    blocking awaited(std::move(last));
    ASSERT_TRUE(awaited.wait_for(soon));
    EXPECT_EQ(awaited.error(), errc::closed);
}

TEST(Destroyed, BeforeItIsCreatedItLeavesNothingBehind) {
    fake_cluster_server kafka;
    runtime loops(usual_runtime());
    producer_config config;
    config.bootstrap_servers = kafka.bootstrap();

    for (int i = 0; i < 20; ++i) {
        auto creating = producer::create(loops, config);
        creating.poll();
    }
}

// ---- close

TEST(Close, DeliversWhatWasAccepted) {
    fake_cluster_server kafka;
    client with(kafka.bootstrap());
    std::vector<delivery> deliveries;
    for (int i = 0; i < 1000; ++i) deliveries.push_back(wait(with.to.send(record("orders", "value"))));

    wait(with.to.close());

    for (delivery& each : deliveries) {
        ASSERT_TRUE(each.poll()) << "all have their result when close() is done";
        EXPECT_EQ(each.error(), error_code());
    }
    EXPECT_EQ(kafka.with_cluster([](fake_cluster& cluster) { return cluster.end_offset("orders", 0); }),
              1000);
}

TEST(Close, EndsAfterItsTimeOutAndTellsWhatMayBeStored) {
    fake_cluster_server kafka;
    produce_watch requests(kafka);
    requests.decide([](const request_info&) { return fate::apply_and_never_answer(); });
    client with(kafka.bootstrap());
    delivery last = wait(with.to.send(record("orders", "last")));
    requests.wait_for(1);
    const auto begin = clock::now();

    wait(with.to.close(300ms));

    EXPECT_GE(clock::now() - begin, 300ms);
    EXPECT_LT(clock::now() - begin, 5s);
    ASSERT_TRUE(last.poll());
    EXPECT_EQ(last.error(), errc::closed);
    EXPECT_EQ(last.take().outcome, outcome::possibly_persisted);
}

TEST(Close, EndsTheWaitOfThoseWhoAreNotAccepted) {
    scene in(state::open);
    in.kafka.with_cluster([](fake_cluster& cluster) {
        cluster.on_request([](const request_info& request) {
            return request.api_key == metadata_key ? fate::never_answer() : fate::answer();
        });
    });
    blocking waiting(in.to.send(record("unheard-of", "value")));
    auto on_loop = asio::co_spawn(in.loops->loops()[0]->get_executor(),
                                  error_of(in.to.send(record("unheard-of", "value"))), asio::use_future);

    wait(in.to.close());

    ASSERT_TRUE(waiting.wait_for(soon));
    EXPECT_EQ(waiting.error(), errc::closed);
    EXPECT_EQ(on_loop.get(), error_code(errc::closed));
}

TEST(Close, GoesOnWhenNobodyWaitsForIt) {
    scene in(state::open);
    {
        blocking closing(in.to.close());
        closing.cancel();
    }

    EXPECT_EQ(end_of(in.to.send(record("orders", "value"))).error, errc::closed);
    wait(in.to.close());
}

TEST(Close, RefusesANegativeTimeOutAndGoesOnAsBefore) {
    scene in(state::open);

    EXPECT_EQ(end_of(in.to.close(-1ns)).error, errc::invalid_config);
    EXPECT_EQ(end_of(in.to.deliver(record("orders", "value"))).error, error_code());
}

TEST(Close, OfOneProducerLeavesTheOthersOfItsLoopAlone) {
    fake_cluster_server kafka;
    client with(kafka.bootstrap());
    producer_config config;
    config.bootstrap_servers = kafka.bootstrap();
    producer other = wait(producer::create(with.loops, config));
    wait(other.deliver(record("orders", "value")));

    wait(with.to.close());

    EXPECT_EQ(end_of(other.deliver(record("orders", "value"))).error, error_code());
    wait(other.close());
}

TEST(Close, FromManyThreadsAtOnceEndsForAll) {
    fake_cluster_server kafka;
    client with(kafka.bootstrap(), {}, several_shards());
    for (int i = 0; i < 100; ++i) wait(with.to.send(record("orders", "value")));

    std::vector<std::future<error_code>> ends;
    for (int i = 0; i < 4; ++i) {
        ends.push_back(std::async(std::launch::async, [&with] {
            wait(with.to.flush());
            return end_of(with.to.close()).error;
        }));
    }
    for (auto& each : ends) EXPECT_EQ(each.get(), error_code());
    EXPECT_EQ(kafka.with_cluster([](fake_cluster& cluster) { return cluster.end_offset("orders", 0); }), 100);
}

}  // namespace
}  // namespace sluice::testing
