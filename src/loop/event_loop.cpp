#include "loop/event_loop.hpp"

#include <algorithm>

#include "base/ensure.hpp"

namespace sluice {

namespace {

using namespace std::chrono_literals;

constexpr time_point at_once = time_point::min();  // a deadline that has always passed

// How long end() waits for operations whose owners cancelled them, and how often it looks whether they did.
constexpr duration last_completions_max = 5s;
constexpr duration last_completions_step = 10ms;

}  // namespace

// Around a turn: this thread is on the loop, and the participants that left meanwhile are forgotten at the
// end, also when a task throws.
class event_loop::turn_scope {
public:
    explicit turn_scope(event_loop& on) noexcept : on_(on), current_(on) {
        on_.in_turn_ = true;
        on_.is_noted_ = true;
    }
    ~turn_scope() {
        on_.in_turn_ = false;
        on_.is_noted_ = false;
        if (on_.end_of_phase_.is_queued()) on_.end_of_phase_.unlink();  // a task threw
        std::erase(on_.participants_, nullptr);
    }
    turn_scope(const turn_scope&) = delete;
    turn_scope& operator=(const turn_scope&) = delete;

private:
    event_loop& on_;
    event_loop::scope current_;
};

// Around run(): the loop is this thread's for so long.
class event_loop::thread_scope {
public:
    explicit thread_scope(event_loop& on) : on_(on), before_(on.thread_.load(std::memory_order_relaxed)) {
        on_.check_thread();
        on_.thread_.store(this_thread(), std::memory_order_relaxed);
    }
    ~thread_scope() { on_.thread_.store(before_, std::memory_order_relaxed); }
    thread_scope(const thread_scope&) = delete;
    thread_scope& operator=(const thread_scope&) = delete;

private:
    event_loop& on_;
    const void* before_;
};

event_loop::event_loop(std::unique_ptr<reactor> io, logger log) : io_(std::move(io)), log_(std::move(log)) {
    read_clocks();
}

event_loop::~event_loop() {
    end();
}

void event_loop::run() {
    const thread_scope here(*this);
    for (;;) {
        if (stop_requested_.load(std::memory_order_seq_cst)) break;
        if (is_done()) break;
        turn(true);
    }
    stop_requested_.store(false, std::memory_order_seq_cst);
    io_->submit();  // what the last tasks started is under way, whenever the next run() is
}

void event_loop::stop() noexcept {
    stop_requested_.store(true, std::memory_order_seq_cst);
    ring();
}

bool event_loop::run_ready(duration budget) {
    check_thread();
    thread_.store(this_thread(), std::memory_order_relaxed);
    is_asleep_.store(false, std::memory_order_relaxed);
    const time_point until = budget > duration::zero() ? after(io_->now(), budget) : never;
    for (;;) {
        bool ran_tasks = false;
        try {
            ran_tasks = turn(false, until);
        } catch (...) {
            announce_sleep();
            io_->ring();  // there may be more to do, and nobody to say so
            throw;
        }
        // Tasks may have started operations and appended records: those leave in the next turn.
        bool is_wanted = ran_tasks || has_messages() || next_deadline() <= now_;
        if (is_wanted && until != never && io_->now() < until) continue;
        announce_sleep();
        return is_wanted || has_messages();
    }
}

void event_loop::check_thread() const {
    const void* owner = thread_.load(std::memory_order_relaxed);
    ensure_caller(owner == nullptr || owner == this_thread(),
                  "a sluice::loop is run or hosted by one thread, and this call came on another");
}

time_point event_loop::next_deadline() const {
    if (!ready_.empty()) return now_;
    if (!completed_.empty()) return now_;
    time_point soonest = timers_.soonest();
    for (const participant* each : participants_) {
        if (each != nullptr) soonest = std::min(soonest, each->next_deadline());
    }
    return soonest;
}

void event_loop::read_clocks() noexcept {
    now_ = io_->now();
    wall_now_ = io_->wall_now();
}

void event_loop::join(participant& shard) {
    participants_.push_back(&shard);
}

void event_loop::leave(participant& shard) noexcept {
    const auto place = std::find(participants_.begin(), participants_.end(), &shard);
    if (place == participants_.end()) return;
    if (in_turn_) {
        *place = nullptr;  // a phase may be walking over them
    } else {
        participants_.erase(place);
    }
}

void event_loop::post_remote(remote_task& ready) noexcept {
    remote_tasks_.push(ready);
    ring();
}

void event_loop::ring() noexcept {
    if (!is_asleep_.load(std::memory_order_seq_cst)) return;
    // One of those who find it asleep rings; the others' messages are seen by the turn that this ring starts.
    if (!is_asleep_.exchange(false, std::memory_order_seq_cst)) return;
    if (loop_host* host = host_.load(std::memory_order_acquire)) host->on_ring();
    io_->ring();
}

void event_loop::set_host(std::shared_ptr<loop_host> host) {
    hosts_.push_back(std::move(host));
    host_.store(hosts_.back().get(), std::memory_order_release);
}

void event_loop::work_finished() noexcept {
    if (work_.fetch_sub(1, std::memory_order_seq_cst) == 1) ring();
}

bool event_loop::turn(bool may_wait, time_point until) {
    ensure(!in_turn_);
    turn_scope in_turn(*this);
    read_clocks();
    // Before anything of this turn posts: what this thread posted before it ran the loop comes first.
    take_remote_tasks();
    for_each_participant([this](participant& each) { each.take_messages(now_); });
    timers_.fire_due(now_);
    for_each_participant([this](participant& each) { each.on_time(now_); });
    run_completions();
    for_each_participant([this](participant& each) { each.serve(now_); });
    for_each_participant([this](participant& each) { each.drain(now_); });
    wait(may_wait);
    return run_tasks(until);
}

// By index: a participant that joins makes the vector grow, one that leaves leaves a hole.
template <class Phase>
void event_loop::for_each_participant(Phase call) {
    for (std::size_t i = 0; i < participants_.size(); ++i) {
        if (participant* each = participants_[i]) call(*each);
    }
}

void event_loop::run_completions() noexcept {
    while (io_operation* operation = completed_.pop()) {
        operation->is_pending = false;
        operation->on_complete(*operation);
    }
}

void event_loop::wait(bool may_wait) {
    time_point deadline = at_once;
    if (may_wait && ready_.empty()) {
        announce_sleep();
        const bool is_wanted = has_messages() || is_done() || stop_requested_.load(std::memory_order_seq_cst);
        if (!is_wanted) deadline = next_deadline();
    }
    io_->submit_and_wait(deadline, completed_);
    is_asleep_.store(false, std::memory_order_relaxed);
    read_clocks();
}

bool event_loop::run_tasks(time_point until) {
    take_remote_tasks();
    if (ready_.empty()) return false;
    ready_.push_back(end_of_phase_);
    const auto is_spent = [this, until] { return until != never && io_->now() >= until; };
    for (task* oldest = &pop_task(); oldest != &end_of_phase_; oldest = &pop_task()) {
        oldest->run();
        if (is_spent()) break;  // those behind it come first in the next turn
    }
    if (end_of_phase_.is_queued()) {
        end_of_phase_.unlink();
        return true;
    }
    for (int i = 0; i < chained_tasks_max && !ready_.empty(); ++i) {
        pop_task().run();
        if (is_spent()) break;
    }
    return true;
}

task& event_loop::pop_task() noexcept {
    task& oldest = ready_.front();
    ready_.pop_front();
    return oldest;
}

bool event_loop::has_messages() const noexcept {
    if (!remote_tasks_.empty()) return true;
    return std::any_of(participants_.begin(), participants_.end(),
                       [](const participant* each) { return each != nullptr && each->has_messages(); });
}

bool event_loop::is_done() const noexcept {
    return work_.load(std::memory_order_seq_cst) == 0 && ready_.empty() && completed_.empty() &&
           !has_messages();
}

void event_loop::take_remote_tasks() noexcept {
    for (remote_task* oldest = remote_tasks_.take_all(); oldest != nullptr;) {
        // Read before it is linked: nothing stops a task from being destroyed once it is on the loop's list.
        remote_task* younger = mpsc_queue<remote_task>::next(*oldest);
        ready_.push_back(*oldest);
        oldest = younger;
    }
}

// For a hosted caller. What this thread posted remotely, before it entered its scope, comes first.
void event_loop::before_post_outside_turn() noexcept {
    take_remote_tasks();
    ring();
}

void event_loop::note_first_call() noexcept {
    is_noted_ = true;
    read_clocks();
    ring();
}

void event_loop::end() noexcept {
    ensure(!in_turn_);
    for (const auto& each : hosts_) each->on_end();
    scope on_this_loop(*this);
    while (!participants_.empty()) {
        participant& oldest = *participants_.front();
        participants_.erase(participants_.begin());
        oldest.abandon();
    }
    gate_->close();
    drop_tasks();
    reap_pending();
    ensure(io_->pending_count() == 0);
}

void event_loop::drop_tasks() noexcept {
    for (;;) {
        take_remote_tasks();
        if (ready_.empty()) return;
        pop_task().drop();
    }
}

void event_loop::reap_pending() noexcept {
    const time_point give_up = after(io_->now(), last_completions_max);
    while (io_->pending_count() > 0 || !completed_.empty()) {
        const time_point now = io_->now();
        if (now >= give_up) {
            log_.error("{} operations are still pending {} s after their owners should have cancelled them",
                       io_->pending_count(), last_completions_max / 1s);
            return;
        }
        io_->submit_and_wait(after(now, last_completions_step), completed_);
        run_completions();
        drop_tasks();  // callbacks may post
    }
}

}  // namespace sluice
