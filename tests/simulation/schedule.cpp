#include "simulation/schedule.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "engine/run_on.hpp"
#include "producer/create.hpp"
#include "simulation/broker_trouble.hpp"
#include "simulation/foreign_context.hpp"
#include "simulation/running_call.hpp"
#include "testing/sim_draw.hpp"
#include "testing/sim_hash.hpp"
#include "testing/sim_loop.hpp"
#include "testing/sim_network.hpp"
#include "testing/sim_reactor.hpp"
#include "testing/sim_resolver.hpp"
#include "testing/sim_world.hpp"

namespace sluice::simulation {
namespace {

using namespace std::chrono_literals;
using detail::cancel_kind;
using testing::between;
using testing::of_any_length;
using testing::of_any_size;
using testing::up_to;

constexpr int elsewhere = no_loop;
constexpr duration patience = 20min;  // for anything, after which it counts as hanging
constexpr duration slack = 3s;        // as in the journal
constexpr std::size_t violations_max = 20;

class schedule {
public:
    schedule(const schedule_plan& plan, std::function<void(std::string_view)> trace);
    ~schedule();
    schedule_result run();

private:
    struct caller {
        int place = elsewhere;
        bool is_sequential = false;  // waits for each call before the next one
        int steps_left = 0;
        std::size_t last_call = none;
        static constexpr std::size_t none = ~std::size_t{0};
    };
    struct held_delivery {
        delivery held;
        int place;
    };

    // ---- the frame
    void complain(std::string what);
    void tell(const std::string& what);
    void mark(std::uint64_t subject, std::uint64_t what) {
        world_.trace(testing::sim_trace::mark, subject, what);
    }
    bool wait_until(const char* what, const std::function<bool()>& predicate);
    bool make_producer();
    void end();
    void end_by_close();
    void end_by_destroying();
    void end_loops();
    void check_quiet(const char* when);

    // ---- places
    void at_place(int place, std::function<void()> act);
    int some_place() { return static_cast<int>(chance().below(loops_.size() + 1)) - 1; }
    random& chance() noexcept { return world_.chance(); }
    bool one_in(std::uint64_t count) { return chance().below(count) == 0; }
    template <class Operation>
    running_call& launch(int place, std::string name, Operation operation, call_events<Operation> events,
                         sent_record* sent = nullptr);
    template <class Operation>
    std::unique_ptr<running_call> wrap(int place, Operation operation, call_events<Operation> events,
                                       bool& is_confined);

    // ---- what callers do
    void plan_step(std::size_t index);
    void step(std::size_t index);
    sent_record& make_record(int place);
    record view(const sent_record& sent);
    time_point some_deadline(sent_record& sent);
    void send(caller& by);
    void try_send(caller& by);
    void deliver(caller& by);
    void accepted(sent_record& sent, delivery given, int place);
    void await_delivery(std::uint64_t id);
    void await_some_delivery(caller& by);
    void drop_some_delivery(caller& by);
    void hand_over_some_delivery(caller& by);
    std::optional<std::uint64_t> some_held(int place);
    void flush(int place);
    void close(int place, std::chrono::nanoseconds timeout);
    void ask_partitions(int place);
    void give_up_some_call(caller& by);
    void give_up(running_call& call, bool by_destroying);
    std::vector<std::uint64_t> unresolved() const;
    void check_resolved(const std::vector<std::uint64_t>& ids, const char* when);
    bool are_steps_done() const;
    bool are_calls_over() const;

    const schedule_plan& plan_;
    testing::sim_world world_;
    testing::sim_network network_;
    testing::sim_cluster brokers_;
    std::function<void(std::string_view)> trace_;
    std::vector<std::string> violations_;
    record_journal journal_;
    std::optional<broker_trouble> trouble_;
    std::optional<foreign_context> foreign_;
    std::vector<std::unique_ptr<testing::sim_loop>> loops_;
    std::optional<producer> producer_;
    std::vector<std::shared_ptr<producer_core>> watched_;  // to look at its memory after close()
    std::vector<caller> callers_;
    std::vector<std::unique_ptr<running_call>> calls_;
    std::vector<bool> is_cancelled_;                   // by call
    std::map<std::uint64_t, held_delivery> held_;      // by record
    std::map<std::uint64_t, std::size_t> awaited_by_;  // record -> call
    std::map<std::string, std::uint64_t> call_counts_;
    bool is_stopped_ = false;  // no more steps
    bool is_gone_ = false;     // the producer's handle: what has not begun will not
    bool have_loops_ended_ = false;
    int steps_until_end_ = -1;  // then close_early, destroy or end_loops happens
    std::uint64_t dropped_failures_ = 0;
};

// ---- the frame

schedule::schedule(const schedule_plan& plan, std::function<void(std::string_view)> trace)
    : plan_(plan),
      world_(plan.seed, plan.faults),
      network_(world_),
      brokers_(network_, plan.cluster),
      trace_(std::move(trace)),
      journal_(plan, [this](std::string what) { complain(std::move(what)); }) {
    if (trace_) world_.on_trace(trace_);
    for (const topic_plan& each : plan.topics) {
        if (each.exists) static_cast<void>(brokers_.cluster().create_topic(each.name, each.config));
    }
    trouble_.emplace(plan, world_, network_, brokers_, [this](const std::string& what) { tell(what); });
    foreign_.emplace(world_);
    for (std::size_t i = 0; i < plan.loop_count; ++i) {
        loops_.push_back(std::make_unique<testing::sim_loop>(network_, fmt::format("loop-{}", i)));
        if (plan.planted == planted_bug::lost_doorbell) loops_.back()->io().lose_rings(0.02);
    }
}

schedule::~schedule() {
    // Whatever order is left over after end().
    producer_.reset();
    loops_.clear();
    foreign_.reset();
    calls_.clear();
    held_.clear();
}

void schedule::complain(std::string what) {
    tell("VIOLATION: " + what);
    if (violations_.size() < violations_max) {
        violations_.push_back(
            fmt::format("+{:.6f} s: {}", std::chrono::duration<double>(world_.elapsed()).count(), what));
    }
}

void schedule::tell(const std::string& what) {
    if (trace_)
        trace_(fmt::format("+{:.6f} s  {}", std::chrono::duration<double>(world_.elapsed()).count(), what));
}

bool schedule::wait_until(const char* what, const std::function<bool()>& predicate) {
    const testing::run_result result = world_.run_until(predicate, patience);
    if (result) return true;
    std::string open;
    for (const auto& each : calls_) {
        if (!each->is_over()) open += fmt::format("\n  waits: {} (place {})", each->name, each->place);
    }
    complain(fmt::format("{}: {}; {}{}", what, to_string(result.how), result.waiting, open));
    return false;
}

bool schedule::make_producer() {
    producer_config config = plan_.producer;
    config.bootstrap_servers = brokers_.bootstrap();
    config.on_delivery_error = [this](const delivery_failure& failure) {
        tell(fmt::format("on_delivery_error: {} records of {}-{}: {}", failure.record_count,
                         failure.topic.view(), failure.partition, failure.message.view()));
        mark(failure.record_count, 1);
        if (plan_.planted == planted_bug::silent_drop && ++dropped_failures_ % 4 == 0) return;
        journal_.on_dropped_failure(failure);
    };
    if (trace_) {
        config.log = [this](log_level, std::string_view line) { tell("log: " + std::string(line)); };
    }
    const auto names = [this](event_loop& on) -> std::unique_ptr<resolver> {
        const auto found =
            std::ranges::find_if(loops_, [&on](const auto& each) { return &each->events() == &on; });
        return std::make_unique<testing::sim_resolver>(**found, network_);
    };
    for (int attempt = 0; attempt < 2; ++attempt) {
        std::vector<event_loop*> on;
        for (const auto& each : loops_) on.push_back(&each->events());
        error_code failed;
        call_events<call_operation<producer>> events;
        events.complain = [this](std::string what) { complain(std::move(what)); };
        events.ends = [&](error_code why, producer made, bool) {
            failed = why;
            if (!why) producer_.emplace(std::move(made));
        };
        const running_call& call =
            launch(some_place(), "create", create_with(std::move(on), config, names), std::move(events));
        if (!wait_until("create", [&] { return call.is_over(); })) return false;
        if (!failed) {
            watched_.push_back(producer_access::core(*producer_).shared_from_this());
            return true;
        }
        if (failed != errc::bootstrap_failed) complain("create() failed: " + failed.message());
        if (attempt == 1 || plan_.faults.lookup_fails == 0)
            complain("create() failed though the names can be resolved");
        world_.run_for(plan_.faults.heals_after + 1s);
    }
    return false;
}

schedule_result schedule::run() {
    if (make_producer()) {
        for (int i = 0; i < plan_.caller_count; ++i) {
            caller added;
            added.place = some_place();
            added.is_sequential = one_in(3);
            added.steps_left = plan_.step_count / plan_.caller_count + 1;
            callers_.push_back(added);
        }
        if (plan_.how_it_ends != ending::close) {
            steps_until_end_ =
                static_cast<int>(chance().below(static_cast<std::uint64_t>(plan_.step_count) + 1));
        }
        for (std::size_t i = 0; i < callers_.size(); ++i) plan_step(i);
        if (wait_until("the steps", [this] { return is_stopped_ || are_steps_done(); })) end();
    }
    trouble_.reset();
    schedule_result result;
    for (const std::string& each : world_.findings()) {
        if (violations_.size() < violations_max) violations_.push_back("found: " + each);
    }
    result.records = journal_.count();
    result.calls = call_counts_;
    result.trace_hash = world_.trace_hash();
    result.step_count = world_.event_count() + world_.turn_count();
    result.violations = violations_;
    return result;
}

// ---- the end

void schedule::end() {
    switch (plan_.how_it_ends) {
        case ending::close:
        case ending::close_early: end_by_close(); break;
        case ending::destroy: end_by_destroying(); break;
        case ending::end_loops: end_loops(); break;
    }
    if (!violations_.empty() && producer_) return;  // it hangs: nothing more to learn
    world_.run_for(patience);                       // what is still on its way to a broker arrives
    journal_.check(brokers_.cluster());
}

void schedule::end_by_close() {
    std::vector<std::uint64_t> ids;
    for (const auto& [id, each] : held_) ids.push_back(id);
    for (const std::uint64_t id : ids) {
        if (!one_in(4)) await_delivery(id);
    }
    if (one_in(2) && !wait_until("the calls", [this] { return are_calls_over(); })) return;
    if (one_in(2)) flush(some_place());
    close(some_place(), producer::for_ever);
    if (!wait_until("the last close", [this] { return are_calls_over(); })) return;
    check_quiet("after close()");
    held_.clear();
    producer_.reset();
}

void schedule::end_by_destroying() {
    // The producer outlives the operations that were started on it; deliveries may outlive it.
    for (std::size_t i = 0; i < calls_.size(); ++i) {
        if (!calls_[i]->is_over() && !calls_[i]->awaits_delivery) give_up(*calls_[i], one_in(2));
    }
    const auto are_started_calls_over = [this] {
        return std::ranges::all_of(calls_,
                                   [](const auto& each) { return each->is_over() || each->awaits_delivery; });
    };
    if (!wait_until("what was given up", are_started_calls_over)) return;
    journal_.producer_closes();
    producer_.reset();
    if (!wait_until("after the end of the handle", [this] { return are_calls_over(); })) return;
    world_.run_for(1s);
    check_quiet("after the end of the handle");
    std::vector<std::uint64_t> ids;
    for (auto& [id, each] : held_) ids.push_back(id);
    check_resolved(ids, "when the handle has gone");
    held_.clear();
}

void schedule::end_loops() {
    journal_.producer_closes();
    is_gone_ = true;
    producer_.reset();
    if (one_in(2)) world_.run_for(up_to(chance(), 100ms));
    watched_.clear();
    have_loops_ended_ = true;
    const std::size_t first = chance().below(loops_.size());
    for (std::size_t i = 0; i < loops_.size(); ++i) {
        loops_[(first + i) % loops_.size()].reset();
        if (one_in(2)) world_.run_for(up_to(chance(), 100ms));
    }
    loops_.clear();
    world_.run_for(1s);
    foreign_.reset();
    calls_.clear();
    is_cancelled_.clear();
    held_.clear();
    for (sent_record& each : journal_.records()) {
        using result = sent_record::result;
        if (each.begun == not_yet) continue;
        if (each.first == sent_record::acceptance::none && each.second != result::finished) {
            journal_.is_withdrawn(each, false);
        }
        if (each.second == result::held || each.second == result::awaited) each.second = result::lost;
    }
}

// Nothing of the producer runs any more, and all memory is back.
void schedule::check_quiet(const char* when) {
    for (const auto& each : loops_) {
        if (each->io().pending_count() != 0 || each->io().socket_count() != 0) {
            complain(fmt::format("{} {} has {} operations and {} sockets", when, each->name(),
                                 each->io().pending_count(), each->io().socket_count()));
        }
    }
    for (const auto& core : watched_) {
        for (std::uint32_t i = 0; i < core->shard_count(); ++i) {
            const buffer_pool& pool = core->at(i).pool();
            if (pool.free_chunks() != pool.capacity_chunks()) {
                complain(fmt::format("{} {} of {} chunks of shard {} are free", when, pool.free_chunks(),
                                     pool.capacity_chunks(), i));
            }
            if (core->at(i).batch_count() != 0) complain(fmt::format("{} shard {} has batches", when, i));
        }
        if (core->current_state() != producer_core::state::closed)
            complain(std::string(when) + " it is not closed");
        if (core.use_count() > (producer_ ? 2 : 1)) complain(std::string(when) + " somebody holds the core");
    }
    watched_.clear();
}

// ---- places

void schedule::at_place(int place, std::function<void()> act) {
    if (place == elsewhere) return act();
    testing::sim_loop& on = *loops_[static_cast<std::size_t>(place)];
    if (one_in(2)) {
        const loop::scope hosted(on.facade());
        return act();
    }
    run_on(on.events(), [act = std::move(act)](task::fate what) {
        if (what == task::fate::run) act();
    });
}

template <class Operation>
std::unique_ptr<running_call> schedule::wrap(int place, Operation operation, call_events<Operation> events,
                                             bool& is_confined) {
    const auto make = [&]<class Call>(std::type_identity<Call>,
                                      auto... more) -> std::unique_ptr<running_call> {
        return std::make_unique<Call>(std::move(operation), std::move(events), more...);
    };
    using raw = std::type_identity<raw_call<Operation>>;
    using native = std::type_identity<native_call<Operation>>;
    const auto foreign = foreign_->get_executor();
    using foreign_type = foreign_context::executor_type;
    if (place == elsewhere) {
        switch (chance().below(4)) {
            case 0: return make(raw());
            case 1: return make(std::type_identity<callback_call<Operation, foreign_type>>(), foreign);
            case 2: {
                auto on_loop = loops_[chance().below(loops_.size())]->facade().get_executor();
                return make(std::type_identity<callback_call<Operation, loop::executor_type>>(), on_loop);
            }
            default:
                return make(std::type_identity<coroutine_call<Operation, foreign_type>>(), foreign,
                            one_in(2));
        }
    }
    auto here = loops_[static_cast<std::size_t>(place)]->facade().get_executor();
    is_confined = true;
    switch (chance().below(7)) {
        case 0:
        case 1: return make(raw());
        case 2: return make(native());
        case 3:
        case 4:
            return make(std::type_identity<coroutine_call<Operation, loop::executor_type>>(), here,
                        one_in(2));
        case 5: return make(std::type_identity<callback_call<Operation, loop::executor_type>>(), here);
        default: break;
    }
    is_confined = false;
    if (one_in(2)) return make(std::type_identity<callback_call<Operation, foreign_type>>(), foreign);
    auto there = loops_[chance().below(loops_.size())]->facade().get_executor();
    is_confined = there == here;
    return make(std::type_identity<callback_call<Operation, loop::executor_type>>(), there);
}

template <class Operation>
running_call& schedule::launch(int place, std::string name, Operation operation,
                               call_events<Operation> events, sent_record* sent) {
    events.may_begin = [this] { return !is_gone_; };
    const std::size_t index = calls_.size();
    const std::string kind = name.substr(0, name.find(' '));
    ++call_counts_[kind];
    events.complain = [this](std::string what) { complain(std::move(what)); };
    events.ends = [this, index, kind, ends = std::move(events.ends)](
                      error_code why, value_of<Operation> value, bool knows_value) {
        tell(fmt::format("{} ends: {}", calls_[index]->name, why ? why.message() : "success"));
        mark(index, 2 + static_cast<std::uint64_t>(why.value()));
        // A loop that ends may let go of whoever waits elsewhere.
        if (why == asio::error::operation_aborted && !is_cancelled_[index] &&
            plan_.how_it_ends != ending::end_loops) {
            complain(calls_[index]->name + " was aborted, and nobody had cancelled it");
        }
        if (why) ++call_counts_[kind + ": " + why.message()];
        ends(why, std::move(value), knows_value);
    };
    bool is_confined = false;
    std::unique_ptr<running_call> made = wrap(place, std::move(operation), std::move(events), is_confined);
    if (sent != nullptr) sent->is_confined = is_confined;
    made->name = std::move(name);
    made->place = place;
    made->is_confined = is_confined;
    running_call& started = *made;
    calls_.push_back(std::move(made));
    is_cancelled_.push_back(false);
    if (sent != nullptr) started.subject = sent->id;
    tell(fmt::format("{} begins at place {}", started.name, place));
    mark(index, 1);
    at_place(place, [this, index] {
        if (!calls_[index]->is_over() && !is_gone_) calls_[index]->start();
    });
    return started;
}

// ---- what callers do

bool schedule::are_steps_done() const {
    return std::ranges::all_of(callers_, [](const caller& each) { return each.steps_left == 0; });
}

bool schedule::are_calls_over() const {
    return std::ranges::all_of(calls_, [](const auto& each) { return each->is_over(); });
}

void schedule::plan_step(std::size_t index) {
    const duration gap = one_in(3) ? duration(0) : up_to(chance(), plan_.step_gap_max);
    world_.in(gap, [this, index] { step(index); });
}

void schedule::step(std::size_t index) {
    caller& by = callers_[index];
    if (is_stopped_) return;
    if (by.is_sequential && by.last_call != caller::none && !calls_[by.last_call]->is_over()) {
        world_.in(of_any_length(chance(), 10us, 100ms), [this, index] { step(index); });
        if (one_in(20)) give_up_some_call(by);
        return;
    }
    if (--by.steps_left > 0) plan_step(index);
    if (steps_until_end_ >= 0 && steps_until_end_-- == 0) {
        if (plan_.how_it_ends != ending::close_early) {
            is_stopped_ = true;
            return;
        }
        std::chrono::nanoseconds timeout = producer::for_ever;
        if (!one_in(3)) timeout = one_in(3) ? 0ns : of_any_length(chance(), 1us, 5s);
        return close(by.place, timeout);
    }
    const std::size_t call_count = calls_.size();
    switch (chance().below(32)) {
        case 0:
        case 1: try_send(by); break;
        case 2:
            for (std::uint64_t i = of_any_size(chance(), 1, 12); i > 0; --i) try_send(by);
            break;
        case 3:
        case 4:
        case 5:
            for (std::uint64_t i = of_any_size(chance(), 1, 12); i > 0; --i) send(by);
            break;
        case 6:
        case 7:
        case 8: deliver(by); break;
        case 9:
        case 10:
        case 11:
        case 12: await_some_delivery(by); break;
        case 13:
        case 14: drop_some_delivery(by); break;
        case 15: hand_over_some_delivery(by); break;
        case 16: flush(by.place); break;
        case 17: ask_partitions(by.place); break;
        case 18:
        case 19:
        case 20: give_up_some_call(by); break;
        case 21: by.place = some_place(); break;
        default: send(by); break;
    }
    if (calls_.size() > call_count) by.last_call = calls_.size() - 1;
}

// ---- records

sent_record& schedule::make_record(int place) {
    sent_record& made = journal_.add();
    made.place = place;
    made.topic = plan_.topics[chance().below(plan_.topics.size())].name;
    const std::int32_t count = std::max(brokers_.cluster().partition_count(made.topic), 1);
    if (!one_in(2)) made.key = one_in(8) ? std::string() : fmt::format("key-{}", chance().below(12));
    if (one_in(3)) {
        made.partition = static_cast<std::int32_t>(chance().below(static_cast<std::uint64_t>(count)));
        if (one_in(20)) made.partition += count;
        if (one_in(40)) made.partition = -7;
    }
    if (one_in(4)) {
        const auto wall = static_cast<std::int64_t>(world_.wall_now());
        made.timestamp = one_in(4) ? static_cast<std::int64_t>(chance().below(1'000'000))
                                   : wall - 60'000 + static_cast<std::int64_t>(chance().below(100'000));
    }
    std::size_t size = of_any_size(chance(), 1, plan_.value_size_max);
    const auto too_large = 2 * static_cast<std::uint64_t>(plan_.producer.max_request_size);
    if (one_in(50) && size < too_large) size = of_any_size(chance(), size, too_large);
    size = std::min<std::size_t>(size, 200'000);
    const std::string id = std::to_string(made.id);
    bool has_id_header = true;
    if (!one_in(12)) {
        has_id_header = size < id.size() + 1;
        std::string value = has_id_header ? std::string() : id + ' ';
        random letters(made.id);
        while (value.size() < size) {
            const std::uint64_t next =
                plan_.has_random_values ? letters.below(64) : (made.id + value.size()) % 26;
            value += static_cast<char>('A' + next);
        }
        made.value = std::move(value);
    }
    if (has_id_header) made.headers.push_back({"id", id});
    if (one_in(4)) {
        for (std::uint64_t i = chance().below(4); i > 0; --i) {
            made.headers.push_back({fmt::format("header-{}", i % 2), std::nullopt});
            if (one_in(2)) made.headers.back().value = std::string(chance().below(20), 'h');
        }
    }
    for (const testing::log_header& each : made.headers) {
        header view;
        view.key = each.key;
        if (each.value) view.value = bytes_view(*each.value);
        made.header_views.push_back(view);
    }
    return made;
}

record schedule::view(const sent_record& sent) {
    record made = sent.view();
    return made;
}

time_point schedule::some_deadline(sent_record& sent) {
    if (!one_in(5)) return time_point::max();
    sent.has_call_deadline = true;
    return after(world_.now(), up_to(chance(), 2 * duration(plan_.producer.max_block)));
}

void schedule::accepted(sent_record& sent, delivery given, int place) {
    journal_.is_accepted(sent, world_.now());
    if (given.is_empty()) complain(sent.text() + " was accepted without a delivery");
    if (one_in(4)) {
        // Whoever drops a result that is there already might have looked at it.
        sent.second = given.poll() ? sent_record::result::stopped : sent_record::result::dropped;
        return;
    }
    held_.emplace(sent.id, held_delivery{std::move(given), place});
}

void schedule::send(caller& by) {
    sent_record& sent = make_record(by.place);
    const int place = by.place;
    call_events<send_operation> events;
    events.begins = [this, &sent] { journal_.begins(sent, world_.now()); };
    events.ends = [this, &sent, place](error_code why, delivery given, bool) {
        if (why == asio::error::operation_aborted) return journal_.is_withdrawn(sent, true);
        if (why) return journal_.is_refused(sent, why, world_.now());
        accepted(sent, std::move(given), sent.is_confined ? place : elsewhere);
    };
    send_operation operation = producer_->send(view(sent), some_deadline(sent));
    // Whoever is told on a foreign executor, or another loop, holds a delivery that may travel.
    launch(place, fmt::format("send #{}", sent.id), std::move(operation), std::move(events), &sent);
}

void schedule::try_send(caller& by) {
    sent_record& sent = make_record(by.place);
    sent.is_confined = by.place != elsewhere;
    ++call_counts_["try_send"];
    const auto act = [this, &sent, place = by.place] {
        if (!producer_) return;
        tell(fmt::format("try_send #{} at place {}", sent.id, place));
        journal_.begins(sent, world_.now());
        result<delivery> given = producer_->try_send(view(sent));
        mark(sent.id, given ? 0 : 2 + static_cast<std::uint64_t>(given.error().value()));
        if (!given) {
            ++call_counts_["try_send: " + given.error().message()];
            return journal_.is_refused(sent, given.error(), world_.now());
        }
        accepted(sent, std::move(*given), place);
    };
    if (by.place == elsewhere) return act();
    const loop::scope here(loops_[static_cast<std::size_t>(by.place)]->facade());
    act();
}

void schedule::deliver(caller& by) {
    sent_record& sent = make_record(by.place);
    sent.is_deliver = true;
    call_events<deliver_operation> events;
    events.begins = [this, &sent] { journal_.begins(sent, world_.now()); };
    events.ends = [this, &sent](error_code why, record_metadata metadata, bool knows_metadata) {
        if (why == asio::error::operation_aborted) {
            const bool is_certain = knows_metadata && metadata.outcome == outcome::not_persisted;
            return journal_.is_withdrawn(sent, is_certain);
        }
        journal_.is_finished(sent, why, metadata, knows_metadata, world_.now());
    };
    deliver_operation operation = producer_->deliver(view(sent), some_deadline(sent));
    launch(by.place, fmt::format("deliver #{}", sent.id), std::move(operation), std::move(events), &sent);
}

// ---- deliveries

std::optional<std::uint64_t> schedule::some_held(int place) {
    std::vector<std::uint64_t> here;
    for (const auto& [id, each] : held_) {
        if (each.place == place) here.push_back(id);
    }
    if (here.empty()) return std::nullopt;
    return here[chance().below(here.size())];
}

void schedule::await_delivery(std::uint64_t id) {
    held_delivery taken = std::move(held_.at(id));
    held_.erase(id);
    sent_record& sent = journal_.at(id);
    sent.second = sent_record::result::awaited;
    sent.awaited_at = world_.now();
    call_events<delivery> events;
    events.ends = [this, &sent](error_code why, record_metadata metadata, bool knows_metadata) {
        awaited_by_.erase(sent.id);
        if (why == asio::error::operation_aborted) {
            sent.second = sent_record::result::stopped;
            if (knows_metadata && metadata.outcome != outcome::possibly_persisted) {
                complain(sent.text() + " was let go of, and is said to be known");
            }
            return;
        }
        journal_.is_finished(sent, why, metadata, knows_metadata, world_.now());
    };
    awaited_by_[id] = calls_.size();
    running_call& call =
        launch(taken.place, fmt::format("delivery #{}", id), std::move(taken.held), std::move(events));
    call.subject = id;
    call.awaits_delivery = true;
}

void schedule::await_some_delivery(caller& by) {
    if (const auto id = some_held(by.place)) await_delivery(*id);
}

void schedule::drop_some_delivery(caller& by) {
    const auto id = some_held(by.place);
    if (!id) return;
    const auto drop = [this, id = *id] {
        const auto found = held_.find(id);
        if (found == held_.end()) return;
        const bool is_known = found->second.held.poll();
        held_.erase(found);
        journal_.at(id).second = is_known ? sent_record::result::stopped : sent_record::result::dropped;
    };
    if (by.place == elsewhere) return drop();
    const loop::scope here(loops_[static_cast<std::size_t>(by.place)]->facade());
    drop();
}

void schedule::hand_over_some_delivery(caller& by) {
    const auto id = some_held(by.place);
    if (!id) return;
    held_delivery& handed = held_.at(*id);
    if (by.place != elsewhere) {
        const loop::scope here(loops_[static_cast<std::size_t>(by.place)]->facade());
        handed.held = std::move(handed.held).to_shared();
    }
    handed.place = some_place();
}

// ---- other calls

std::vector<std::uint64_t> schedule::unresolved() const {
    std::vector<std::uint64_t> ids;
    for (const sent_record& each : journal_.all()) {
        using result = sent_record::result;
        if (each.second == result::held || each.second == result::awaited) ids.push_back(each.id);
    }
    return ids;
}

void schedule::check_resolved(const std::vector<std::uint64_t>& ids, const char* when) {
    if (have_loops_ended_) return;
    for (const std::uint64_t id : ids) {
        bool is_resolved = true;
        int place = elsewhere;
        std::function<bool()> ask = [] { return true; };
        if (const auto found = held_.find(id); found != held_.end()) {
            place = found->second.place;
            ask = [&held = found->second.held] { return held.poll(); };
        } else if (const auto call = awaited_by_.find(id); call != awaited_by_.end()) {
            place = calls_[call->second]->place;
            if (!calls_[call->second]->can_ask()) continue;
            ask = [&asked = *calls_[call->second]] { return asked.has_result(); };
        }
        if (place == elsewhere) {
            is_resolved = ask();
        } else {
            const event_loop::scope there(loops_[static_cast<std::size_t>(place)]->events());
            is_resolved = ask();
        }
        if (!is_resolved) complain(fmt::format("{} has no result {}", journal_.at(id).text(), when));
    }
}

void schedule::flush(int place) {
    const auto before = std::make_shared<std::vector<std::uint64_t>>();
    const auto begun_at = std::make_shared<time_point>();
    call_events<call_operation<void>> events;
    events.begins = [this, before, begun_at] {
        *before = unresolved();
        *begun_at = world_.now();
    };
    events.ends = [this, before, begun_at](error_code why, std::monostate, bool) {
        if (why == asio::error::operation_aborted) return;
        if (why) complain("flush() failed: " + why.message());
        check_resolved(*before, "after flush()");
        const duration waited = world_.now() - *begun_at;
        if (waited > 3 * duration(*plan_.producer.delivery_timeout) + slack) {
            complain(fmt::format("flush() took {:.3f} s", std::chrono::duration<double>(waited).count()));
        }
    };
    launch(place, fmt::format("flush @{}", calls_.size()), producer_->flush(), std::move(events));
}

void schedule::close(int place, std::chrono::nanoseconds timeout) {
    const auto begun_at = std::make_shared<time_point>();
    call_events<call_operation<void>> events;
    events.begins = [this, begun_at] {
        journal_.producer_closes();
        *begun_at = world_.now();
    };
    events.ends = [this, begun_at, timeout](error_code why, std::monostate, bool) {
        if (why == asio::error::operation_aborted) return;
        if (why) complain("close() failed: " + why.message());
        check_resolved(unresolved(), "after close()");
        for (const auto& each : loops_) {
            if (each && each->io().pending_count() != 0)
                complain(each->name() + " has operations pending after close()");
        }
        const duration waited = world_.now() - *begun_at;
        const duration most = timeout == producer::for_ever ? 3 * duration(*plan_.producer.delivery_timeout)
                                                            : duration(timeout);
        if (waited > most + slack) {
            complain(fmt::format("close() took {:.3f} s", std::chrono::duration<double>(waited).count()));
        }
    };
    launch(place, fmt::format("close @{}", calls_.size()), producer_->close(timeout), std::move(events));
}

void schedule::ask_partitions(int place) {
    const std::string topic = plan_.topics[chance().below(plan_.topics.size())].name;
    const auto begun_at = std::make_shared<time_point>();
    const std::int32_t least = brokers_.cluster().partition_count(topic);
    call_events<call_operation<std::vector<partition_info>>> events;
    events.begins = [this, begun_at] { *begun_at = world_.now(); };
    events.ends = [this, begun_at, topic, least](error_code why, const std::vector<partition_info>& found,
                                                 bool) {
        static_cast<void>(least);
        const duration waited = world_.now() - *begun_at;
        if (waited > duration(plan_.producer.max_block) + slack) {
            complain(
                fmt::format("partitions_for() took {:.3f} s", std::chrono::duration<double>(waited).count()));
        }
        if (why) return;
        if (found.empty()) complain("partitions_for() found none");
        if (static_cast<std::int32_t>(found.size()) > brokers_.cluster().partition_count(topic)) {
            complain("partitions_for() found more than there are");
        }
    };
    launch(place, fmt::format("partitions_for @{}", calls_.size()), producer_->partitions_for(topic),
           std::move(events));
}

// ---- giving up

void schedule::give_up_some_call(caller& by) {
    std::vector<std::size_t> open;
    for (std::size_t i = 0; i < calls_.size(); ++i) {
        if (!calls_[i]->is_over() && calls_[i]->place == by.place) open.push_back(i);
    }
    if (open.empty()) return;
    give_up(*calls_[open[chance().below(open.size())]], one_in(2));
}

void schedule::give_up(running_call& call, bool by_destroying) {
    const auto found =
        std::ranges::find_if(calls_, [&call](const auto& each) { return each.get() == &call; });
    const auto index = static_cast<std::size_t>(found - calls_.begin());
    const bool is_total = !by_destroying && one_in(4);
    const auto act = [this, index, by_destroying, is_total] {
        running_call& given_up = *calls_[index];
        if (given_up.is_over()) return;
        if (!by_destroying || !given_up.can_destroy()) {
            tell(given_up.name + " is cancelled");
            ++call_counts_["cancel"];
            is_cancelled_[index] = true;
            return given_up.cancel(is_total ? cancel_kind::total : cancel_kind::any);
        }
        ++call_counts_["destroy"];
        tell(given_up.name + " is destroyed");
        mark(index, 3);
        if (given_up.can_ask() && one_in(2)) static_cast<void>(given_up.has_result());
        auto gone = std::make_unique<ended_call>();
        gone->name = given_up.name;
        gone->place = given_up.place;
        gone->subject = given_up.subject;
        gone->awaits_delivery = given_up.awaits_delivery;
        calls_[index] = std::move(gone);  // destroys it
        const std::uint64_t id = calls_[index]->subject;
        if (id == not_yet) return;
        sent_record& sent = journal_.at(id);
        awaited_by_.erase(id);
        if (calls_[index]->awaits_delivery) {
            sent.second = sent_record::result::stopped;
        } else {
            journal_.is_withdrawn(sent, sent.begun == not_yet);  // else another shard may have been quicker
        }
    };
    if (call.place == elsewhere) return act();
    const loop::scope there(loops_[static_cast<std::size_t>(call.place)]->facade());
    act();
}

}  // namespace

schedule_result run_schedule(const schedule_plan& plan, std::function<void(std::string_view)> trace) {
    schedule running(plan, std::move(trace));
    return running.run();
}

}  // namespace sluice::simulation
