// A reactor without a kernel: every send succeeds at once, and the broker behind it answers what a producer needs to start
// (ApiVersions, Metadata, InitProducerId) and takes Produce requests: those that want no answer (acks=0) unread, others only
// if told to, since reading them takes time. So benchmarks time the producer alone, and no counted section counts the broker.
//
// Owner: one loop. Its clock may be a stepping one: it goes on by a fixed step at each look, and to the deadline where there is
// nothing to wait for, so that a run does the same work on any machine, however slow.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "loop/reactor.hpp"
#include "wire/api/metadata.hpp"

namespace sluice::perf {

struct instant_topic {
    std::string name;
    std::int32_t partition_count = 1;
    std::int32_t replica_count = 0;  // all in sync
};

enum class instant_clock { steady, stepping };
enum class instant_answers { none, produce };

class instant_reactor final : public reactor {
public:
    // Metadata knows these topics, led by node 1.
    explicit instant_reactor(std::vector<instant_topic> topics, instant_clock clock = instant_clock::steady,
                             instant_answers answers = instant_answers::none)
        : topics_(std::move(topics)), clock_(clock), answers_(answers) {}
    instant_reactor(std::string topic, std::int32_t partition_count)
        : instant_reactor({{std::move(topic), partition_count}}) {}

    reactor_kind kind() const noexcept override { return reactor_kind::simulated; }
    result<socket_id> open(int family, const socket_options& options) override;
    void close(socket_id socket) noexcept override;
    void connect(socket_id socket, connect_operation& operation) noexcept override;
    void send(socket_id socket, send_operation_base& operation) noexcept override;
    void receive(socket_id socket, receive_operation& operation) noexcept override;
    void cancel(io_operation& operation) noexcept override;
    std::size_t pending_count() const noexcept override;
    void submit_and_wait(time_point deadline, completion_list& completed) noexcept override;
    void submit() noexcept override {}
    void ring() noexcept override { is_rung_.store(true); }
    int native_handle() const noexcept override { return -1; }
    time_point now() const noexcept override {
        if (clock_ == instant_clock::steady) return std::chrono::steady_clock::now();
        return stepped_ += std::chrono::nanoseconds(100);
    }
    wall_time wall_now() const noexcept override;

    std::uint64_t sent_bytes() const noexcept { return sent_bytes_; }

private:
    struct peer {
        std::vector<std::byte> asked;
        std::vector<std::byte> answer;
        receive_operation* receiving = nullptr;
    };
    void take(peer& from, const send_operation_base& sent);
    void answer(peer& from, bytes request);
    void deliver(peer& to);

    bool was_asked_for(const instant_topic& topic, const wire::metadata_request& request) const;

    std::vector<instant_topic> topics_;
    instant_clock clock_;
    instant_answers answers_;
    mutable time_point stepped_{std::chrono::hours(1)};  // looking at it is what makes it go on
    std::map<std::int32_t, peer> peers_;
    std::int32_t next_id_ = 1;
    completion_list completed_;
    std::size_t completed_count_ = 0;
    std::uint64_t sent_bytes_ = 0;
    std::atomic<bool> is_rung_{false};
};

}  // namespace sluice::perf
