// Requests out, answers in.
#include <fmt/format.h>

#include "engine/exchanges.hpp"
#include "engine/producer_core.hpp"
#include "engine/shard.hpp"
#include "wire/api/init_producer_id.hpp"

namespace sluice {

// ---- Produce

void shard::send_requests(time_point now) {
    next_try_ = never;
    sender_.for_each_active([&](broker_queue& to) {
        const broker_node* node = view_ != nullptr ? view_->find_broker(to.node_id) : nullptr;
        const auto found = connections_.find(to.node_id);
        connection* over = found != connections_.end() ? found->second.get() : nullptr;
        if (over == nullptr) {
            if (node == nullptr) return;
            over = &connection_to(to.node_id, node->address);
        }
        if (over->is_ready()) return send_produce(to, *over, now);
        if (!over->is_idle() || phase_ == phase::aborting) return;
        if (over->may_open(now)) {
            over->open(now);
        } else {
            next_try_ = std::min(next_try_, over->next_attempt());
        }
    });
    if (sender_.wants_identity()) ask_identity(now);
}

void shard::send_produce(broker_queue& to, connection& over, time_point now) {
    bool has_sent = false;
    for (;;) {
        produce_exchange& next = idle_exchange();
        if (!sender_.fill(to, next.attempt, now)) break;
        const auto version = over.versions().version_for(wire::api_key::produce);
        if (!version) {
            set_fatal(errc::unsupported_version,
                      fmt::format("broker {} has no version of Produce that we speak", to.node_id));
            sender_.on_lost(next.attempt, errc::unsupported_version, false, "", now);
            break;
        }
        next.frame.clear();
        next.key = wire::api_key::produce;
        if (const error_code error =
                sender_.encode(next.attempt, *version, core_.connecting().client_id, next.frame)) {
            if (error == broker_errc::unsupported_compression_type) {
                sender_.on_refused(
                    next.attempt, error,
                    fmt::format("broker {} is too old for compression.type={}: it knows Produce up to "
                                "version {}",
                                to.node_id, to_string(core_.config().compression_type), *version),
                    now);
                continue;
            }
            sender_.on_lost(next.attempt, error, false, "the request could not be written", now);
            continue;
        }
        idle_exchanges_.pop_back();
        next.version = next.attempt.version;
        next.expects_answer = core_.sending().acks != 0;
        next.over = &over;
        over.send(next, now);
        has_sent = true;
    }
    if (has_sent) over.flush(now);
}

produce_exchange& shard::idle_exchange() {
    if (idle_exchanges_.empty()) {
        exchanges_.push_back(std::make_unique<produce_exchange>(*this));
        idle_exchanges_.push_back(exchanges_.back().get());
    }
    return *idle_exchanges_.back();
}

void shard::on_exchange_idle(produce_exchange& idle) {
    idle_exchanges_.push_back(&idle);
    finish_if_quiet();
}

void produce_exchange::on_written(time_point) {
    if (expects_answer) return;
    ending_ = ending::answered;
    shard_.sending().on_written(attempt);
}

void produce_exchange::on_answer(bytes body, time_point now) {
    const error_code error = shard_.sending().on_answer(attempt, body, now);
    ending_ = ending::answered;
    if (!error) return;
    ending_ = ending::lost;
    lost_by_ = error;
    was_sent_ = true;
    over->close(error, fmt::format("{}: an answer to Produce that cannot be read", over->address().text()),
                now);
}

void produce_exchange::on_failure(error_code why, bool was_sent, time_point) {
    ending_ = ending::lost;
    lost_by_ = why;
    was_sent_ = was_sent;
}

// Only now may the batches go on: the kernel does not read their bytes any more.
void produce_exchange::on_released() {
    if (ending_ == ending::lost) {
        shard_.sending().on_lost(attempt, lost_by_, was_sent_, lost_by_.message(), shard_.loop().now());
    }
    ending_ = ending::open;
    over = nullptr;
    shard_.on_exchange_idle(*this);
}

// ---- InitProducerId

void shard::ask_identity(time_point now) {
    if (identity_ == nullptr) identity_ = std::make_unique<identity_exchange>(*this);
    if (identity_->is_under_way || phase_ == phase::aborting) return;
    if (identity_->not_before > now) {
        next_try_ = std::min(next_try_, identity_->not_before);
        return;
    }
    // Any broker will do; there is one whose leader queue waits, or is being connected to.
    for (auto& [id, each] : connections_) {
        static_cast<void>(id);
        if (each->is_ready()) return identity_->send(*each, now);
    }
}

void identity_exchange::send(connection& to, time_point now) {
    const auto supported = to.versions().version_for(wire::api_key::init_producer_id);
    if (!supported) {
        shard_.set_fatal(errc::unsupported_version,
                         fmt::format("{} does not know InitProducerId, which idempotence needs: set "
                                     "enable.idempotence=false for brokers before 0.11",
                                     to.address().text()));
        return;
    }
    wire::init_producer_id_request request;
    request.transaction_timeout_ms = std::numeric_limits<std::int32_t>::max();
    key = wire::api_key::init_producer_id;
    version = *supported;
    frame.clear();
    const error_code error =
        wire::write_request(frame, request, version, 0, shard_.core().connecting().client_id);
    ensure(!error);
    is_under_way = true;
    over = &to;
    to.send(*this, now);
    to.flush(now);
}

void identity_exchange::on_answer(bytes body, time_point now) {
    wire::init_producer_id_response answer;
    wire::reader in(body);
    if (const error_code error = wire::decode(answer, version, in)) {
        over->close(
            error, fmt::format("{}: an answer to InitProducerId that cannot be read", over->address().text()),
            now);
        return retry_later(error, now);
    }
    if (answer.error_code == 0) {
        failures_ = 0;
        shard_.sending().set_identity({answer.producer_id, answer.producer_epoch});
        return;
    }
    const error_code error(answer.error_code, broker_category());
    if (error == condition::retriable) return retry_later(error, now);
    shard_.set_fatal(error, fmt::format("InitProducerId: {}", error.message()));
}

void identity_exchange::on_failure(error_code why, bool, time_point now) {
    retry_later(why, now);
}

void identity_exchange::retry_later(error_code why, time_point now) {
    const sender_config& config = shard_.core().sending();
    const backoff wait(config.retry_backoff, config.retry_backoff_max);
    not_before = after(now, wait.wait(failures_++, shard_.randomness()));
    shard_.core().log().info("InitProducerId will be asked again: {}", why.message());
}

void identity_exchange::on_released() {
    is_under_way = false;
    over = nullptr;
    shard_.finish_if_quiet();
}

void shard::set_fatal(error_code why, const std::string& text) {
    if (sender_.fatal() != nullptr) return;
    log_.error("the producer has failed for good: {}", text);
    sender_.set_fatal(why, text);
}

// ---- metadata

void shard::tell_home(time_point now) {
    sender::metadata_wants wants = sender_.take_metadata_wants();
    for (const topic_queues* each : wants.topics) {
        const auto found = topics_by_name_.find(each->name.view());
        if (found != topics_by_name_.end()) want(*found->second, now);
    }
    for (const leader_hint& each : wants.hints) core_.want_hint(*this, each);
    core_.want_update(*this);
}

connection* shard::least_loaded_connection(time_point now, time_point& next_try) {
    next_try = never;
    connection* best = nullptr;
    bool is_one_opening = false;
    for (auto& [id, each] : connections_) {
        static_cast<void>(id);
        if (each->is_ready()) {
            if (best == nullptr || each->in_flight_count() < best->in_flight_count()) best = each.get();
        } else if (!each->is_idle()) {
            is_one_opening = true;
        }
    }
    if (best != nullptr || is_one_opening) return best;

    // None: open one, of those that may be tried now; from a random one on (NET-15).
    std::vector<std::pair<std::int32_t, host_port>> candidates;
    if (view_ != nullptr) {
        for (const broker_node& each : view_->brokers) candidates.emplace_back(each.id, each.address);
    }
    if (candidates.empty()) {
        std::int32_t id = -1;
        for (const host_port& each : core_.bootstrap()) candidates.emplace_back(id--, each);
    }
    const std::size_t start = randomness_.below(candidates.size());
    for (std::size_t i = 0; i < candidates.size(); ++i) {
        const auto& [id, address] = candidates[(start + i) % candidates.size()];
        connection& each = connection_to(id, address);
        if (each.may_open(now)) {
            each.open(now);
            return nullptr;
        }
        if (each.is_idle()) next_try = std::min(next_try, each.next_attempt());
    }
    return nullptr;
}

}  // namespace sluice
