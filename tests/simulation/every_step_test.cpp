// Giving up at every step: a fixed scenario, in which one call is cancelled or destroyed after k steps of the world, for
// k = 0, 1, ... until it is over before. Its neighbours never notice: they are acknowledged, in order, once; what was
// withdrawn is not stored; memory, sockets and waiters are all gone at the end.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <optional>

#include "producer/create.hpp"
#include "simulation/foreign_context.hpp"
#include "simulation/record_journal.hpp"
#include "simulation/running_call.hpp"
#include "testing/sim_cluster.hpp"
#include "testing/sim_loop.hpp"
#include "testing/sim_network.hpp"
#include "testing/sim_reactor.hpp"
#include "testing/sim_resolver.hpp"
#include "testing/sim_world.hpp"

namespace sluice::simulation {
namespace {

using namespace std::chrono_literals;
using detail::cancel_kind;

enum class victim {
    create,
    send_to_unknown_topic,
    send,             // memory is free
    send_for_memory,  // there is none
    send_elsewhere,   // another shard owns the partition
    deliver,
    deliver_elsewhere,
    delivery,
    flush,
    partitions_for,
    close
};
constexpr const char* victim_names[] = {
    "create",  "send_to_unknown_topic", "send",     "send_for_memory", "send_elsewhere",
    "deliver", "deliver_elsewhere",     "delivery", "flush",           "partitions_for",
    "close"};
enum class way { raw, native, coroutine, tuple, callback, callback_on_other_loop, callback_on_no_loop };
constexpr const char* way_names[] = {
    "raw", "native", "coroutine", "tuple", "callback", "callback_on_other_loop", "callback_on_no_loop"};
enum class giving_up { cancel, cancel_totally, destroy };
constexpr const char* giving_up_names[] = {"cancelled", "cancelled_totally", "destroyed"};

struct scenario {
    victim who;
    way how;
    giving_up end;
    bool has_faults;
};

schedule_plan plan_for(const scenario& wanted) {
    schedule_plan made;
    made.seed = 7;
    made.cluster.broker_count = 2;
    testing::topic_config config;
    config.partition_count = 2;
    config.replication_factor = 1;
    made.topics.push_back({"orders", config, true});
    made.producer.client_id = "simulated";
    made.producer.seed = 1;
    made.producer.log = nullptr;
    made.producer.linger = 2ms;
    made.producer.batch_size = 2048;
    made.producer.buffer_memory = 2 * 8192;
    made.producer.max_block = 5s;
    made.producer.request_timeout = 1s;
    made.producer.delivery_timeout = 10s;
    made.faults = testing::fault_plan::calm();
    made.faults.heals_after = 1s;
    if (wanted.has_faults) {
        made.faults.reset = 0.5;
        made.faults.reset_within = 20ms;
        made.faults.cancelled_too_late = 0.5;
        made.faults.short_send = 0.5;
    }
    return made;
}

class stage {
public:
    explicit stage(const scenario& wanted)
        : wanted_(wanted),
          plan_(plan_for(wanted)),
          world_(plan_.seed, plan_.faults),
          network_(world_),
          brokers_(network_, plan_.cluster),
          journal_(plan_, [this](std::string what) { complain(std::move(what)); }),
          foreign_(std::in_place, world_) {
        static_cast<void>(brokers_.cluster().create_topic("orders", plan_.topics[0].config));
        for (int i = 0; i < 2; ++i) {
            loops_.push_back(std::make_unique<testing::sim_loop>(network_, fmt::format("loop-{}", i)));
        }
    }
    ~stage() {
        producer_.reset();
        loops_.clear();
        foreign_.reset();
    }

    // False if the victim was over before it was given up.
    bool run(int steps) {
        const bool was_early = play(steps);
        for (const std::string& each : world_.findings()) complain("found: " + each);
        return was_early;
    }
    const std::vector<std::string>& violations() const noexcept { return violations_; }
    std::uint64_t trace_hash() const noexcept { return world_.trace_hash(); }

private:
    void complain(std::string what) { violations_.push_back(std::move(what)); }

    bool wait_until(const char* what, const std::function<bool()>& predicate) {
        const testing::run_result result = world_.run_until(predicate, 5min);
        if (!result) complain(fmt::format("{}: {} {}", what, to_string(result.how), result.waiting));
        return static_cast<bool>(result);
    }
    bool are_calls_over() const {
        return std::ranges::all_of(calls_, [](const auto& each) { return each->is_over(); });
    }

    template <class Operation>
    std::unique_ptr<running_call> make(way how, Operation operation, call_events<Operation> events) {
        using loop_executor = loop::executor_type;
        events.complain = [this](std::string what) { complain(std::move(what)); };
        auto here = loops_[0]->facade().get_executor();
        auto other = loops_[1]->facade().get_executor();
        switch (how) {
            case way::raw:
                return std::make_unique<raw_call<Operation>>(std::move(operation), std::move(events));
            case way::native:
                return std::make_unique<native_call<Operation>>(std::move(operation), std::move(events));
            case way::coroutine:
            case way::tuple:
                return std::make_unique<coroutine_call<Operation, loop_executor>>(
                    std::move(operation), std::move(events), here, how == way::tuple);
            case way::callback:
                return std::make_unique<callback_call<Operation, loop_executor>>(std::move(operation),
                                                                                 std::move(events), here);
            case way::callback_on_other_loop:
                return std::make_unique<callback_call<Operation, loop_executor>>(std::move(operation),
                                                                                 std::move(events), other);
            case way::callback_on_no_loop: break;
        }
        return std::make_unique<callback_call<Operation, foreign_context::executor_type>>(
            std::move(operation), std::move(events), foreign_->get_executor());
    }
    template <class Operation>
    running_call& launch(way how, std::string name, Operation operation, call_events<Operation> events) {
        calls_.push_back(make(how, std::move(operation), std::move(events)));
        calls_.back()->name = std::move(name);
        const loop::scope here(loops_[0]->facade());
        calls_.back()->start();
        return *calls_.back();
    }

    call_operation<producer> creation() {
        producer_config config = plan_.producer;
        config.bootstrap_servers = brokers_.bootstrap();
        config.on_delivery_error = [this](const delivery_failure& failure) {
            journal_.on_dropped_failure(failure);
        };
        return create_with({&loops_[0]->events(), &loops_[1]->events()}, config,
                           [this](event_loop& on) -> std::unique_ptr<resolver> {
                               testing::sim_loop& of = &loops_[0]->events() == &on ? *loops_[0] : *loops_[1];
                               return std::make_unique<testing::sim_resolver>(of, network_);
                           });
    }
    call_events<call_operation<producer>> creation_events() {
        call_events<call_operation<producer>> events;
        events.ends = [this](error_code why, producer made, bool) {
            if (!why) producer_.emplace(std::move(made));
        };
        return events;
    }

    // Of loop 0, or of loop 1.
    std::int32_t partition_of(std::uint32_t shard) {
        producer_core& core = producer_access::core(*producer_);
        const auto entry = core.registry().find_or_add("orders");
        return entry->owner_of(0, 2) == shard ? 0 : 1;
    }
    sent_record& make_record(std::uint32_t shard, std::size_t size, bool is_confined) {
        sent_record& made = journal_.add();
        made.topic = "orders";
        made.partition = partition_of(shard);
        made.value = fmt::format("{} {}", made.id, std::string(size, 'x'));
        made.place = 0;
        made.is_confined = is_confined;
        return made;
    }

    running_call& deliver(way how, sent_record& sent) {
        sent.is_deliver = true;
        call_events<deliver_operation> events;
        events.begins = [this, &sent] { journal_.begins(sent, world_.now()); };
        events.ends = [this, &sent](error_code why, record_metadata metadata, bool knows) {
            if (why == asio::error::operation_aborted) {
                return journal_.is_withdrawn(sent, knows && metadata.outcome == outcome::not_persisted);
            }
            journal_.is_finished(sent, why, metadata, knows, world_.now());
        };
        running_call& call = launch(how, fmt::format("deliver #{}", sent.id), producer_->deliver(sent.view()),
                                    std::move(events));
        call.subject = sent.id;
        return call;
    }
    running_call& send(way how, sent_record& sent) {
        call_events<send_operation> events;
        events.begins = [this, &sent] { journal_.begins(sent, world_.now()); };
        events.ends = [this, &sent](error_code why, delivery given, bool) {
            if (why == asio::error::operation_aborted) return journal_.is_withdrawn(sent, true);
            if (why) return journal_.is_refused(sent, why, world_.now());
            journal_.is_accepted(sent, world_.now());
            sent.second = given.poll() ? sent_record::result::stopped : sent_record::result::dropped;
        };
        running_call& call =
            launch(how, fmt::format("send #{}", sent.id), producer_->send(sent.view()), std::move(events));
        call.subject = sent.id;
        return call;
    }
    template <class Operation>
    running_call& plain(way how, const char* name, Operation operation) {
        call_events<Operation> events;
        events.ends = [this, name](error_code why, value_of<Operation>, bool) {
            if (why && why != asio::error::operation_aborted)
                complain(fmt::format("{} failed: {}", name, why.message()));
        };
        return launch(how, name, std::move(operation), std::move(events));
    }

    running_call& begin_victim() {
        const bool is_confined = wanted_.how < way::callback_on_other_loop;
        switch (wanted_.who) {
            case victim::create: return launch(wanted_.how, "create", creation(), creation_events());
            case victim::send_to_unknown_topic:
            case victim::send: return send(wanted_.how, make_record(0, 100, is_confined));
            case victim::send_for_memory: return send(wanted_.how, make_record(0, 3000, is_confined));
            case victim::send_elsewhere: return send(wanted_.how, make_record(1, 3000, is_confined));
            case victim::deliver: return deliver(wanted_.how, make_record(0, 100, is_confined));
            case victim::deliver_elsewhere: return deliver(wanted_.how, make_record(1, 3000, is_confined));
            case victim::delivery: return await_delivery();
            case victim::flush: return plain(wanted_.how, "flush", producer_->flush());
            case victim::partitions_for:
                return plain(wanted_.how, "partitions_for", producer_->partitions_for("orders"));
            case victim::close: break;
        }
        journal_.producer_closes();
        return plain(wanted_.how, "close", producer_->close());
    }
    running_call& await_delivery() {
        sent_record& sent = make_record(0, 100, true);
        delivery given;
        {
            const loop::scope here(loops_[0]->facade());
            journal_.begins(sent, world_.now());
            auto tried = producer_->try_send(sent.view());
            if (!tried) {
                complain("try_send() failed: " + tried.error().message());
            } else {
                given = std::move(*tried);
                journal_.is_accepted(sent, world_.now());
            }
        }
        sent.second = sent_record::result::awaited;
        call_events<delivery> events;
        events.ends = [this, &sent](error_code why, record_metadata metadata, bool knows) {
            if (why == asio::error::operation_aborted) {
                sent.second = sent_record::result::stopped;
                return;
            }
            journal_.is_finished(sent, why, metadata, knows, world_.now());
        };
        running_call& call = launch(wanted_.how, "delivery", std::move(given), std::move(events));
        call.subject = sent.id;
        call.awaits_delivery = true;
        return call;
    }

    void give_up(std::size_t index) {
        const loop::scope here(loops_[0]->facade());
        running_call& call = *calls_[index];
        if (wanted_.end != giving_up::destroy || !call.can_destroy()) {
            return call.cancel(wanted_.end == giving_up::cancel_totally ? cancel_kind::total
                                                                        : cancel_kind::any);
        }
        const std::uint64_t id = call.subject;
        const bool awaits_delivery = call.awaits_delivery;
        calls_[index] = std::make_unique<ended_call>();
        if (id == ~std::uint64_t{0}) return;
        sent_record& sent = journal_.at(id);
        if (awaits_delivery) {
            sent.second = sent_record::result::stopped;
        } else {
            journal_.is_withdrawn(sent, sent.begun == not_yet);  // else another shard may have been quicker
        }
    }

    bool play(int steps) {
        if (wanted_.who != victim::create) {
            launch(way::raw, "create", creation(), creation_events());
            if (!wait_until("create", [this] { return producer_.has_value(); })) return false;
        }
        if (wanted_.who != victim::create && wanted_.who != victim::send_to_unknown_topic) {
            plain(way::raw, "partitions_for", producer_->partitions_for("orders"));
            if (!wait_until("the topic", [this] { return are_calls_over(); })) return false;
            world_.run_for(10ms);
        }
        const bool wants_memory = wanted_.who == victim::send_for_memory ||
                                  wanted_.who == victim::send_elsewhere ||
                                  wanted_.who == victim::deliver_elsewhere;
        const std::size_t size = wants_memory ? 3000 : 50;
        const std::uint32_t shard =
            wanted_.who == victim::send_elsewhere || wanted_.who == victim::deliver_elsewhere;
        if (producer_) {
            for (int i = 0; i < 3; ++i) deliver(way::raw, make_record(shard, size, true));
        }
        begin_victim();
        const std::size_t index = calls_.size() - 1;
        if (producer_ && wanted_.who != victim::close) {
            for (int i = 0; i < 3; ++i) deliver(way::raw, make_record(shard, size, true));
        }

        int done = 0;
        wait_until("the steps",
                   [&] { return done++ >= steps || (calls_[index]->is_over() && are_calls_over()); });
        const bool was_over = calls_[index]->is_over();
        if (!was_over) give_up(index);

        if (!wait_until("the neighbours", [this] { return are_calls_over(); })) return false;
        if (producer_) {
            journal_.producer_closes();
            plain(way::raw, "flush", producer_->flush());
            plain(way::raw, "close", producer_->close());
            if (!wait_until("the end", [this] { return are_calls_over(); })) return false;
            check_neighbours(index);
            check_quiet();
        } else {
            world_.run_for(1min);  // of a creation that was given up: all of it goes by itself
        }
        for (const auto& each : loops_) {
            if (each->io().socket_count() + each->io().pending_count() != 0)
                complain(each->name() + " is not quiet");
        }
        world_.run_for(1min);
        journal_.check(brokers_.cluster());
        return !was_over;
    }
    void check_neighbours(std::size_t index) {
        for (const sent_record& each : journal_.all()) {
            if (each.id == calls_[index]->subject || each.second != sent_record::result::finished) continue;
            if (each.error && wanted_.who != victim::close) complain(each.text() + " has noticed");
        }
    }
    void check_quiet() {
        producer_core& core = producer_access::core(*producer_);
        for (std::uint32_t i = 0; i < 2; ++i) {
            const buffer_pool& pool = core.at(i).pool();
            if (pool.free_chunks() != pool.capacity_chunks())
                complain(fmt::format("shard {} has lent memory", i));
        }
        if (core.current_state() != producer_core::state::closed) complain("it is not closed");
    }

    const scenario wanted_;
    const schedule_plan plan_;
    testing::sim_world world_;
    testing::sim_network network_;
    testing::sim_cluster brokers_;
    std::vector<std::string> violations_;
    record_journal journal_;
    std::optional<foreign_context> foreign_;
    std::vector<std::unique_ptr<testing::sim_loop>> loops_;
    std::optional<producer> producer_;
    std::vector<std::unique_ptr<running_call>> calls_;
};

class EveryStep : public ::testing::TestWithParam<scenario> {};

TEST_P(EveryStep, GivingUpIsNoticedByNobodyElse) {
    constexpr int steps_max = 2000;
    for (int steps = 0; steps < steps_max; ++steps) {
        stage played(GetParam());
        const bool was_in_time = played.run(steps);
        for (const std::string& each : played.violations())
            ADD_FAILURE() << "after " << steps << " steps: " << each;
        if (HasFailure()) return;
        if (!was_in_time) {
            RecordProperty("steps", std::to_string(steps));
            return;
        }
    }
    FAIL() << "it is never over";
}

std::vector<scenario> all_scenarios() {
    std::vector<scenario> all;
    for (int who = 0; who <= static_cast<int>(victim::close); ++who) {
        for (int how = 0; how <= static_cast<int>(way::callback_on_no_loop); ++how) {
            for (const giving_up end : {giving_up::cancel, giving_up::cancel_totally, giving_up::destroy}) {
                const bool can_destroy = how <= static_cast<int>(way::native);
                const bool can_cancel = how != static_cast<int>(way::native);
                if (end == giving_up::destroy ? !can_destroy : !can_cancel) continue;
                for (const bool has_faults : {false, true}) {
                    all.push_back({static_cast<victim>(who), static_cast<way>(how), end, has_faults});
                }
            }
        }
    }
    return all;
}

INSTANTIATE_TEST_SUITE_P(Simulation, EveryStep, ::testing::ValuesIn(all_scenarios()), [](const auto& tested) {
    const scenario& of = tested.param;
    return fmt::format("{}_{}_{}{}", victim_names[static_cast<int>(of.who)],
                       way_names[static_cast<int>(of.how)], giving_up_names[static_cast<int>(of.end)],
                       of.has_faults ? "_with_faults" : "");
});

}  // namespace
}  // namespace sluice::simulation
