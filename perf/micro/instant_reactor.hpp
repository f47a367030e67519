// A reactor without a kernel: every send succeeds at once, and the broker behind it answers what a producer needs to start
// (ApiVersions, Metadata) and takes Produce requests that want no answer (acks=0). So benchmarks time the producer alone.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "loop/reactor.hpp"

namespace sluice::perf {

class instant_reactor final : public reactor {
public:
    // Metadata knows this topic, led by node 1.
    instant_reactor(std::string topic, std::int32_t partition_count)
        : topic_(std::move(topic)), partition_count_(partition_count) {}

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
    time_point now() const noexcept override { return std::chrono::steady_clock::now(); }
    wall_time wall_now() const noexcept override;

    std::uint64_t sent_bytes() const noexcept { return sent_bytes_; }

private:
    struct peer {
        std::vector<std::byte> asked;
        std::vector<std::byte> answer;
        receive_operation* receiving = nullptr;
    };
    void answer(peer& from);
    void deliver(peer& to);

    std::string topic_;
    std::int32_t partition_count_;
    std::map<std::int32_t, peer> peers_;
    std::int32_t next_id_ = 1;
    completion_list completed_;
    std::size_t completed_count_ = 0;
    std::uint64_t sent_bytes_ = 0;
    std::atomic<bool> is_rung_{false};
};

}  // namespace sluice::perf
