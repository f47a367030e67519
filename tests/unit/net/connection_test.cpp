#include "net/connection.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "unit/net/scripted_reactor.hpp"
#include "unit/net/scripted_resolver.hpp"
#include "wire/api/api_versions.hpp"
#include "wire/big_endian.hpp"

namespace sluice {
namespace {

using namespace std::chrono_literals;
using state = connection::state;
using words = std::vector<std::string>;

constexpr auto plain_key = wire::api_key::metadata;
constexpr std::int16_t plain_version = 1;  // headers without a tagged section

// A response frame.
std::vector<std::byte> response(std::int32_t correlation_id, std::string_view body) {
    wire::writer out;
    const wire::open_frame frame = wire::begin_response(out, plain_key, plain_version, correlation_id);
    out.write_raw(as_bytes(body));
    EXPECT_FALSE(wire::end_response(out, frame));
    return out.gathered();
}

// A request that notes what becomes of it.
struct noting_request final : outgoing_request {
    noting_request(words& seen_, std::string name_, std::string_view body = "")
        : seen(&seen_), name(std::move(name_)) {
        key = plain_key;
        version = plain_version;
        const wire::open_frame opened = wire::begin_request(frame, key, version, false, 0, "me");
        frame.write_raw(as_bytes(body));
        EXPECT_FALSE(wire::end_request(frame, opened));
    }
    void on_written(time_point) override { note("written"); }
    void on_answer(bytes body, time_point) override {
        note("answered " + std::string(as_text(body)));
        if (when_answered) when_answered();
    }
    void on_failure(error_code why, bool was_sent, time_point) override {
        error = why;
        note(was_sent ? "lost" : "unsent");
    }
    void on_released() override { note("released"); }
    void note(const std::string& what) { seen->push_back(name + " " + what); }

    words* seen;
    std::string name;
    error_code error;
    std::function<void()> when_answered;
};

connection_config steady_config() {
    connection_config config;
    config.client_id = "me";
    config.reconnect.backoff = 100ms;  // constant, hence without jitter
    config.reconnect.backoff_max = 100ms;
    config.reconnect.setup_timeout = 10s;
    config.reconnect.setup_timeout_max = 10s;
    config.request_timeout = 30s;
    return config;
}

struct fixture : connection::owner {
    explicit fixture(const connection_config& wanted = steady_config()) : config(wanted) {
        loop.read_clocks();
        made.emplace(loop, names, *this, config, host_port{"broker", 9092}, 1, 7);
    }
    ~fixture() {
        io.holds_cancelled = false;
        if (made && !tested().is_idle()) {
            tested().close(errc::closed, "the test ends", loop.now());
            turn();
        }
    }

    void on_ready(connection&, time_point) override { events.emplace_back("ready"); }
    void on_slow(connection&, const std::string& text, time_point) override {
        events.push_back("slow: " + text);
    }
    void on_closed(connection&, error_code why, const std::string& text, time_point) override {
        events.push_back("closed: " + text);
        closed_with = why;
    }

    connection& tested() { return *made; }
    time_point now() const { return io.now; }
    // Turns, until nothing is wanted at once.
    void turn() {
        while (loop.run_ready()) {}
    }
    void advance(duration span) {
        io.now += span;
        turn();
        tested().on_time(now());
        turn();
    }

    void open(std::initializer_list<const char*> addresses = {"10.0.0.1"}) {
        tested().open(now());
        if (!names.asked().empty()) names.answer(addresses);
    }
    void connect() {
        open();
        io.end(*io.connecting, 0);
        turn();
    }
    void give(bytes arrived) {
        while (!arrived.empty()) {
            arrived = arrived.subspan(io.give(arrived));
            turn();
        }
    }
    void answer_api_versions() {
        io.sent.clear();
        io.take();
        turn();
        const auto correlation_id = wire::load_big_endian<std::int32_t>(as_bytes(io.sent).data() + 8);
        wire::api_versions_response answer;
        answer.api_keys.push_back({static_cast<std::int16_t>(plain_key), 0, 8});
        wire::writer out;
        EXPECT_FALSE(wire::write_response(out, answer, 5, correlation_id));
        give(out.gathered());
        io.sent.clear();
        io.send_count = 0;
    }
    // Open, connected, negotiated.
    void make_ready() {
        connect();
        answer_api_versions();
        ASSERT_TRUE(tested().is_ready());
        events.clear();
    }
    void send(outgoing_request& request) { tested().send(request, now()); }
    void flush() {
        tested().flush(now());
        turn();
    }
    noting_request& request(std::string name, std::string_view body = "") {
        return requests.emplace_back(seen, std::move(name), body);
    }
    // Everything that is queued, written.
    void write_all() {
        flush();
        while (io.sending != nullptr) {
            io.take();
            turn();
        }
    }
    void lose() {
        io.end(*io.receiving, 0);
        turn();
    }

    scripted_reactor::state io;
    event_loop loop{std::make_unique<scripted_reactor>(io), logger([](log_level, std::string_view) {})};
    scripted_resolver names;
    connection_config config;
    words events;
    words seen;  // by requests
    std::deque<noting_request> requests;
    error_code closed_with;
    std::optional<connection> made;
};

// ---- opening

TEST(Connection, ResolvesConnectsNegotiatesAndIsReady_NET_2) {
    fixture on;
    EXPECT_TRUE(on.tested().is_idle());

    on.tested().open(on.now());
    EXPECT_EQ(on.tested().current_state(), state::resolving);
    EXPECT_EQ(on.names.asked(), "broker:9092");
    on.names.answer({"10.0.0.1"});
    EXPECT_EQ(on.tested().current_state(), state::connecting);
    EXPECT_EQ(on.io.peers, words{"10.0.0.1:9092"});
    on.io.end(*on.io.connecting, 0);
    on.turn();
    EXPECT_EQ(on.tested().current_state(), state::negotiating);
    EXPECT_EQ(on.events, words{});
    on.answer_api_versions();

    EXPECT_EQ(on.tested().current_state(), state::ready);
    EXPECT_EQ(on.events, words{"ready"});
    EXPECT_EQ(on.tested().versions().version_for(plain_key), 8);
    EXPECT_EQ(on.tested().next_deadline(), never);
}

TEST(Connection, TheFirstRequestIsApiVersions_VER_1) {
    fixture on;
    on.connect();
    on.io.take();

    const std::vector<std::byte> frame(as_bytes(on.io.sent).begin(), as_bytes(on.io.sent).end());
    wire::reader in(bytes(frame).subspan(wire::frame_prefix_size));
    const wire::request_header header = wire::read_request_header(in);

    EXPECT_EQ(header.api_key, 18);
    EXPECT_EQ(header.correlation_id, 0);
    EXPECT_EQ(header.client_id, "me");
    on.turn();
}

TEST(Connection, AsksOnceMoreOnTheSameConnectionWhereABrokerIsOlder_VER_3) {
    fixture on;
    on.connect();
    on.io.take();
    on.turn();
    wire::api_versions_response refusal;
    refusal.error_code = 35;
    wire::writer first, second;
    ASSERT_FALSE(wire::write_response(first, refusal, 0, 0));
    ASSERT_FALSE(wire::write_response(second, wire::api_versions_response{}, 0, 1));

    on.give(first.gathered());
    ASSERT_NE(on.io.sending, nullptr);
    on.io.take();
    on.turn();
    on.give(second.gathered());

    EXPECT_TRUE(on.tested().is_ready());
    EXPECT_EQ(on.io.open_count, 1);
}

TEST(Connection, ABrokerThatRefusesApiVersionsIsNoBroker) {
    fixture on;
    on.connect();
    on.io.take();
    on.turn();
    wire::api_versions_response refusal;
    refusal.error_code = 42;
    wire::writer out;
    ASSERT_FALSE(wire::write_response(out, refusal, 5, 0));

    on.give(out.gathered());

    EXPECT_TRUE(on.tested().is_idle());
    EXPECT_EQ(on.closed_with, broker_errc::invalid_request);
    EXPECT_EQ(on.io.close_count, 1);
}

TEST(Connection, ANameThatIsUnknownClosesWithTheReason) {
    fixture on;
    on.tested().open(on.now());

    on.names.fail("no such name");
    EXPECT_EQ(on.events, words{}) << "in a later phase";
    on.turn();

    EXPECT_EQ(on.events, words{"closed: broker:9092: no such name"});
    EXPECT_TRUE(on.tested().is_idle());
}

TEST(Connection, ARefusedConnectionClosesAndBacksOff_NET_5) {
    fixture on;
    EXPECT_TRUE(on.tested().may_open(on.now())) << "never tried";
    on.open();

    on.io.end(*on.io.connecting, -ECONNREFUSED);
    on.turn();

    ASSERT_EQ(on.events.size(), 1u);
    EXPECT_EQ(on.events[0], "closed: broker:9092 (10.0.0.1:9092): Connection refused (errno 111)");
    EXPECT_EQ(on.closed_with, error_code(ECONNREFUSED, boost::system::system_category()));
    EXPECT_EQ(on.io.close_count, 1);
    EXPECT_FALSE(on.tested().may_open(on.now()));
    EXPECT_EQ(on.tested().next_attempt(), on.now() + 100ms);
    EXPECT_TRUE(on.tested().may_open(on.now() + 100ms));
}

TEST(Connection, WithoutASocketItClosesToo) {
    fixture on;
    on.io.refuses_sockets = true;

    on.open();
    on.turn();

    EXPECT_EQ(on.closed_with, error_code(EMFILE, boost::system::system_category()));
    EXPECT_TRUE(on.tested().is_idle());
    EXPECT_EQ(on.io.close_count, 0);
}

TEST(Connection, EachAttemptTakesTheNextAddress_NET_7) {
    fixture on;
    for (int i = 0; i < 3; ++i) {
        on.open({"10.0.0.1", "10.0.0.2"});
        on.io.end(*on.io.connecting, -ECONNREFUSED);
        on.turn();
    }

    EXPECT_EQ(on.io.peers, (words{"10.0.0.1:9092", "10.0.0.2:9092", "10.0.0.1:9092"}));
    EXPECT_EQ(on.names.count, 2) << "looked up again when all were tried";
}

TEST(Connection, LooksTheNameUpAgainAfterALoss_NET_7) {
    fixture on;
    on.open({"10.0.0.1", "10.0.0.2"});
    on.io.end(*on.io.connecting, 0);
    on.turn();
    on.answer_api_versions();
    on.lose();
    ASSERT_EQ(on.names.count, 1);

    on.open({"10.0.0.1", "10.0.0.3"});

    EXPECT_EQ(on.names.count, 2) << "the broker may have moved";
    EXPECT_EQ(on.io.peers.back(), "10.0.0.3:9092")
        << "not the one that was just lost, since there is another";
}

TEST(Connection, TheOnlyAddressIsTriedAgain_NET_7) {
    fixture on;
    on.make_ready();
    on.lose();

    on.open({"10.0.0.1"});

    EXPECT_EQ(on.io.peers, (words{"10.0.0.1:9092", "10.0.0.1:9092"}));
}

TEST(Connection, AnotherAddressIsUsedFromTheNextAttemptOn_NET_8) {
    fixture on;
    on.open({"10.0.0.1", "10.0.0.2"});

    on.tested().set_address({"elsewhere", 9093});
    EXPECT_EQ(on.tested().current_state(), state::connecting) << "what is under way goes on";
    on.io.end(*on.io.connecting, -ECONNREFUSED);
    on.turn();
    on.tested().open(on.now());

    EXPECT_EQ(on.names.asked(), "elsewhere:9093") << "not the second address of the old name";
}

TEST(Connection, SettingUpHasATimeOutInEveryState_NET_6) {
    const std::pair<void (*)(fixture&), const char*> states[] = {
        {[](fixture& on) { on.tested().open(on.now()); }, "its name to be resolved"},
        {[](fixture& on) { on.open(); }, "the connection"},
        {[](fixture& on) { on.connect(); }, "the answer to ApiVersions"},
    };
    for (const auto& [reach, what] : states) {
        SCOPED_TRACE(what);
        fixture on;
        reach(on);
        on.advance(10s - 1ns);
        EXPECT_FALSE(on.tested().is_idle());
        on.events.clear();

        on.advance(1ns);

        EXPECT_TRUE(on.tested().is_idle());
        EXPECT_EQ(on.closed_with, errc::connect_timeout);
        ASSERT_EQ(on.events.size(), 1u);
        EXPECT_NE(on.events[0].find(std::string("timed out waiting for ") + what), std::string::npos)
            << on.events[0];
        EXPECT_EQ(on.names.asked(), "") << "nobody waits for the answer any more";
    }
}

TEST(Connection, SaysOnceThatItIsSlow) {
    fixture on;
    on.open();
    EXPECT_EQ(on.tested().next_deadline(), on.now() + 1500ms);
    on.advance(1500ms - 1ns);
    EXPECT_EQ(on.events, words{});

    on.advance(1ns);
    on.advance(1s);

    EXPECT_EQ(on.events,
              words{"slow: broker:9092 (10.0.0.1:9092): still waiting for the connection after 1500 ms"});
}

// ---- writing

TEST(Connection, RequestsLeaveTogetherInOrderUnderConsecutiveIds_NET_12) {
    fixture on;
    on.make_ready();
    noting_request &first = on.request("first", "abc"), &second = on.request("second", "defg");
    on.send(first);
    on.send(second);
    EXPECT_EQ(on.io.send_count, 0) << "until the flush";

    on.flush();

    EXPECT_EQ(on.io.send_count, 1);
    on.io.take();
    on.turn();
    EXPECT_EQ(on.seen, (words{"first written", "second written"}));
    const bytes sent = as_bytes(on.io.sent);
    ASSERT_EQ(sent.size(), first.size_bytes() + second.size_bytes());
    EXPECT_EQ(wire::load_big_endian<std::int32_t>(sent.data() + 8), 1) << "ApiVersions was 0";
    EXPECT_EQ(wire::load_big_endian<std::int32_t>(sent.data() + first.size_bytes() + 8), 2);
}

TEST(Connection, OneSendIsInFlightAndTheRestFollows) {
    fixture on;
    on.make_ready();
    noting_request &first = on.request("first"), &second = on.request("second"), &third = on.request("third");
    on.send(first);
    on.flush();
    on.send(second);
    on.flush();
    on.send(third);
    EXPECT_EQ(on.io.send_count, 1);
    EXPECT_EQ(on.io.offered(), first.size_bytes());

    on.io.take();
    on.turn();

    EXPECT_EQ(on.io.send_count, 2);
    EXPECT_EQ(on.io.offered(), second.size_bytes() + third.size_bytes())
        << "everything that queued up meanwhile";
}

TEST(Connection, ShortSendsGoOnWhereTheyStopped) {
    for (const std::size_t step : {1u, 7u, 64u}) {
        fixture on;
        on.make_ready();
        const std::string large(100, 'x');
        noting_request &first = on.request("first", "abc"), &second = on.request("second");
        first.frame.write_reference(as_bytes(large));  // a piece of its own
        second.frame.write_reference(as_bytes(large));
        on.send(first);
        on.send(second);
        std::string expected;
        for (const noting_request* each : {&first, &second}) expected += as_text(each->frame.gathered());

        on.flush();
        for (int guard = 0; on.io.sending != nullptr && guard < 1000; ++guard) {
            if (on.io.sent.size() < first.size_bytes()) {
                EXPECT_EQ(on.seen, words{}) << "not written yet";
            }
            on.io.take(step);
            on.turn();
        }

        EXPECT_EQ(on.io.sent, expected) << "in steps of " << step;
        EXPECT_EQ(on.seen, (words{"first written", "second written"}));
    }
}

TEST(Connection, ARequestWithoutAnAnswerIsOverWhenItIsWritten_SND_19) {
    fixture on;
    on.make_ready();
    noting_request& silent = on.request("silent");
    silent.expects_answer = false;
    on.send(silent);
    EXPECT_EQ(on.tested().in_flight_count(), 1u);

    on.write_all();

    EXPECT_EQ(on.seen, (words{"silent written", "silent released"}));
    EXPECT_EQ(on.tested().in_flight_count(), 0u);
    EXPECT_EQ(on.tested().next_deadline(), never) << "nothing is waited for";
}

// ---- reading

TEST(Connection, AnswersGoToTheirRequestsInOrder_NET_11) {
    fixture on;
    on.make_ready();
    noting_request &first = on.request("first"), &second = on.request("second");
    on.send(first);
    on.send(second);
    on.write_all();
    on.seen.clear();
    EXPECT_EQ(on.tested().in_flight_count(), 2u);
    std::vector<std::byte> both = response(1, "one");
    const std::vector<std::byte> two = response(2, "two");
    both.insert(both.end(), two.begin(), two.end());

    on.give(both);

    EXPECT_EQ(on.seen,
              (words{"first answered one", "first released", "second answered two", "second released"}));
    EXPECT_EQ(on.tested().in_flight_count(), 0u);
    EXPECT_TRUE(on.tested().is_ready());
}

TEST(Connection, AnswersMayComeByteByByte) {
    fixture on;
    on.make_ready();
    noting_request& request = on.request("request");
    on.send(request);
    on.write_all();
    on.seen.clear();

    for (const std::byte each : response(1, "slowly")) {
        EXPECT_EQ(on.seen, words{});
        on.give(bytes(&each, 1));
    }

    EXPECT_EQ(on.seen, (words{"request answered slowly", "request released"}));
}

TEST(Connection, AnswersMayBeLargerThanTheBuffer) {
    const std::string sizes[] = {std::string(10, 'x'), std::string(100'000, 'y'), std::string(15'000, 'z')};
    for (const auto& order : {std::vector<std::size_t>{0, 1, 2}, {1, 0, 2}, {2, 2, 2}, {2, 1, 0}}) {
        fixture on;
        on.make_ready();
        std::vector<std::byte> all;
        words expected;
        for (std::size_t i = 0; i < 3; ++i) {
            on.send(on.request("request"));
            const std::string& body = sizes[order[i]];
            const std::vector<std::byte> answer = response(static_cast<std::int32_t>(i) + 1, body);
            all.insert(all.end(), answer.begin(), answer.end());
            expected.push_back("request answered " + body);
            expected.emplace_back("request released");
        }
        on.write_all();
        on.seen.clear();

        on.give(all);

        EXPECT_TRUE(on.seen == expected) << order[0] << order[1] << order[2];
    }
}

TEST(Connection, KeepsNoBufferOfAnExceptionallyLargeAnswer) {
    fixture on;
    on.make_ready();
    on.send(on.request("request"));
    on.write_all();

    on.give(response(1, std::string(3'000'000, 'x')));

    ASSERT_NE(on.io.receiving, nullptr);
    EXPECT_LE(on.io.receiving->buffer.size(), 64u * 1024);
}

TEST(Connection, AnAnswerWithAnotherIdBreaksIt_NET_11) {
    fixture on;
    on.make_ready();
    noting_request& request = on.request("request");
    on.send(request);
    on.write_all();
    on.seen.clear();

    on.give(response(2, ""));

    EXPECT_EQ(on.closed_with, errc::protocol_error);
    EXPECT_EQ(on.seen, (words{"request lost", "request released"}));
}

TEST(Connection, AnAnswerToNothingBreaksIt) {
    fixture on;
    on.make_ready();

    on.give(response(1, ""));

    EXPECT_EQ(on.closed_with, errc::protocol_error);
    EXPECT_TRUE(on.tested().is_idle());
}

TEST(Connection, AnAnswerToWhatIsNotWrittenYetBreaksIt) {
    fixture on;
    on.make_ready();
    noting_request& request = on.request("request");
    on.send(request);
    on.flush();
    on.io.take(5);
    on.turn();

    on.give(response(1, "early"));

    EXPECT_EQ(on.closed_with, errc::protocol_error);
    EXPECT_EQ(on.seen, (words{"request lost", "request released"}));
    EXPECT_TRUE(on.tested().is_idle());
}

TEST(Connection, FramesAreBounded) {
    connection_config config = steady_config();
    config.frame_size_max = 1'000'000;
    const auto announced = [](std::int32_t size) {
        std::vector<std::byte> prefix(4);
        wire::store_big_endian(prefix.data(), size);
        return prefix;
    };
    {
        fixture on(config);
        on.make_ready();
        on.give(announced(1'000'001));
        EXPECT_EQ(on.closed_with, errc::frame_too_large);
    }
    {
        fixture on(config);
        on.make_ready();
        on.give(announced(1'000'000));
        EXPECT_TRUE(on.tested().is_ready());
    }
    {
        fixture on(config);
        on.make_ready();
        on.give(announced(-1));
        EXPECT_EQ(on.closed_with, errc::protocol_error);
    }
    {
        fixture on(config);
        on.connect();
        on.give(announced(static_cast<std::int32_t>(wire::frame_size_max_unauthenticated) + 1));
        EXPECT_EQ(on.closed_with, errc::frame_too_large) << "less before it is negotiated";
    }
}

TEST(Connection, AnOwnerMayCloseItInsideAnAnswer) {
    fixture on;
    on.make_ready();
    noting_request &first = on.request("first"), &second = on.request("second");
    first.when_answered = [&] { on.tested().close(errc::protocol_error, "unreadable", on.now()); };
    on.send(first);
    on.send(second);
    on.write_all();
    on.seen.clear();
    std::vector<std::byte> both = response(1, "one");
    const std::vector<std::byte> two = response(2, "two");
    both.insert(both.end(), two.begin(), two.end());

    on.give(both);

    EXPECT_EQ(on.seen, (words{"first answered one", "second lost", "second released", "first released"}))
        << "the second answer is not looked at";
    EXPECT_EQ(on.events, words{"closed: unreadable"});
}

// ---- the end

TEST(Connection, ALossFailsEveryRequestInOrder_NET_14) {
    fixture on;
    on.make_ready();
    noting_request &first = on.request("first"), &second = on.request("second"), &third = on.request("third");
    on.send(first);
    on.write_all();
    on.send(second);
    on.send(third);
    on.seen.clear();

    on.lose();

    EXPECT_EQ(on.seen, (words{"first lost", "first released", "second unsent", "second released",
                              "third unsent", "third released"}));
    EXPECT_EQ(first.error, errc::disconnected);
    EXPECT_EQ(on.closed_with, errc::disconnected);
    EXPECT_EQ(on.events, words{"closed: broker:9092 (10.0.0.1:9092): the broker closed the connection"});
    EXPECT_EQ(on.tested().in_flight_count(), 0u);
    EXPECT_EQ(on.io.close_count, 1);
}

// KAFKA-19012: else the memory would be lent again while the kernel reads it.
TEST(Connection, NothingIsReleasedWhileTheKernelMayReadIt) {
    fixture on;
    on.make_ready();
    noting_request &answered = on.request("answered"), &silent = on.request("silent");
    silent.expects_answer = false;
    on.send(answered);
    on.send(silent);
    on.flush();
    on.io.holds_cancelled = true;

    on.lose();

    EXPECT_EQ(on.seen, (words{"answered lost", "silent lost"}));
    EXPECT_EQ(on.tested().current_state(), state::closing);
    EXPECT_EQ(on.io.close_count, 0) << "closing a socket cancels nothing";
    EXPECT_EQ(on.events, words{});
    on.io.end(*on.io.sending, -ECANCELED);
    on.turn();
    EXPECT_EQ(on.seen, (words{"answered lost", "silent lost", "answered released", "silent released"}));
    EXPECT_EQ(on.io.close_count, 1);
    EXPECT_TRUE(on.tested().is_idle());
}

TEST(Connection, ACancelledSendMayHaveSentEverything) {
    fixture on;
    on.make_ready();
    noting_request& request = on.request("request");
    on.send(request);
    on.flush();
    on.io.holds_cancelled = true;
    on.lose();

    on.io.take();  // it was quicker than the cancellation
    on.turn();

    EXPECT_EQ(on.seen, (words{"request lost", "request released"})) << "no word of it being written";
    EXPECT_TRUE(on.tested().is_idle());
}

TEST(Connection, AFailedSendClosesIt) {
    fixture on;
    on.make_ready();
    noting_request& request = on.request("request");
    on.send(request);
    on.flush();

    on.io.end(*on.io.sending, -EPIPE);
    on.turn();

    EXPECT_EQ(on.closed_with, error_code(EPIPE, boost::system::system_category()));
    EXPECT_EQ(on.seen, (words{"request lost", "request released"}));
}

TEST(Connection, ARequestWithoutAnAnswerInTimeClosesIt_NET_13) {
    fixture on;
    on.make_ready();
    noting_request &first = on.request("first"), &second = on.request("second");
    on.send(first);
    on.write_all();
    const time_point due = on.now() + 30s;
    on.advance(10s);
    on.send(second);
    on.write_all();
    on.seen.clear();
    EXPECT_EQ(on.tested().next_deadline(), due);

    on.advance(20s - 1ns);
    EXPECT_TRUE(on.tested().is_ready());
    on.advance(1ns);

    EXPECT_EQ(on.closed_with, errc::request_timeout);
    EXPECT_EQ(on.seen, (words{"first lost", "first released", "second lost", "second released"}))
        << "all its requests";
    EXPECT_EQ(first.error, errc::request_timeout);
}

TEST(Connection, MayBeClosedInEveryState) {
    void (*const states[])(fixture&) = {
        [](fixture& on) { on.tested().open(on.now()); },
        [](fixture& on) { on.open(); },
        [](fixture& on) { on.connect(); },
        [](fixture& on) { on.make_ready(); },
    };
    for (const auto& reach : states) {
        fixture on;
        reach(on);
        on.events.clear();

        on.tested().close(errc::closed, "enough", on.now());
        on.tested().close(errc::protocol_error, "twice", on.now());
        EXPECT_EQ(on.events, words{}) << "in a later phase";
        on.turn();

        EXPECT_EQ(on.events, words{"closed: enough"});
        EXPECT_TRUE(on.tested().is_idle());
        EXPECT_EQ(on.io.close_count, on.io.open_count);
        EXPECT_EQ(on.io.pending_count, 0u);
        EXPECT_EQ(on.names.asked(), "");
    }
}

TEST(Connection, ARequestMayBeUsedAgainWhenItIsReleased) {
    fixture on;
    on.make_ready();
    noting_request& request = on.request("request");
    on.send(request);
    on.write_all();
    on.lose();
    on.connect();
    on.answer_api_versions();
    on.seen.clear();

    on.send(request);
    on.lose();

    EXPECT_EQ(on.seen, (words{"request unsent", "request released"})) << "this time no byte went out";
}

TEST(Connection, OpensAgainAfterALossWithNothingLeftOver) {
    fixture on;
    on.make_ready();
    noting_request& lost = on.request("lost");
    on.send(lost);
    on.flush();
    on.io.take(5);  // a part of it went out, and a part of an answer came
    on.turn();
    on.give(bytes(response(1, "half")).first(7));
    on.lose();
    on.seen.clear();

    on.connect();
    on.answer_api_versions();
    noting_request& next = on.request("next");
    on.send(next);
    on.write_all();

    EXPECT_EQ(on.io.sent.size(), next.size_bytes());
    EXPECT_TRUE(on.tested().is_ready());
}

}  // namespace
}  // namespace sluice
