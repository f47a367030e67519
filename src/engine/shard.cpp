#include "engine/shard.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "engine/exchanges.hpp"
#include "engine/producer_core.hpp"

namespace sluice {
namespace {

constexpr std::uint32_t chunk_size_max = 16 * 1024;
constexpr std::uint32_t chunk_size_min = 1024;
constexpr duration linger_slack_max = std::chrono::microseconds(250);
constexpr std::size_t ingress_budget_bytes = 512 * 1024;  // of staged records, a turn

// A batch of the usual size fits one chunk; smaller batches get smaller chunks, so that many partitions fit the budget.
std::uint32_t chunk_size_for(std::int32_t batch_size, std::size_t memory_bytes) {
    std::uint32_t size = chunk_size_min;
    while (size < chunk_size_max && size < static_cast<std::uint32_t>(batch_size)) size *= 2;
    while (size > 64 && size > memory_bytes) size /= 2;
    return size;
}

accumulator_limits limits_of(const producer_config& config, event_loop& loop) {
    accumulator_limits limits;
    limits.loop_token = &loop;
    limits.batch_size = static_cast<std::uint32_t>(config.batch_size);
    limits.linger = config.linger;
    limits.delivery_timeout = *config.delivery_timeout;
    limits.compression = config.compression_type;
    limits.compression_level = config.compression_level();
    limits.read_clock = [&loop] { return loop.io().now(); };
    return limits;
}

}  // namespace

shard::shard(producer_core& core, event_loop& loop, std::uint32_t index, std::size_t memory_bytes,
             std::uint64_t seed, std::unique_ptr<resolver> names)
    : core_(core),
      loop_(loop),
      index_(index),
      randomness_(seed),
      log_(core.log()),
      pool_(memory_bytes, chunk_size_for(core.config().batch_size, memory_bytes)),
      accumulator_(limits_of(core.config(), loop), pool_),
      sender_(core.sending(), accumulator_, randomness_.next()),
      names_(std::move(names)),
      batch_size_(core.sending().batch_size),
      linger_slack_(std::min<duration>(core.config().linger / 16, linger_slack_max)) {
    const std::size_t overhead = batch_size_upper_bound(0);
    const auto request_max = static_cast<std::size_t>(core.config().max_request_size);
    content_size_max_ = std::min(request_max - std::min(request_max, overhead),
                                 this->memory_bytes() - std::min(this->memory_bytes(), record_overhead_max));
}

shard::~shard() {
    ensure(phase_ == phase::closed);
    ensure(connections_.empty());
}

std::size_t shard::memory_bytes() const noexcept {
    return std::size_t{pool_.capacity_chunks()} * pool_.chunk_size_bytes();
}

bool shard::post(std::unique_ptr<control_message> message) noexcept {
    if (!control_.push(*message)) return false;
    static_cast<void>(message.release());
    loop_.ring();
    return true;
}

// ---- a turn

bool shard::has_messages() const noexcept {
    if (!control_.empty() || !pushed_.empty() || !yielded_.empty()) return true;
    if (accumulator_.has_to_compress() || has_late_memory_) return true;
    return !ingress_.empty() && !ingress_waiter_.waits_for_memory();
}

void shard::take_messages(time_point now) {
    for (control_message* next = control_.take_all(); next != nullptr;) {
        const std::unique_ptr<control_message> message(next);
        next = mpsc_queue<control_message>::next(*message);
        // A control message counts for everything that was pushed before it.
        receive_staged(now);
        message->run(*this);
    }
    receive_staged(now);
    if (!accumulator_.is_compression_behind()) run_ingress(now, ingress_budget_bytes);
}

void shard::on_time(time_point now) {
    accumulator_.end_lingering(after(now, linger_slack_));
    sender_.on_time(now);
    expire_unappended(now);
    for (auto& [id, each] : connections_) {
        static_cast<void>(id);
        each->on_time(now);
    }
    if (close_deadline_ <= now && phase_ == phase::closing) abort();
}

void shard::serve(time_point now) {
    turn_bytes_ = 0;
    turn_sends_ = 0;
    has_late_memory_ = false;
    accumulator_.compress_in_turn();  // before the memory that it gives back is lent again
    list_of<topic_waiter, topic_waiter> yielded;
    yielded.splice(yielded.end(), yielded_);
    while (!yielded.empty()) {
        topic_waiter& next = yielded.front();
        next.serve_topic(now);
        ensure(yielded.empty() || &yielded.front() != &next);
    }
    pool_.serve(now);
    // Nothing will be released any more, and the one who waits needs what the ingress holds.
    if (credit_chunks_ != 0 && pool_.has_waiters() &&
        pool_.free_chunks() + credit_chunks_ == pool_.capacity_chunks()) {
        withdraw_credit();
        pool_.serve(now);
    }
}

void shard::drain(time_point now) {
    publish_credit();
    if (phase_ == phase::closed) return;
    // Waiting callers, a flush and the end make every batch sendable (ACC-9).
    accumulator_.set_forced(pool_.has_waiters() || !flushes_.empty() || phase_ != phase::running);
    sender_.collect();
    if (const batch_result* fatal = sender_.fatal(); fatal != nullptr && !accumulator_.is_empty()) {
        sender_.fail_all(fatal->error, fatal->message.view());
    }
    const std::int64_t free_before = pool_.free_chunks();
    send_requests(now);
    // Compressing what is sent gives memory back when the waiters have been served.
    has_late_memory_ = pool_.free_chunks() > free_before && pool_.has_waiters();
    if (sender_.wants_metadata()) tell_home(now);
    if (index_ == 0) core_.home().run(now);
    wake_finished();
    check_flushes();
    if (phase_ != phase::running) advance_closing(now);
}

time_point shard::next_deadline() const {
    time_point soonest = std::min({accumulator_.next_deadline(), sender_.next_deadline(),
                                   unappended_deadline(), close_deadline_, next_try_});
    for (const auto& [id, each] : connections_) {
        static_cast<void>(id);
        soonest = std::min(soonest, each->next_deadline());
    }
    if (index_ == 0) soonest = std::min(soonest, core_.home().next_deadline());
    return soonest;
}

// Results go to the loop here, once a turn: whoever waits is resumed in its resume phase, in the order of the records.
void shard::wake_finished() {
    tell_refused();
    accumulator_.take_finished([this](result_block& block) {
        if (block.result().error) tell_dropped(block);
        loop_.post_all(block.waiters());
        block.drop_reference();
    });
}

// Here, and not where they were refused: the user's function may send, cancel or destroy.
void shard::tell_refused() {
    for (const refused_delivery& each : std::exchange(refused_, {})) {
        core_.report_dropped(each.topic, each.partition, 1, each.why);
    }
}

// Deliveries that nobody holds any more: those that were given up here are counted in the block. Those of other threads
// wait in it, and are looked at when they have their result: until then somebody may drop one.
void shard::tell_dropped(result_block& failed) {
    if (failed.dropped_count() != 0) {
        core_.report_dropped(failed.topic(), failed.partition(), failed.dropped_count(), failed.result());
    }
    for (task& waiter : failed.waiters()) {
        if (staged_record* staged = staged_record::of(waiter)) staged->at = this;
    }
}

// ---- topics and leaders

void shard::set_view(const std::shared_ptr<const snapshot>& view) {
    view_ = view;
    for (const broker_node& each : view->brokers) {
        const auto found = connections_.find(each.id);
        if (found != connections_.end()) found->second->set_address(each.address);
    }
    for (std::size_t i = 0; i < topics_.size(); ++i) look_up(*topics_[i]);
    const time_point now = loop_.now();
    for (std::size_t i = 0; i < topics_.size(); ++i) serve_topic_waiters(*topics_[i], now);
}

// What the view says of a topic: kept if it is the same node and its leaders are still there.
void shard::look_up(shard_topic& topic) {
    const auto found = view_->topics.find(topic.name());
    std::shared_ptr<const topic_node> node = found != view_->topics.end() ? found->second : nullptr;
    topic.last_error = view_->error_of(topic.name());
    topic.is_wanted = false;
    const bool is_same = node == topic.node;
    topic.node = std::move(node);
    sender_.on_topic(topic.queues, topic.node.get(), *view_);
    if (is_same && topic.is_known()) {
        // Brokers may have come or gone under unchanged leaders.
        choose_candidates(topic);
        return;
    }
    topic.queues.partition_count = topic.partition_count();
    topic.sticky.forget();
    topic.sticky_queue = nullptr;
    choose_candidates(topic);
}

void shard::choose_candidates(shard_topic& topic) {
    const std::int32_t count = topic.partition_count();
    const auto shards = static_cast<std::int32_t>(core_.shard_count());
    // Consecutive partitions have consecutive owners, so the counts differ by one at most.
    const std::int32_t most = (count + shards - 1) / shards;
    const std::int32_t least = count / shards;
    topic.is_sticky_local = least >= 1 && (most - least) * 4 <= most;
    const auto add_candidates = [&](bool is_leader_needed) {
        for (std::int32_t partition = 0; partition < count; ++partition) {
            if (topic.is_sticky_local && topic.entry->owner_of(partition, core_.shard_count()) != index_)
                continue;
            const partition_node& node = topic.node->partitions[static_cast<std::size_t>(partition)];
            if (is_leader_needed && view_->find_broker(node.leader) == nullptr) continue;
            topic.candidates.push_back(partition);
        }
    };
    topic.candidates.clear();
    topic.candidates.reserve(static_cast<std::size_t>(topic.is_sticky_local ? most : count));
    add_candidates(true);
    if (topic.candidates.empty()) add_candidates(false);
    if (count == 0) return;
    // No common choice where each shard has its own, once the last shard has seen the partitions. And the home of
    // metadata sees to it that the common choice is one that can be made.
    std::atomic<std::int32_t>& common = topic.entry->common_choice;
    if (topic.is_sticky_local) return common.store(any_partition, std::memory_order_relaxed);
    if (index_ != 0) return;
    const std::int32_t chosen = common.load(std::memory_order_relaxed);
    const auto& candidates = topic.candidates;
    if (std::find(candidates.begin(), candidates.end(), chosen) == candidates.end()) {
        common.store(draw(topic), std::memory_order_relaxed);
    }
}

void shard::want_for_others(const std::shared_ptr<topic_entry>& topic) {
    add_topic(topic);
    core_.home().want(topic->name.view(), loop_.now());
}

void shard::serve_topic_waiters(shard_topic& topic, time_point now) {
    if (topic.waiters.empty() && topic.partition_waiters.empty()) return;
    list_of<topic_waiter, topic_waiter> waiting;
    waiting.splice(waiting.end(), topic.partition_waiters);
    waiting.splice(waiting.end(), topic.waiters);
    // Each leaves the list, for good or to wait again; in order.
    while (!waiting.empty()) {
        topic_waiter& next = waiting.front();
        next.serve_topic(now);
        ensure(waiting.empty() || &waiting.front() != &next);
    }
    if (!topic.waiters.empty() || !topic.partition_waiters.empty()) core_.want_update(*this);
}

// ---- connections

connection& shard::connection_to(std::int32_t node_id, const host_port& address) {
    std::unique_ptr<connection>& found = connections_[node_id];
    if (found == nullptr) {
        found = std::make_unique<connection>(loop_, *names_, *this, core_.connecting(), address, node_id,
                                             randomness_.next());
    }
    return *found;
}

void shard::on_ready(connection& ready, time_point) {
    log_.debug("connected to {} (node {})", ready.address().text(), ready.node_id());
    last_logged_.erase(ready.node_id());
    core_.set_connection_trouble({});  // whatever is missing now, it is not for want of a connection
    if (ready.node_id() >= 0) sender_.on_broker_usable(ready.node_id());
}

void shard::on_closed(connection& closed, error_code why, const std::string& text, time_point now) {
    if (closed.node_id() >= 0) sender_.on_broker_lost(closed.node_id());
    if (phase_ == phase::running || phase_ == phase::closing) {
        core_.set_connection_trouble(text);
        sender_.set_connection_trouble(text);
        // Mostly the text says what the code does, with the address.
        const std::string reason = why.message();
        log_trouble(closed,
                    text.find(reason) == std::string::npos ? fmt::format("lost: {} [{}]", text, reason)
                                                           : fmt::format("lost: {}", text),
                    now);
        core_.want_update(*this);  // NET-14
    }
    finish_if_quiet();
}

void shard::on_slow(connection& slow, const std::string& text, time_point now) {
    core_.set_connection_trouble(text);
    sender_.set_connection_trouble(text);
    log_trouble(slow, fmt::format("is slow: {}", text), now);
}

// A broker's trouble is told when it begins, and then every ten seconds.
void shard::log_trouble(const connection& with, const std::string& text, time_point now) {
    constexpr duration quiet_for = std::chrono::seconds(10);
    const auto last = last_logged_.find(with.node_id());
    if (last != last_logged_.end() && now - last->second < quiet_for) return;
    last_logged_[with.node_id()] = now;
    const std::string name =
        with.node_id() >= 0 ? fmt::format("broker {}", with.node_id()) : "bootstrap server";
    log_.warning("connection to {} {}", name, text);
}

}  // namespace sluice
