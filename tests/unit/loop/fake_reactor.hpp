// A reactor without a kernel: it records how it is called, its clock stands still unless it waits, and
// operations complete when the test says so.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/ensure.hpp"
#include "loop/reactor.hpp"

namespace sluice {

class fake_reactor final : public reactor {
public:
    // What a test sees and sets; it outlives the reactor, which its loop owns.
    struct state {
        time_point now{std::chrono::hours(1)};
        int clock_read_count = 0;
        int ring_count = 0;
        bool is_rung = false;
        int submit_count = 0;
        std::size_t pending_count = 0;
        std::vector<time_point> deadlines;    // of submit_and_wait
        std::function<void()> while_waiting;  // called in submit_and_wait if it waits; may ring
        completion_list to_reap;

        int wait_count() const {
            int count = 0;
            for (const time_point each : deadlines) count += each > time_point::min() ? 1 : 0;
            return count;
        }
        void start(io_operation& operation) {
            operation.is_pending = true;
            ++pending_count;
        }
        void complete(io_operation& operation, int answer) {
            operation.result = answer;
            to_reap.push(operation);
        }
    };

    explicit fake_reactor(state& seen) : seen_(&seen) {}

    reactor_kind kind() const noexcept override { return reactor_kind::simulated; }
    result<socket_id> open(int, const socket_options&) override { return socket_id{0}; }
    void close(socket_id) noexcept override {}
    void connect(socket_id, connect_operation& operation) noexcept override { seen_->start(operation); }
    void send(socket_id, send_operation_base& operation) noexcept override { seen_->start(operation); }
    void receive(socket_id, receive_operation& operation) noexcept override { seen_->start(operation); }
    void cancel(io_operation& operation) noexcept override { seen_->complete(operation, -ECANCELED); }
    std::size_t pending_count() const noexcept override { return seen_->pending_count; }
    void submit_and_wait(time_point deadline, completion_list& completed) noexcept override {
        seen_->deadlines.push_back(deadline);
        if (seen_->to_reap.empty() && deadline > seen_->now) {
            if (seen_->while_waiting) seen_->while_waiting();
            if (!seen_->is_rung) {
                ensure(deadline != never);  // this would wait for ever
                seen_->now = deadline;
            }
        }
        seen_->is_rung = false;
        while (io_operation* operation = seen_->to_reap.pop()) {
            --seen_->pending_count;
            completed.push(*operation);
        }
    }
    void submit() noexcept override { ++seen_->submit_count; }
    void ring() noexcept override {
        ++seen_->ring_count;
        seen_->is_rung = true;
    }
    int native_handle() const noexcept override { return -1; }
    time_point now() const noexcept override {
        ++seen_->clock_read_count;
        return seen_->now;
    }
    wall_time wall_now() const noexcept override {
        return wall_time{
            std::chrono::duration_cast<std::chrono::milliseconds>(seen_->now.time_since_epoch()).count()};
    }

private:
    state* seen_;
};

}  // namespace sluice
