// What a producer is, behind the handle that users hold: its configuration, its topics, its shards.
//
//   state   bootstrapping -> running -> closing -> closed        close(), then all shards are quiet
//                 `------------`------> aborting --'             a deadline, or the handle was destroyed
//
// Owner: shared. The shards keep it alive until they are quiet, so that destroying the handle never waits.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "engine/bootstrap.hpp"
#include "engine/metadata_home.hpp"
#include "engine/shard.hpp"
#include "engine/topic_registry.hpp"
#include "sluice/producer_config.hpp"

namespace sluice {

// Injected, so that simulation can answer.
using resolver_factory = std::function<std::unique_ptr<resolver>(event_loop&)>;

class producer_core : public std::enable_shared_from_this<producer_core> {
public:
    enum class state : std::uint8_t { bootstrapping, running, closing, aborting, closed };

    // Of a validated configuration. `loops` outlive it.
    producer_core(producer_config config, std::vector<event_loop*> loops, resolver_factory names);
    ~producer_core();

    // Puts every shard on its loop; calls `done` on the first loop when all are there and a bootstrap address is known, or
    // with an error, a text, and everything given up again.
    using started = std::function<void(error_code, const std::string&)>;
    void start(started done);

    const producer_config& config() const noexcept { return config_; }
    const connection_config& connecting() const noexcept { return connection_config_; }
    const sender_config& sending() const noexcept { return sender_config_; }
    const logger& log() const noexcept { return log_; }
    const std::vector<host_port>& bootstrap() const noexcept { return bootstrap_; }
    topic_registry& registry() noexcept { return registry_; }
    metadata_home& home() noexcept { return *home_; }

    std::size_t shard_count() const noexcept { return shards_.size(); }
    shard& at(std::uint32_t index) noexcept { return *shards_[index]; }
    // The shard on the loop that this thread is on; nullptr where there is none.
    shard* here() noexcept {
        const event_loop* loop = event_loop::current();
        if (loop == nullptr) return nullptr;
        for (std::size_t i = 0; i < loops_.size(); ++i) {
            if (loops_[i] == loop) return shards_[i].get();
        }
        return nullptr;
    }

    state current_state() const noexcept { return state_.load(std::memory_order_acquire); }
    bool is_open() const noexcept { return state_.load(std::memory_order_relaxed) == state::running; }

    // ---- any thread
    std::shared_ptr<topic_entry> entry_for(std::string_view name) { return registry_.find_or_add(name); }
    topic handle_for(std::string_view name) { return topic_access::handle(entry_for(name)); }
    // On a shard's loop: as send(), but what would have to wait is not begun.
    result<delivery> try_send_at(shard& at, const record& sent);
    // Copies the record and pushes it to the shard that owns its partition, or to the one that finds out which. Accepted at
    // once where the ingress has credit; else `sent` waits for its staged record.
    // `started`: when the call began to wait, if it has.
    void stage(send_operation& sent, time_point started = {});
    // On the loop of `at`, where try_accept() said what the record has to wait for: a copy waits, in the order of the calls.
    void stage_here(send_operation& sent, shard& at, send_status why);
    // As stage(), but never waits: would_block.
    result<delivery> try_stage(const record& sent, bool is_placed = false);
    void flush(std::function<void()> done);
    void close(std::chrono::nanoseconds timeout, std::function<void()> done);
    // The handle is gone: abort, and let the shards end by themselves.
    void abandon();

    bool is_valid(const record& checked) const noexcept {
        const topic_entry* handle = checked.topic.entry();
        if (checked.partition < any_partition || checked.timestamp < time_of_send) return false;
        return handle != nullptr ? handle->of == this : is_valid_name(checked.topic.name());
    }
    static bool is_valid_name(std::string_view topic) noexcept;
    std::string why_invalid(const record& checked) const;
    // What the last lost connection was about, for time-out texts.
    void set_connection_trouble(const std::string& text);
    std::string connection_trouble() const;

    // ---- shards, on their loops
    void want_topic(shard& from, const std::shared_ptr<topic_entry>& topic, time_point now);
    void want_update(shard& from);
    void want_hint(shard& from, const leader_hint& hint);
    void publish(const std::shared_ptr<const snapshot>& view);
    void on_shard_closed();
    // Shard 0 ends: whoever still waits for the bootstrap servers is told.
    void end_bootstrap();
    void on_abandoned();
    void report_dropped(const shared_text& topic, std::int32_t partition, std::uint32_t count,
                        const batch_result& why) const;

private:
    // Where a record from another thread goes.
    struct route {
        shard* target = nullptr;
        std::int32_t partition = any_partition;
        std::uint32_t home = 0;
        bool is_routed = false;
    };
    route find_route(topic_entry& topic, const record& sent, bool is_placed);
    topic_entry& entry_of(const record& sent);
    void look_up_bootstrap();
    void finish_start(error_code why, const std::string& text);
    void on_all_shards(std::function<void(shard&, std::function<void()>)> act, std::function<void()> done,
                       const std::function<void()>& on_closed_one = nullptr);

    producer_config config_;
    logger log_;
    connection_config connection_config_;
    sender_config sender_config_;
    std::vector<host_port> bootstrap_;
    topic_registry registry_;
    std::vector<event_loop*> loops_;
    resolver_factory names_;
    std::vector<std::unique_ptr<shard>> shards_;
    std::unique_ptr<metadata_home> home_;
    std::atomic<state> state_{state::bootstrapping};
    std::atomic<std::size_t> shards_to_join_{0};
    std::atomic<std::size_t> open_shards_{0};
    std::unique_ptr<bootstrap_lookup> lookup_;
    started on_started_;
    mutable std::mutex trouble_mutex_;
    std::string connection_trouble_;
    std::shared_ptr<producer_core> self_;  // while a shard is on a loop
};

}  // namespace sluice
