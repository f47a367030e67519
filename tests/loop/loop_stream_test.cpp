// Servers and clients on a loop's own sockets, as Asio's composed operations use them.
#include "sluice/loop_stream.hpp"

#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/as_tuple.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <deque>
#include <numeric>
#include <optional>
#include <set>
#include <string>
#include <thread>

#include "loop/child.hpp"
#include "loop/kinds.hpp"
#include "sluice/invariant.hpp"

namespace sluice {
namespace {

namespace asio = boost::asio;
using asio::use_awaitable;
using asio::ip::tcp;

const tcp::endpoint any_port(asio::ip::address_v4::loopback(), 0);
constexpr auto as_tuple = asio::experimental::as_tuple(use_awaitable);

class LoopStream : public testing::TestWithParam<reactor_kind> {
protected:
    loop on{loop_options{.reactor = GetParam()}};
    loop_acceptor acceptor{on, any_port};

    void run(asio::awaitable<void> first, asio::awaitable<void> second) {
        for (asio::awaitable<void>* each : {&first, &second}) {
            asio::co_spawn(on, std::move(*each), [](std::exception_ptr failed) {
                if (failed) std::rethrow_exception(failed);
            });
        }
        on.run();
    }
    asio::awaitable<loop_stream> connect() {
        loop_stream made(on);
        co_await made.async_connect(acceptor.local_endpoint(), use_awaitable);
        co_return made;
    }
};
INSTANTIATE_TEST_SUITE_P(, LoopStream, both_reactors, name_of_kind);

asio::awaitable<void> echo(loop_acceptor& acceptor) {
    loop_stream peer = co_await acceptor.async_accept(use_awaitable);
    std::string buffer(64 * 1024, '\0');
    for (;;) {
        const auto [error, size] = co_await peer.async_read_some(asio::buffer(buffer), as_tuple);
        if (error == asio::error::eof) break;
        if (error) throw boost::system::system_error(error);
        co_await asio::async_write(peer, asio::buffer(buffer, size), use_awaitable);
    }
}

TEST_P(LoopStream, CarriesBytesBothWaysAndTheEnd) {
    std::string received;
    run(echo(acceptor), [](auto connecting, std::string& received) -> asio::awaitable<void> {
        loop_stream to = co_await std::move(connecting);
        EXPECT_TRUE(to.is_open());
        co_await asio::async_write(to, asio::buffer("to and fro", 10), use_awaitable);
        EXPECT_FALSE(to.shutdown_send());
        co_await asio::async_read(to, asio::dynamic_buffer(received), asio::transfer_all(), as_tuple);
    }(connect(), received));

    EXPECT_EQ(received, "to and fro");
}

TEST_P(LoopStream, CarriesMoreThanSocketsHoldInManyPieces) {
    std::string sent(4 << 20, '\0'), received;
    std::iota(sent.begin(), sent.end(), '\0');
    run(
        [](loop_acceptor& acceptor, const std::string& sent) -> asio::awaitable<void> {
            loop_stream peer = co_await acceptor.async_accept(use_awaitable);
            std::deque<asio::const_buffer> pieces;
            const asio::const_buffer all = asio::buffer(sent);
            for (std::size_t at = 0; at < sent.size(); at += 4096)
                pieces.push_back(asio::buffer(all + at, 4096));
            pieces.insert(pieces.begin() + 7, asio::const_buffer());
            co_await asio::async_write(peer, pieces, use_awaitable);
        }(acceptor, sent),
        [](auto connecting, std::string& received) -> asio::awaitable<void> {
            loop_stream from = co_await std::move(connecting);
            co_await asio::async_read(from, asio::dynamic_buffer(received), asio::transfer_all(), as_tuple);
        }(connect(), received));

    EXPECT_EQ(received, sent);
}

TEST_P(LoopStream, TellsWhatWentWrong) {
    const tcp::endpoint nobody = acceptor.local_endpoint();
    acceptor.close();
    run(
        [](loop& on, tcp::endpoint nobody) -> asio::awaitable<void> {
            loop_stream refused(on);
            const auto [error] = co_await refused.async_connect(nobody, as_tuple);
            EXPECT_EQ(error, asio::error::connection_refused);
        }(on, nobody),
        [](loop& on) -> asio::awaitable<void> {
            loop_stream closed(on);
            char byte = 0;
            const auto [error, size] = co_await closed.async_read_some(asio::buffer(&byte, 1), as_tuple);
            EXPECT_EQ(error, asio::error::bad_descriptor);
            EXPECT_EQ(size, 0u);
        }(on));
    EXPECT_THROW(loop_acceptor(on, tcp::endpoint(asio::ip::make_address("192.0.2.1"), 1)),
                 boost::system::system_error);
}

TEST_P(LoopStream, NothingToReadOrWriteIsDoneAtOnce) {
    run(echo(acceptor), [](auto connecting) -> asio::awaitable<void> {
        loop_stream to = co_await std::move(connecting);
        EXPECT_EQ(co_await to.async_read_some(asio::mutable_buffer(), use_awaitable), 0u);
        EXPECT_EQ(co_await to.async_write_some(asio::const_buffer(), use_awaitable), 0u);
    }(connect()));
}

TEST_P(LoopStream, CancellingClosingAndDestroyingEndWhatIsPending) {
    std::vector<error_code> ends;
    char byte = 0;
    std::deque<loop_stream> streams, peers;
    asio::cancellation_signal signal;
    const auto note = [&ends](error_code why, std::size_t) { ends.push_back(why); };
    const auto read_on = [&](auto token) { streams.back().async_read_some(asio::buffer(&byte, 1), token); };
    run(
        [](auto connecting, std::deque<loop_stream>& streams, auto read_on, auto note,
           asio::cancellation_signal& signal) -> asio::awaitable<void> {
            for (int i = 0; i < 4; ++i) {
                auto next = connecting();
                streams.push_back(co_await std::move(next));
                if (i == 0) {
                    read_on(asio::bind_cancellation_slot(signal.slot(), note));
                    signal.emit(asio::cancellation_type::total);
                } else {
                    read_on(note);
                }
            }
            streams[1].cancel();
            streams[2].close();
            streams.pop_back();
        }([this] { return connect(); }, streams, read_on, note, signal),
        [](loop_acceptor& acceptor, std::deque<loop_stream>& peers) -> asio::awaitable<void> {
            while (peers.size() < 4) peers.push_back(co_await acceptor.async_accept(use_awaitable));
        }(acceptor, peers));

    EXPECT_EQ(ends, std::vector<error_code>(4, asio::error::operation_aborted));
    EXPECT_TRUE(streams[1].is_open());
    EXPECT_FALSE(streams[2].is_open());
}

TEST_P(LoopStream, AcceptorsOfSeveralLoopsShareAPort) {
    loop second_loop{loop_options{.reactor = GetParam()}};
    loop_acceptor second(second_loop, acceptor.local_endpoint());
    std::size_t accepted_by_first = 0, accepted_by_second = 0;
    const auto count = [](loop_acceptor& from, std::size_t& accepted) -> asio::awaitable<void> {
        for (;;) {
            const auto [error, peer] = co_await from.async_accept(as_tuple);
            if (error) break;
            ++accepted;
        }
    };
    asio::co_spawn(on, count(acceptor, accepted_by_first), asio::detached);
    asio::co_spawn(second_loop, count(second, accepted_by_second), asio::detached);

    asio::io_context outside;
    std::deque<tcp::socket> clients;
    for (int i = 0; i < 64; ++i) clients.emplace_back(outside).connect(acceptor.local_endpoint());
    while (accepted_by_first + accepted_by_second < 64) {
        on.run_ready();
        second_loop.run_ready();
    }
    acceptor.cancel();
    second.close();
    on.run();
    second_loop.run();

    EXPECT_GT(accepted_by_first, 0u);
    EXPECT_GT(accepted_by_second, 0u);
}

TEST_P(LoopStream, ALoopThatEndsTakesWhatWaitsWithIt) {
    struct frame_count {
        explicit frame_count(int& of_) : of(of_) { ++of; }
        ~frame_count() { --of; }
        int& of;
    };
    int alive = 0, finished = 0;
    {
        loop ending{loop_options{.reactor = GetParam()}};
        asio::io_context outside;
        tcp::socket client(outside), silent(outside);
        auto wait_for_peer = [](loop& on, tcp::socket& client, int& alive,
                                int& finished) -> asio::awaitable<void> {
            const frame_count frame(alive);
            loop_acceptor acceptor(on, any_port);
            client.connect(acceptor.local_endpoint());
            loop_stream peer = co_await acceptor.async_accept(use_awaitable);
            std::string buffer(1000, '\0');
            co_await peer.async_read_some(asio::buffer(buffer), use_awaitable);
            ++finished;
        };
        auto wait_for_ever = [](loop& on, int& alive, int& finished) -> asio::awaitable<void> {
            const frame_count frame(alive);
            loop_acceptor acceptor(on, any_port);
            co_await acceptor.async_accept(use_awaitable);
            ++finished;
        };
        asio::co_spawn(ending, wait_for_peer(ending, client, alive, finished), asio::detached);
        asio::co_spawn(ending, wait_for_ever(ending, alive, finished), asio::detached);
        for (int i = 0; i < 20; ++i) ending.run_ready();
        EXPECT_EQ(alive, 2);
    }
    EXPECT_EQ(alive, 0);
    EXPECT_EQ(finished, 0);
}

asio::awaitable<void> do_nothing() {
    co_return;
}

TEST_P(LoopStream, SurvivesThatItsLoopMovesToAnotherThread) {
    std::thread([this] {
        on.run();  // nothing to do
        asio::co_spawn(on, echo(acceptor), asio::detached);
        asio::post(on, [this] { on.stop(); });
        on.run();
    }).join();

    // The accept was cancelled with the first thread's ring, or is now.
    asio::post(on, [this] { acceptor.cancel(); });
    on.run();
    run(do_nothing(), [](loop& on) -> asio::awaitable<void> {
        loop_acceptor again(on, any_port);
        loop_stream to(on);
        co_await to.async_connect(again.local_endpoint(), use_awaitable);
        loop_stream peer = co_await again.async_accept(use_awaitable);
        co_await asio::async_write(to, asio::buffer("x", 1), use_awaitable);
        char byte = 0;
        co_await asio::async_read(peer, asio::buffer(&byte, 1), use_awaitable);
        EXPECT_EQ(byte, 'x');
    }(on));
}

TEST(LoopStreamDeathTest, HoldsItsCallersToTheRules) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    loop on;
    loop_acceptor acceptor(on, any_port);
    EXPECT_DEATH(acceptor.async_accept([](error_code, loop_stream) {}), "on its loop only");
    EXPECT_DEATH(
        {
            asio::post(on, [&] {
                acceptor.async_accept([](error_code, loop_stream) {});
                acceptor.async_accept([](error_code, loop_stream) {});
            });
            on.run();
        },
        "at a time");
}

}  // namespace
}  // namespace sluice
