#include "engine/producer_core.hpp"

#include <fmt/format.h>

#include "base/random.hpp"
#include "engine/run_on.hpp"
#include "partitioner/murmur2.hpp"

namespace sluice {
namespace {

constexpr std::size_t topic_name_size_max = 32767;  // what a string of the protocol can carry

std::atomic<std::uint32_t> thread_count{0};
// Threads that are on no loop get their home shards in turn.
std::uint32_t thread_ordinal() {
    thread_local const std::uint32_t ordinal = thread_count.fetch_add(1, std::memory_order_relaxed);
    return ordinal;
}

connection_config connection_config_of(const producer_config& config) {
    connection_config made;
    made.client_id = config.client_id;
    made.reconnect.backoff = config.reconnect_backoff;
    made.reconnect.backoff_max = *config.reconnect_backoff_max;
    made.reconnect.setup_timeout = config.socket_connection_setup_timeout;
    made.reconnect.setup_timeout_max = config.socket_connection_setup_timeout_max;
    made.request_timeout = config.request_timeout;
    made.in_flight_max = static_cast<std::size_t>(config.max_in_flight_requests_per_connection);
    made.socket.send_buffer_bytes = config.send_buffer;
    made.socket.receive_buffer_bytes = config.receive_buffer;
    return made;
}

sender_config sender_config_of(const producer_config& config) {
    sender_config made;
    made.acks = static_cast<std::int16_t>(config.acks);
    made.is_idempotent = config.is_idempotent();
    made.in_flight_max = static_cast<std::uint32_t>(config.max_in_flight_requests_per_connection);
    made.request_size_max = static_cast<std::uint32_t>(config.max_request_size);
    made.batch_size = static_cast<std::uint32_t>(std::max(config.batch_size, 1));
    made.request_timeout_ms = static_cast<std::int32_t>(config.request_timeout.count());
    made.retries = static_cast<std::uint32_t>(config.retries);
    made.delivery_timeout = *config.delivery_timeout;
    made.retry_backoff = config.retry_backoff;
    made.retry_backoff_max = config.retry_backoff_max;
    return made;
}

metadata_limits metadata_limits_of(const producer_config& config) {
    metadata_limits made;
    made.max_age = config.metadata_max_age;
    made.max_idle = config.metadata_max_idle;
    made.retry_backoff = config.retry_backoff;
    made.retry_backoff_max = config.retry_backoff_max;
    return made;
}

}  // namespace

producer_core::producer_core(producer_config config, std::vector<event_loop*> loops, resolver_factory names)
    : config_(std::move(config)),
      log_(config_.log, config_.client_id),
      connection_config_(connection_config_of(config_)),
      sender_config_(sender_config_of(config_)),
      bootstrap_(parse_bootstrap(config_.bootstrap_servers)),
      registry_(loops.size(), this),
      loops_(std::move(loops)),
      names_(std::move(names)) {
    random seeds(config_.seed);
    const std::size_t share = static_cast<std::size_t>(config_.buffer_memory) / loops_.size();
    for (std::uint32_t i = 0; i < loops_.size(); ++i) {
        shards_.push_back(
            std::make_unique<shard>(*this, *loops_[i], i, share, seeds.next(), names_(*loops_[i])));
    }
    home_ = std::make_unique<metadata_home>(*shards_.front(), metadata_limits_of(config_), seeds.next());
    for (const std::string& key : config_.unknown_keys) {
        log_.warning("{} is no key of Kafka's producer; it has no effect", key);
    }
}

producer_core::~producer_core() = default;

// ---- start

void producer_core::start(started done) {
    self_ = shared_from_this();
    on_started_ = std::move(done);
    shards_to_join_ = shards_.size();
    open_shards_ = shards_.size();
    for (const auto& each : shards_) {
        run_on(each->loop(), [this, joined = each.get()](task::fate what) {
            if (what == task::fate::run) {
                joined->loop().join(*joined);
            } else {
                joined->end_unjoined();
            }
            if (shards_to_join_.fetch_sub(1) == 1) {
                run_on(shards_.front()->loop(), [this](task::fate next) {
                    next == task::fate::run ? look_up_bootstrap()
                                            : finish_start(errc::closed, "the loop has ended");
                });
            }
        });
    }
}

void producer_core::look_up_bootstrap() {
    lookup_ = std::make_unique<bootstrap_lookup>(
        *shards_.front()->names_, bootstrap_, [this](bool is_any_known, const std::string& trouble) {
            if (is_any_known) return finish_start({}, {});
            finish_start(errc::bootstrap_failed, fmt::format("bootstrap.servers: {}", trouble));
        });
    lookup_->start();
}

void producer_core::finish_start(error_code why, const std::string& text) {
    started done = std::move(on_started_);
    state expected = state::bootstrapping;
    if (!why && !state_.compare_exchange_strong(expected, state::running)) {
        return done(errc::closed, "the producer was closed before it was ready");
    }
    done(why, text);
}

void producer_core::end_bootstrap() {
    lookup_.reset();
    if (on_started_) finish_start(errc::closed, "the loop has ended");
}

// ---- any thread

bool producer_core::is_valid_name(std::string_view topic) noexcept {
    return !topic.empty() && topic.size() <= topic_name_size_max;
}

std::string producer_core::why_invalid(const record& checked) const {
    if (checked.partition < any_partition) {
        return fmt::format("a record for topic {} has the partition {}, which is negative",
                           checked.topic.name(), checked.partition);
    }
    if (checked.timestamp < time_of_send) {
        return fmt::format("a record for topic {} has the timestamp {}, which is negative",
                           checked.topic.name(), checked.timestamp);
    }
    if (checked.topic.entry() != nullptr) {
        return fmt::format("the handle of topic {} belongs to another producer", checked.topic.name());
    }
    if (checked.topic.is_empty()) return "a record names no topic";
    return "a record's topic has a name that is too long for Kafka's protocol";
}

// Valid as long as this object: the registry keeps them all.
topic_entry& producer_core::entry_of(const record& sent) {
    if (topic_entry* handle = sent.topic.entry()) return *handle;
    return *registry_.find_or_add(sent.topic.name());
}

// Directly to the owner where that is known and nothing can be overtaken; else through the home of metadata.
producer_core::route producer_core::find_route(topic_entry& topic, const record& sent, bool is_placed) {
    route made;
    made.partition = sent.partition;
    shard* const caller = here();
    made.home =
        caller != nullptr ? caller->index() : static_cast<std::uint32_t>(thread_ordinal() % shards_.size());
    const std::int32_t count = topic.published_partition_count.load(std::memory_order_acquire);
    if (!is_placed) {
        made.is_routed =
            count == 0 || topic.routed_count.load(std::memory_order_acquire) != 0 || sent.partition >= count;
    }
    if (made.is_routed) {
        made.target = shards_.front().get();
        return made;
    }
    if (made.partition == any_partition) {
        made.partition = sent.key.is_null() ? topic.common_choice.load(std::memory_order_relaxed)
                                            : partition_of_key(sent.key.span(), count);
    }
    made.target = made.partition == any_partition
                      ? shards_[made.home].get()
                      : shards_[topic.owner_of(made.partition, shards_.size())].get();
    return made;
}

void producer_core::stage(send_operation& sent, time_point started) {
    const record& wanted = sent.record_;
    if (!is_open()) return sent.fail(errc::closed, shared_text("the producer is closed"));
    if (!is_valid(wanted)) return sent.fail(errc::invalid_record, shared_text(why_invalid(wanted)));
    topic_entry& topic = entry_of(wanted);
    const route to = find_route(topic, wanted, sent.is_placed_);
    const std::size_t content_size = record_content_size(wanted);
    if (const error_code too_large = to.target->check_size(content_size)) {
        return sent.fail(too_large, to.target->size_text(topic.name.view(), content_size));
    }
    staged_record* staged = staged_record::make(wanted, content_size, topic);
    staged->partition = staged->partition_asked = to.partition;
    staged->home = to.home;
    staged->started = started;
    staged->is_routed = to.is_routed;
    const bool is_accepted = !to.is_routed && to.target->try_pay(*staged);
    if (!is_accepted) staged->aside().give_up_at = sent.deadline_;
    if (to.is_routed) topic.routed_count.fetch_add(1, std::memory_order_relaxed);
    if (!to.target->push(*staged)) {
        if (to.is_routed) topic.routed_count.fetch_sub(1, std::memory_order_relaxed);
        staged->drop_reference();
        staged->drop_reference();
        return sent.fail(errc::closed, shared_text("the producer is closed"));
    }
    if (is_accepted) return sent.accept(delivery(*staged));
    sent.staged_ = staged;
    sent.state_ = send_operation::state::waiting_there;
}

void producer_core::stage_here(send_operation& sent, shard& at, send_status why) {
    staged_record* const staged =
        staged_record::make(sent.record_, record_content_size(sent.record_), entry_of(sent.record_));
    staged->partition = staged->partition_asked = sent.record_.partition;
    staged->home = at.index();
    staged->aside().give_up_at = sent.deadline_;
    at.wait_here(*staged, why);
    sent.staged_ = staged;
    sent.state_ = send_operation::state::waiting_there;
}

result<delivery> producer_core::try_stage(const record& sent, bool is_placed) {
    if (!is_open()) return errc::closed;
    if (!is_valid(sent)) return errc::invalid_record;
    topic_entry& topic = entry_of(sent);
    const route to = find_route(topic, sent, is_placed);
    const std::size_t content_size = record_content_size(sent);
    if (const error_code too_large = to.target->check_size(content_size)) return too_large;
    if (to.is_routed) {
        shards_.front()->post_function(
            [wanted = topic.shared_from_this()](shard& home) { home.want_for_others(wanted); });
        return errc::would_block;
    }
    staged_record* staged = staged_record::make(sent, content_size, topic);
    staged->partition = staged->partition_asked = to.partition;
    staged->home = to.home;
    const bool has_credit = to.target->try_pay(*staged);
    if (has_credit) {
        if (to.target->push(*staged)) return delivery(*staged);
    } else {
        to.target->post_function([](shard& on) { on.lend_credit(); });
    }
    staged->drop_reference();
    staged->drop_reference();
    return has_credit ? errc::closed : errc::would_block;
}

result<delivery> producer_core::try_send_at(shard& at, const record& sent) {
    result<delivery> given;  // returned by this name alone: an accepted record's is written in place
    shard::refusal why;
    switch (at.try_accept(sent, served_by::nobody, *given.operator->(), why)) {
        case send_status::accepted: break;
        case send_status::refused: given = result<delivery>(why.error); break;
        case send_status::elsewhere: {
            record placed = sent;
            placed.partition = why.partition;
            given = try_stage(placed, true);
            break;
        }
        default: given = result<delivery>(errc::would_block);
    }
    return given;
}

// Runs `act` on every shard, with a function to call there when it is done; then `done`, on the last of them.
void producer_core::on_all_shards(std::function<void(shard&, std::function<void()>)> act,
                                  std::function<void()> done, const std::function<void()>& on_closed_one) {
    struct shared_count {
        std::atomic<std::size_t> left;
        std::function<void()> done;
        void one_less() {
            if (left.fetch_sub(1, std::memory_order_acq_rel) == 1) done();
        }
    };
    auto count = std::make_shared<shared_count>();
    count->left = shards_.size();
    count->done = std::move(done);
    const auto shared_act = std::make_shared<decltype(act)>(std::move(act));
    for (const auto& each : shards_) {
        const bool is_posted = each->post_function(
            [shared_act, count](shard& on) { (*shared_act)(on, [count] { count->one_less(); }); });
        if (is_posted) continue;
        if (on_closed_one && each != shards_.front()) on_closed_one();
        count->one_less();  // nothing is left there
    }
}

void producer_core::flush(std::function<void()> done) {
    // What one shard has accepted may still be on its way to another: first all ingresses, then all batches.
    const std::shared_ptr<producer_core> self = shared_from_this();
    on_all_shards([](shard& on, std::function<void()> drained) { on.drain_ingress(std::move(drained)); },
                  [self, done = std::move(done)]() mutable {
                      self->on_all_shards(
                          [](shard& on, std::function<void()> flushed) { on.flush(std::move(flushed)); },
                          std::move(done));
                  });
}

void producer_core::close(std::chrono::nanoseconds timeout, std::function<void()> done) {
    state expected = state::running;
    if (!state_.compare_exchange_strong(expected, state::closing)) {
        expected = state::bootstrapping;
        state_.compare_exchange_strong(expected, state::closing);
    }
    const auto deadline_at = [timeout](const shard& on) {
        const bool is_for_ever = timeout > std::chrono::hours(24 * 365);
        return is_for_ever ? never : after(on.loop().now(), timeout);
    };
    // The home of metadata ends last: the others may need a new leader to send what they have.
    const auto open_others = std::make_shared<std::atomic<std::size_t>>(shards_.size());
    const std::shared_ptr<producer_core> self = shared_from_this();
    const auto one_less = [open_others, self] {
        if (open_others->fetch_sub(1) != 1) return;
        self->shards_.front()->post_function([](shard& home) { home.let_end(); });
    };
    shards_.front()->post_function([](shard& home) { home.hold_open(); });
    on_all_shards(
        [deadline_at, one_less](shard& on, std::function<void()> closed) {
            if (on.index() == 0) return on.close(deadline_at(on), std::move(closed));
            on.close(deadline_at(on), [closed = std::move(closed), one_less] {
                one_less();
                closed();
            });
        },
        std::move(done), one_less);
    one_less();
}

void producer_core::abandon() {
    state_.store(state::aborting, std::memory_order_release);
    const std::shared_ptr<producer_core> self = shared_from_this();
    on_all_shards(
        [](shard& on, std::function<void()> closed) { on.close(on.loop().now(), std::move(closed)); },
        [self] {});
}

void producer_core::set_connection_trouble(const std::string& text) {
    const std::lock_guard lock(trouble_mutex_);
    connection_trouble_ = text;
}

std::string producer_core::connection_trouble() const {
    const std::lock_guard lock(trouble_mutex_);
    return connection_trouble_;
}

// ---- shards

void producer_core::want_topic(shard& from, const std::shared_ptr<topic_entry>& topic, time_point now) {
    if (from.index() == 0) return home_->want(topic->name.view(), now);
    shards_.front()->post_function([topic](shard& home) { home.want_for_others(topic); });
}

void producer_core::want_update(shard& from) {
    if (from.index() == 0) return home_->request_update();
    shards_.front()->post_function([this](shard&) { home_->request_update(); });
}

void producer_core::want_hint(shard& from, const leader_hint& hint) {
    if (from.index() == 0) return home_->on_hint(hint);
    shards_.front()->post_function([this, topic = std::string(hint.topic), hint](shard&) {
        leader_hint told = hint;
        told.topic = topic;
        home_->on_hint(told);
    });
}

// To the other shards by message; here at once. Only then may other threads send to a topic's owners directly: whatever
// waited here for the topic is on its way by then.
void producer_core::publish(const std::shared_ptr<const snapshot>& view) {
    for (std::size_t i = 1; i < shards_.size(); ++i) {
        shards_[i]->post_function([view](shard& on) { on.set_view(view); });
    }
    shards_.front()->set_view(view);
    for (const auto& each : shards_.front()->topics()) {
        each->entry->published_partition_count.store(each->partition_count(), std::memory_order_release);
    }
}

void producer_core::on_abandoned() {
    state_.store(state::aborting, std::memory_order_release);
}

void producer_core::on_shard_closed() {
    if (open_shards_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    state_.store(state::closed, std::memory_order_release);
    const std::shared_ptr<producer_core> last = std::move(self_);  // may be the end of this
}

void producer_core::report_dropped(const shared_text& topic, std::int32_t partition, std::uint32_t count,
                                   const batch_result& why) const {
    delivery_failure failure;
    failure.topic = topic;
    failure.partition = partition;
    failure.record_count = count;
    failure.error = why.error;
    failure.outcome = why.outcome;
    failure.message = why.message;
    if (config_.on_delivery_error) return config_.on_delivery_error(failure);
    log_.warning("{} record(s) for {}-{} failed and nobody awaits them ({}): {}", failure.record_count,
                 failure.topic.view(), failure.partition, to_string(failure.outcome), failure.message.view());
}

}  // namespace sluice
