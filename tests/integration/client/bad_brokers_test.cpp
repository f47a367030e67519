// Brokers that are not there, are no brokers, or talk nonsense: what the log says, and that records survive it.
#include <sys/socket.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <thread>

#include "integration/client/client_fixture.hpp"
#include "integration/produce_watch.hpp"
#include "integration/resident_memory.hpp"
#include "loop/loopback.hpp"

namespace sluice::testing {
namespace {

namespace asio = boost::asio;

producer_config impatient() {
    producer_config made;
    made.max_block = 800ms;
    return made;
}

std::string address_where_nobody_listens() {
    listener closed;
    return closed.address().text();
}

// ---- nobody there

TEST(UnreachableCluster, IsWarnedOfWithAddressAndErrnoWithinTwoSeconds) {
    const std::string address = address_where_nobody_listens();
    client with(address);
    const auto begin = clock::now();

    blocking sending(with.to.send(record("orders", "value")));

    EXPECT_TRUE(with.log.wait_for("warning", begin + 2s));
    const std::string told = with.log.text();
    EXPECT_TRUE(has(told, address)) << told;
    EXPECT_TRUE(has(told, "Connection refused (errno 111)")) << told;
    EXPECT_TRUE(sending.cancel());
}

TEST(UnreachableCluster, IsNamedInTheTextOfTheTimeOut) {
    const std::string address = address_where_nobody_listens();
    client with(address, impatient());
    const auto begin = clock::now();

    const ended sent = end_of(with.to.send(record("orders", "value")));

    EXPECT_GE(clock::now() - begin, 800ms);
    EXPECT_LT(clock::now() - begin, 5s);
    EXPECT_EQ(sent.error, errc::metadata_timeout);
    EXPECT_TRUE(has(sent.text, "Topic orders not present in metadata after ")) << sent.text;
    EXPECT_TRUE(has(sent.text, "last connection error: " + address)) << sent.text;
    EXPECT_TRUE(has(sent.text, "errno 111")) << sent.text;
}

TEST(UnreachableCluster, IsWarnedOfWhenItSwallowsConnections) {
    // A queue that is full: the kernel drops what would connect, and nobody answers.
    listener full(0);
    std::vector<descriptor> before;
    for (int i = 0; i < 3; ++i) {
        before.emplace_back(::socket(full.address().family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        ::connect(before.back().get(), full.address().address(), full.address().size());
    }
    client with(full.address().text());
    const auto begin = clock::now();

    blocking sending(with.to.send(record("orders", "value")));

    EXPECT_TRUE(with.log.wait_for(full.address().text(), begin + 2s)) << with.log.text();
    EXPECT_TRUE(has(with.log.text(), "warning")) << with.log.text();
    EXPECT_TRUE(sending.cancel());
}

TEST(UnreachableCluster, ClosesAtOnce) {
    client with(address_where_nobody_listens());
    blocking sending(with.to.send(record("orders", "value")));
    EXPECT_TRUE(with.log.wait_for("warning", clock::now() + 10s));
    const auto begin = clock::now();

    wait(with.to.close());

    EXPECT_LT(clock::now() - begin, 5s);
    sending.wait();
    EXPECT_EQ(sending.error(), errc::closed);
}

TEST(UnreachableCluster, IsReachedThroughTheAddressThatWorks) {
    fake_cluster_server kafka;
    client with(address_where_nobody_listens() + "," + kafka.bootstrap());

    EXPECT_EQ(end_of(with.to.deliver(record("orders", "value"))).error, error_code());
}

struct WrongBootstrap : ::testing::Test {
    const std::string no_name = std::string(70, 'x') + ".invalid:9092";  // longer than a label may be
    const std::string named = "bootstrap.servers: " + no_name + ": ";    // and then why
    kept_log log;
    runtime loops{usual_runtime()};

    producer_config config() {
        producer_config made;
        made.bootstrap_servers = no_name;
        made.log = log.sink();
        return made;
    }
};

TEST_F(WrongBootstrap, IsNamedWhereItHasNoAddress) {
    const ended created = end_of(producer::create(loops, config()));

    EXPECT_EQ(created.error, errc::bootstrap_failed);
    EXPECT_TRUE(created.text.starts_with(named)) << created.text;
    EXPECT_GT(created.text.size(), named.size() + 5) << created.text;
    EXPECT_EQ(log.text(), "") << "who waits has the text";
}

TEST_F(WrongBootstrap, IsNamedToACoroutineOfAnotherContext) {
    asio::io_context context;
    std::string told;
    const auto create = [&]() -> asio::awaitable<void> {
        try {
            co_await producer::create(loops, config());
        } catch (const error& failed) {
            EXPECT_EQ(failed.code(), errc::bootstrap_failed);
            told = failed.what();
        }
    };

    asio::co_spawn(context, create(), asio::detached);
    context.run();

    EXPECT_TRUE(told.starts_with(named)) << told;
    EXPECT_EQ(log.text(), "") << "who waits has the text";
}

TEST_F(WrongBootstrap, IsLoggedWhereACallbackOrAFutureGetsTheCodeAlone) {
    auto created = producer::create(loops, config())(asio::use_future);

    EXPECT_THROW(created.get(), boost::system::system_error);
    EXPECT_TRUE(has(log.text(), "warning: ")) << log.text();
    EXPECT_TRUE(has(log.text(), named)) << log.text();
}

// ---- no Kafka

// Listens, and does the same to everybody who comes.
template <class Treat>
class crude_server {
public:
    explicit crude_server(Treat treat) : treat_(treat), thread_([this] { serve(); }) {}
    ~crude_server() {
        is_over_ = true;
        const descriptor last(::socket(door_.address().family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
        ::connect(last.get(), door_.address().address(), door_.address().size());
        thread_.join();
    }
    std::string address() const { return door_.address().text(); }

private:
    void serve() {
        for (;;) {
            peer guest = door_.accept();
            if (is_over_) return;
            treat_(guest);
        }
    }

    Treat treat_;
    listener door_;
    std::atomic<bool> is_over_ = false;
    std::thread thread_;
};

TEST(NoKafka, AWebServerIsToldFromABroker) {
    crude_server server([](peer& guest) {
        guest.read(8);
        guest.write("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    });
    client with(server.address(), impatient());

    const ended sent = end_of(with.to.send(record("orders", "value")));

    EXPECT_EQ(sent.error, errc::metadata_timeout);
    EXPECT_TRUE(has(sent.text, server.address())) << sent.text;
    EXPECT_TRUE(has(sent.text, "announced a frame of 1213486160 bytes")) << sent.text;
    EXPECT_TRUE(has(with.log.text(), "warning")) << with.log.text();
}

TEST(NoKafka, AFrameOfTwoGigabytesIsRefusedWithoutAByteOfMemory) {
    crude_server server([](peer& guest) {
        guest.read(8);
        guest.write(std::string_view("\x7f\xff\xff\xff", 4));
        guest.write(std::string(100'000, 'x'));
    });
    forget_peak_memory();
    const std::int64_t before = memory_bytes("VmHWM:");
    client with(server.address(), impatient());

    const ended sent = end_of(with.to.send(record("orders", "value")));

    EXPECT_TRUE(has(sent.text, "announced a frame of 2147483647 bytes")) << sent.text;
    EXPECT_LT(memory_bytes("VmHWM:") - before, 128 << 20);
}

TEST(NoKafka, AServerThatHangsUpIsWarnedOf) {
    crude_server server([](peer& guest) { guest.read(8); });
    client with(server.address(), impatient());

    const ended sent = end_of(with.to.send(record("orders", "value")));

    EXPECT_EQ(sent.error, errc::metadata_timeout);
    EXPECT_TRUE(has(sent.text, "last connection error: " + server.address())) << sent.text;
    EXPECT_TRUE(has(with.log.text(), "warning")) << with.log.text();
}

TEST(NoKafka, AServerThatSaysNothingIsWarnedOfWithinTwoSeconds) {
    std::vector<peer> guests;
    crude_server server([&guests](peer& guest) { guests.push_back(std::move(guest)); });
    client with(server.address());
    const auto begin = clock::now();

    blocking sending(with.to.send(record("orders", "value")));

    EXPECT_TRUE(with.log.wait_for(server.address() + ": still waiting for", begin + 2s)) << with.log.text();
    EXPECT_TRUE(sending.cancel());
}

// ---- a broker that talks nonsense now and then

struct nonsense {
    const char* name;
    std::int16_t api_key;
    fate (*make)();

    friend std::ostream& operator<<(std::ostream& out, const nonsense& each) { return out << each.name; }
};

struct Nonsense : ::testing::TestWithParam<nonsense> {};

TEST_P(Nonsense, CostsAConnectionAndNoRecord) {
    constexpr int record_count = 200;
    fake_cluster_server kafka;
    kafka.with_cluster([](fake_cluster& cluster) {
        EXPECT_FALSE(cluster.create_topic("orders"));
        for (int i = 0; i < 3; ++i) cluster.queue_fate(GetParam().api_key, GetParam().make());
    });
    client with(kafka.bootstrap());

    std::vector<delivery> deliveries;
    for (int i = 0; i < record_count; ++i) {
        const std::string value = std::to_string(i);
        deliveries.push_back(wait(with.to.send(record("orders", value))));
        if (i % 50 == 49) wait(with.to.flush());
    }
    for (delivery& each : deliveries) EXPECT_EQ(end_of(std::move(each)).error, error_code());

    const auto stored =
        kafka.with_cluster([](fake_cluster& cluster) { return cluster.records("orders", 0); });
    ASSERT_EQ(stored.size(), std::size_t{record_count});
    for (int i = 0; i < record_count; ++i)
        EXPECT_EQ(stored[static_cast<std::size_t>(i)].value, std::to_string(i));
    EXPECT_EQ(kafka.with_cluster([](fake_cluster& cluster) { return cluster.queued_fate_count(); }), 0u);
    EXPECT_TRUE(has(with.log.text(), "warning: ")) << "nonsense is worth a line";
}

const nonsense kinds[] = {
    {"GarbageForApiVersions", api_versions_key, [] { return fate::garbage(); }},
    {"HugeFrameForApiVersions", api_versions_key, [] { return fate::huge_frame(); }},
    {"WrongIdForApiVersions", api_versions_key, [] { return fate::wrong_correlation_id(); }},
    {"GarbageForMetadata", metadata_key, [] { return fate::garbage(); }},
    {"HugeFrameForMetadata", metadata_key, [] { return fate::huge_frame(); }},
    {"WrongIdForMetadata", metadata_key, [] { return fate::wrong_correlation_id(); }},
    {"GarbageForInitProducerId", 22, [] { return fate::garbage(); }},
    {"HugeFrameForInitProducerId", 22, [] { return fate::huge_frame(); }},
    {"GarbageForProduce", produce_key, [] { return fate::garbage(); }},
    {"HugeFrameForProduce", produce_key, [] { return fate::huge_frame(); }},
    {"WrongIdForProduce", produce_key, [] { return fate::wrong_correlation_id(); }},
    {"HangUpForProduce", produce_key, [] { return fate::disconnect(); }},
    {"HangUpAfterProduce", produce_key, [] { return fate::apply_then_disconnect(); }},
};
INSTANTIATE_TEST_SUITE_P(, Nonsense, ::testing::ValuesIn(kinds),
                         [](const auto& tested) { return std::string(tested.param.name); });

}  // namespace
}  // namespace sluice::testing
