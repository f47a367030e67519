// Two streams of known bytes over each connection, so that whoever receives knows at once whether it is a prefix of what
// was sent: the byte at an offset depends on the connection's number, which is the beginning of the client's stream.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "loop/event_loop.hpp"
#include "testing/sim_connection.hpp"
#include "testing/sim_hash.hpp"
#include "testing/sim_loop.hpp"
#include "testing/sim_peer.hpp"
#include "unit/testing/sim_operations.hpp"

namespace sluice::testing {

constexpr std::uint64_t from_client = 0, from_peer = 1;

inline std::byte stream_byte(std::uint64_t number, std::uint64_t direction, std::uint64_t offset) noexcept {
    if (direction == from_client && offset < 8) return static_cast<std::byte>(number >> (8 * offset));
    const std::uint64_t word = mix(2 * number + direction, offset / 8);
    return static_cast<std::byte>(word >> (8 * (offset % 8)));
}

inline std::vector<std::byte> stream_bytes(std::uint64_t number, std::uint64_t direction,
                                           std::uint64_t offset, std::size_t size) {
    std::vector<std::byte> made(size);
    for (std::size_t i = 0; i < size; ++i) made[i] = stream_byte(number, direction, offset + i);
    return made;
}

inline bool is_stream(bytes received, std::uint64_t number, std::uint64_t direction,
                      std::uint64_t offset) noexcept {
    for (std::size_t i = 0; i < received.size(); ++i) {
        if (received[i] != stream_byte(number, direction, offset + i)) return false;
    }
    return true;
}

// Answers each byte with one of its own stream, sometimes later.
class stream_peer final : public sim_peer {
public:
    void on_connect(sim_connection& connection) override { streams_[connection.id()] = {}; }
    void on_bytes(sim_connection& connection, bytes received, time_point) override {
        stream& of = streams_.at(connection.id());
        for (const std::byte each : received) {
            if (of.received < 8) of.number |= std::to_integer<std::uint64_t>(each) << (8 * of.received);
            if (each != stream_byte(of.number, from_client, of.received)) {
                connection.world().find("the peer received what was not sent");
            }
            ++of.received;
        }
        sim_world& world = connection.world();
        const auto id = connection.id();
        if (world.chance().below(4) == 0) {
            world.in(up_to(world.chance(), std::chrono::milliseconds(5)),
                     [this, &connection, id] { answer(connection, id); });
        } else {
            answer(connection, id);
        }
    }
    void on_close(sim_connection& connection) override {
        ++close_count;
        static_cast<void>(connection);
    }

    std::uint64_t close_count = 0;
    std::size_t connection_count() const noexcept { return streams_.size(); }

private:
    struct stream {
        std::uint64_t number = 0;
        std::uint64_t received = 0;
        std::uint64_t answered = 0;
    };
    void answer(sim_connection& connection, std::uint64_t id) {
        stream& of = streams_.at(id);
        if (of.received < 8) return;
        connection.send(stream_bytes(of.number, from_peer, of.answered, of.received - of.answered));
        of.answered = of.received;
    }
    std::map<std::uint64_t, stream> streams_;
};

// Sends its stream over one connection after the other, until one of them has sent and received all of it.
class stream_client {
public:
    stream_client(sim_loop& on, const endpoint& to, std::uint64_t first_number, std::size_t size)
        : loop_(on.events()), world_chance_(first_number), number_(first_number), size_(size) {
        connecting_.peer = to;
        connecting_.then = [this](int result) { on_connected(result); };
        sending_.then = [this](int result) { on_sent(result); };
        receiving_.then = [this](int result) { on_received(result); };
        const event_loop::scope on_its_loop(loop_);
        open();
        loop_.ring();
    }

    bool is_done() const noexcept { return is_done_; }
    int attempt_count() const noexcept { return attempt_count_; }
    bool was_wrong() const noexcept { return was_wrong_; }

private:
    struct retry_timer : timer {
        explicit retry_timer(stream_client& of) : timer(&fire), self(of) {}
        static void fire(timer& fired) noexcept { static_cast<retry_timer&>(fired).self.open(); }
        stream_client& self;
    };
    struct patience_timer : timer {
        explicit patience_timer(stream_client& of) : timer(&fire), self(of) {}
        static void fire(timer& fired) noexcept { static_cast<patience_timer&>(fired).self.close(); }
        stream_client& self;
    };

    void open() {
        ++attempt_count_;
        ++number_;
        sent_ = 0;
        received_ = 0;
        is_closing_ = false;
        loop_.set_timer(patience_, loop_.now() + std::chrono::seconds(20));
        const auto opened = loop_.io().open(AF_INET, {});
        if (!opened) return retry();
        socket_ = *opened;
        loop_.io().connect(socket_, connecting_);
    }

    void on_connected(int result) {
        if (result < 0 || is_closing_) return close();
        receive();
        send();
    }

    void send() {
        if (sent_ == size_) return;
        memory_ = stream_bytes(number_, from_client, sent_,
                               world_chance_.below(std::min<std::size_t>(size_ - sent_, 3000)) + 1);
        const std::size_t middle = world_chance_.below(memory_.size() + 1);
        sending_.set({{memory_.data(), middle}, {memory_.data() + middle, memory_.size() - middle}});
        loop_.io().send(socket_, sending_);
    }
    void on_sent(int result) {
        if (result > 0) sent_ += static_cast<std::size_t>(result);
        if (result < 0 || is_closing_) return close();
        send();
    }

    void receive() {
        receiving_.memory.resize(world_chance_.below(2000) + 1);
        receiving_.buffer = receiving_.memory;
        loop_.io().receive(socket_, receiving_);
    }
    void on_received(int result) {
        if (result > 0) {
            const auto part = bytes(receiving_.memory).first(static_cast<std::size_t>(result));
            if (!is_stream(part, number_, from_peer, received_)) was_wrong_ = true;
            received_ += part.size();
        }
        if (received_ == size_) is_done_ = true;
        if (result <= 0 || is_closing_ || is_done_) return close();
        receive();
    }

    void close() {
        is_closing_ = true;
        loop_.cancel_timer(patience_);
        bool is_pending = false;
        for (io_operation* each : operations()) {
            if (!each->is_pending) continue;
            loop_.io().cancel(*each);
            is_pending = true;
        }
        if (is_pending || socket_ == socket_id::none) return;
        loop_.io().close(socket_);
        socket_ = socket_id::none;
        if (!is_done_) retry();
    }
    void retry() { loop_.set_timer(retry_, loop_.now() + std::chrono::milliseconds(50)); }

    std::array<io_operation*, 3> operations() { return {&connecting_, &sending_, &receiving_}; }

    event_loop& loop_;
    random world_chance_;
    std::uint64_t number_;
    const std::size_t size_;
    socket_id socket_ = socket_id::none;
    std::size_t sent_ = 0, received_ = 0;
    bool is_closing_ = false, is_done_ = false, was_wrong_ = false;
    int attempt_count_ = 0;
    std::vector<std::byte> memory_;
    connecting connecting_;
    sending sending_;
    receiving receiving_;
    retry_timer retry_{*this};
    patience_timer patience_{*this};
};

}  // namespace sluice::testing
