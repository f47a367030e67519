// The one place of a producer that asks for metadata: on the loop of shard 0. It carries out what the metadata_keeper
// decides, over the connections of that shard, and hands each new snapshot to all shards.
//
// Owner: shard 0.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "cluster/metadata_keeper.hpp"
#include "net/connection.hpp"
#include "sender/sender.hpp"

namespace sluice {

class shard;

class metadata_home {
public:
    metadata_home(shard& on, const metadata_limits& limits, std::uint64_t seed);
    ~metadata_home();

    // A shard uses this topic, or wants to know it.
    void want(std::string_view topic, time_point now) { keeper_.want(topic, now); }
    void request_update() { keeper_.request_update(); }
    void on_hint(const leader_hint& hint);

    // In the drain step: asks, if something is due and a broker can be asked.
    void run(time_point now);
    time_point next_deadline() const noexcept;
    // Closing: nothing is asked any more.
    void stop() noexcept { is_stopped_ = true; }
    bool is_idle() const noexcept;

    const std::shared_ptr<const snapshot>& current() const noexcept { return keeper_.current(); }

private:
    class exchange;
    void ask(connection& over, time_point now);
    void publish();

    shard& shard_;
    metadata_keeper keeper_;
    std::unique_ptr<exchange> exchange_;
    bool is_blocked_ = false;      // something is due, and no broker can be asked now
    time_point next_try_ = never;  // then: when one may be tried again
    bool is_stopped_ = false;
};

}  // namespace sluice
