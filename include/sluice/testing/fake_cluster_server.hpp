// A fake cluster that any client can connect to: TCP on loopback, one port per broker, real time, a thread of
// its own.
//
//   fake_cluster_server server({.cluster = {.broker_count = 3}});
//   server.with_cluster([](fake_cluster& cluster) { cluster.create_topic("orders"); });
//   ...                                                           a client uses server.bootstrap()
//   auto stored = server.with_cluster([](fake_cluster& cluster) { return cluster.records("orders", 0); });
//
// Thread rules: every member may be called from any thread, except inside a function given to `with_cluster`
// or to `fake_cluster::on_request`: these run with the cluster locked, the latter on the server's thread, and
// use the cluster that they were given.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "sluice/testing/fake_cluster.hpp"

namespace sluice::testing {

struct server_config {
    cluster_config cluster = {};
    std::string address = "127.0.0.1";  // IPv4 or IPv6; clients are told to connect to it
    // Of node 1; the others follow. 0: free ones, which stay the same while the server lives.
    std::uint16_t first_port = 0;
};

class fake_cluster_server {
public:
    // Serves when it returns. Throws sluice::error, which names the address, where a port cannot be had.
    explicit fake_cluster_server(server_config config = {});
    // Ends all connections.
    ~fake_cluster_server();
    fake_cluster_server(const fake_cluster_server&) = delete;
    fake_cluster_server& operator=(const fake_cluster_server&) = delete;

    // "127.0.0.1:41233,127.0.0.1:39117": all brokers, dead ones too.
    std::string bootstrap() const;
    std::uint16_t port(std::int32_t node) const;  // 0 for a node that there is not

    // Calls `use` between two requests, and returns what it returns. When it is back, the sockets are as the
    // cluster is: a broker that was killed refuses connections and has none.
    template <class Use>
    auto with_cluster(Use&& use) {
        using result_type = std::invoke_result_t<Use&, fake_cluster&>;
        if constexpr (std::is_void_v<result_type>) {
            run([&use](fake_cluster& cluster) { use(cluster); });
        } else {
            std::optional<result_type> result;
            run([&](fake_cluster& cluster) { result.emplace(use(cluster)); });
            return std::move(*result);
        }
    }

    void kill(std::int32_t node);   // connections are cut, and new ones refused
    void start(std::int32_t node);  // on the same port

    // That broker reads so many bytes a second, of all its connections together, and keeps little of what
    // comes in sockets; 0: as fast as it can.
    void slow(std::int32_t node, std::uint64_t bytes_per_second);

    // Open connections.
    std::size_t connection_count() const;

private:
    void run(const std::function<void(fake_cluster&)>& use);

    class state;
    std::unique_ptr<state> state_;
};

}  // namespace sluice::testing
