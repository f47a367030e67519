// The sink's sockets: one thread, epoll, bodies of batches discarded in the kernel (MSG_TRUNC).
#pragma once

#include <netinet/in.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "sink/rare_requests.hpp"
#include "sink/request_reader.hpp"
#include "sink/topics.hpp"

namespace sluice::sink {

struct server_options {
    std::string host = "127.0.0.1";
    std::uint16_t port = 0;  // 0: any
    std::size_t brokers = 1;
    std::chrono::milliseconds delay{0};
    std::uint64_t refuse_after = UINT64_MAX;  // records: those that come later are answered with an error
    bool tells_partitions = false;
};

// Owner: the sink's thread. Errors: std::runtime_error for what keeps it from serving at all; a connection that fails is
// closed, with a line on stderr.
class server {
public:
    server(const server_options& options, topics& all);
    ~server();
    server(const server&) = delete;
    server& operator=(const server&) = delete;

    // "HOST:PORT,..": one for each broker.
    std::string bootstrap() const;

    // Serves until SIGTERM or SIGINT, which have to be blocked; for each SIGUSR1 prints a report.
    void run();

    // One line of JSON: what came in, and what it cost.
    std::string report() const;

private:
    using clock = std::chrono::steady_clock;
    struct connection;
    struct watched;

    void resolve();
    void listen(std::uint16_t port);
    void accept(int listener);
    bool read(connection& from);
    bool send_answers(connection& to);
    void send_late();
    void close(connection& which);
    void wait_for_events();
    void handle_signal();
    void watch(int fd, std::uint64_t id, std::uint32_t events, int operation);

    server_options options_;
    topics& topics_;
    in_addr address_{};  // of the host
    counts counts_;
    int epoll_ = -1;
    int signals_ = -1;
    std::vector<int> listeners_;
    std::vector<std::uint16_t> ports_;
    std::unique_ptr<rare_requests> rare_;
    std::unordered_map<std::uint64_t, std::unique_ptr<connection>> connections_;
    std::uint64_t last_id_ = 0;
    bool is_ended_ = false;

    // Whose answers are due when, all equally late.
    struct due {
        clock::time_point when;
        std::uint64_t connection_id;
    };
    std::deque<due> late_;
};

}  // namespace sluice::sink
