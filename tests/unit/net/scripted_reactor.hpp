// A reactor with one socket at a time, whose operations end when and how the test says.
#pragma once

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include "base/ensure.hpp"
#include "loop/reactor.hpp"

namespace sluice {

class scripted_reactor final : public reactor {
public:
    // What a test sees and sets; it outlives the reactor, which its loop owns.
    struct state {
        time_point now{std::chrono::hours(1)};
        int open_count = 0;
        int close_count = 0;
        bool refuses_sockets = false;
        bool holds_cancelled = false;    // the kernel takes its time: the test ends cancelled operations
        std::vector<std::string> peers;  // connected to, in order
        std::string sent;                // every byte that was taken
        int send_count = 0;
        connect_operation* connecting = nullptr;
        send_operation_base* sending = nullptr;
        receive_operation* receiving = nullptr;
        std::size_t pending_count = 0;
        completion_list to_reap;

        void end(io_operation& operation, int result) {
            if (connecting == &operation) connecting = nullptr;
            if (sending == &operation) sending = nullptr;
            if (receiving == &operation) receiving = nullptr;
            operation.result = result;
            to_reap.push(operation);
        }
        // How many bytes the pending send wants to send.
        std::size_t offered() const {
            std::size_t size = 0;
            for (std::size_t i = 0; i < sending->message.msg_iovlen; ++i)
                size += sending->message.msg_iov[i].iov_len;
            return size;
        }
        // Takes the first bytes of the pending send.
        void take(std::size_t size_max = static_cast<std::size_t>(-1)) {
            std::size_t left = std::min(size_max, offered());
            const std::size_t taken = left;
            for (std::size_t i = 0; left > 0; ++i) {
                const iovec& piece = sending->message.msg_iov[i];
                const std::size_t part = std::min(left, piece.iov_len);
                sent.append(static_cast<const char*>(piece.iov_base), part);
                left -= part;
            }
            end(*sending, static_cast<int>(taken));
        }
        // Gives bytes to the pending receive: all of them, as many as it has room for at most. Returns how many.
        std::size_t give(bytes arrived) {
            const std::size_t size = std::min(arrived.size(), receiving->buffer.size());
            std::copy_n(arrived.begin(), size, receiving->buffer.begin());
            end(*receiving, static_cast<int>(size));
            return size;
        }
    };

    explicit scripted_reactor(state& seen) : seen_(&seen) {}

    reactor_kind kind() const noexcept override { return reactor_kind::simulated; }
    result<socket_id> open(int, const socket_options&) override {
        if (seen_->refuses_sockets) return error_code(EMFILE, boost::system::system_category());
        return socket_id{seen_->open_count++};
    }
    void close(socket_id) noexcept override {
        ensure(seen_->connecting == nullptr);
        ensure(seen_->sending == nullptr);
        ensure(seen_->receiving == nullptr);
        ++seen_->close_count;
    }
    void connect(socket_id, connect_operation& operation) noexcept override {
        seen_->peers.push_back(operation.peer.text());
        start(seen_->connecting, operation);
    }
    void send(socket_id, send_operation_base& operation) noexcept override {
        ++seen_->send_count;
        start(seen_->sending, operation);
    }
    void receive(socket_id, receive_operation& operation) noexcept override {
        start(seen_->receiving, operation);
    }
    void cancel(io_operation& operation) noexcept override {
        if (!seen_->holds_cancelled) seen_->end(operation, -ECANCELED);
    }
    std::size_t pending_count() const noexcept override { return seen_->pending_count; }
    void submit_and_wait(time_point, completion_list& completed) noexcept override {
        while (io_operation* operation = seen_->to_reap.pop()) {
            --seen_->pending_count;
            completed.push(*operation);
        }
    }
    void submit() noexcept override {}
    void ring() noexcept override {}
    int native_handle() const noexcept override { return -1; }
    time_point now() const noexcept override { return seen_->now; }
    wall_time wall_now() const noexcept override { return wall_time{}; }

private:
    template <class Operation>
    void start(Operation*& place, Operation& operation) noexcept {
        ensure(place == nullptr);  // one of a kind at a time
        place = &operation;
        operation.is_pending = true;
        ++seen_->pending_count;
    }

    state* seen_;
};

}  // namespace sluice
