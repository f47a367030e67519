#include "testing/sim_world.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ostream>

#include "base/ensure.hpp"
#include "testing/sim_hash.hpp"

namespace sluice::testing {

namespace {

using namespace std::chrono_literals;

constexpr std::int64_t wall_start_ms = 1'717'200'000'000;  // 2024-06-01
constexpr std::size_t findings_max = 100;

std::string text_of(duration elapsed) {
    return fmt::format("+{:.6f} s", std::chrono::duration<double>(elapsed).count());
}

}  // namespace

const char* to_string(sim_trace kind) noexcept {
    switch (kind) {
        case sim_trace::turn: return "turn";
        case sim_trace::pause: return "pause";
        case sim_trace::wall_jump: return "wall clock jump";
        case sim_trace::mark: return "mark";
        case sim_trace::operation: return "operation";
        case sim_trace::moved: return "moved";
        case sim_trace::completed: return "completed";
        case sim_trace::reaped: return "reaped";
        case sim_trace::cancelled: return "cancelled";
        case sim_trace::opened: return "opened";
        case sim_trace::closed: return "closed";
        case sim_trace::connecting: return "connecting";
        case sim_trace::connected: return "connected";
        case sim_trace::written: return "written";
        case sim_trace::arrived: return "arrived";
        case sim_trace::stalled: return "stalled";
        case sim_trace::broken: return "broken";
        case sim_trace::lookup: return "lookup";
    }
    return "?";
}

const char* to_string(run_result::ending how) noexcept {
    switch (how) {
        case run_result::ending::reached: return "reached";
        case run_result::ending::time_limit: return "time limit";
        case run_result::ending::hang: return "hang";
        case run_result::ending::livelock: return "livelock";
    }
    return "?";
}

std::ostream& operator<<(std::ostream& out, const run_result& result) {
    return out << to_string(result.how) << (result.waiting.empty() ? "" : "; ") << result.waiting;
}

sim_world::sim_world(std::uint64_t seed, const fault_plan& faults)
    : seed_(seed),
      random_(seed),
      faults_(faults),
      healed_(fault_plan::calm()),
      start_(time_point(1h)),
      heals_at_(after(start_, faults.heals_after)),
      now_(start_),
      wall_start_ms_(wall_start_ms + static_cast<std::int64_t>(random_.below(86'400'000))),
      trace_hash_(seed) {
    if (heals_at_ != never) at(heals_at_, [this] { is_healed_ = true; });
    const duration active = heals_at_ == never ? duration(30s) : heals_at_ - start_;
    for (unsigned i = 0; i < faults.wall_clock_jumps; ++i) {
        const auto by = std::chrono::milliseconds(of_any_size(random_, 1, 86'400'000));
        const bool is_back = random_.below(2) == 0;
        in(up_to(random_, active), [this, by, is_back] { jump_wall_clock(is_back ? -by : by); });
    }
}

sim_world::~sim_world() {
    ensure(members_.empty());
}

// ---- time

wall_time sim_world::wall_now() const noexcept {
    const auto elapsed_ms = std::chrono::duration_cast<std::chrono::milliseconds>(elapsed()).count();
    return wall_time{wall_start_ms_ + wall_jumped_ms_ + elapsed_ms};
}

void sim_world::jump_wall_clock(std::chrono::milliseconds by) {
    trace(sim_trace::wall_jump, 0, static_cast<std::uint64_t>(by.count()));
    wall_jumped_ms_ += by.count();
}

// ---- events

bool sim_world::is_later(const entry& a, const entry& b) noexcept {
    if (a.when != b.when) return a.when > b.when;
    if (a.tie != b.tie) return a.tie > b.tie;
    return a.order > b.order;
}

sim_world::event_id sim_world::at(time_point when, std::function<void()> action) {
    std::uint32_t index = static_cast<std::uint32_t>(slots_.size());
    if (free_slots_.empty()) {
        slots_.emplace_back();
    } else {
        index = free_slots_.back();
        free_slots_.pop_back();
    }
    slot& used = slots_[index];
    used.action = std::move(action);
    used.is_set = true;
    const auto tie = static_cast<std::uint32_t>(random_.next());
    events_.push_back({std::max(when, now_), tie, index, ++event_order_});
    std::push_heap(events_.begin(), events_.end(), is_later);
    return event_id{std::uint64_t{used.use_count} << 32 | index};
}

void sim_world::cancel(event_id& unwanted) noexcept {
    if (unwanted == event_id::none) return;
    const auto id = static_cast<std::uint64_t>(unwanted);
    unwanted = event_id::none;
    slot& used = slots_[id & 0xffff'ffffu];
    if (used.use_count != id >> 32 || !used.is_set) return;
    used.is_set = false;  // its entry is dropped when it comes to the front
    used.action = nullptr;
}

bool sim_world::has_event() noexcept {
    while (!events_.empty()) {
        const std::uint32_t index = events_.front().slot;
        if (slots_[index].is_set) return true;
        std::pop_heap(events_.begin(), events_.end(), is_later);
        events_.pop_back();
        ++slots_[index].use_count;
        free_slots_.push_back(index);
    }
    return false;
}

void sim_world::run_event() {
    std::pop_heap(events_.begin(), events_.end(), is_later);
    const std::uint32_t index = events_.back().slot;
    events_.pop_back();
    slot& used = slots_[index];
    const std::function<void()> action = std::move(used.action);
    used.action = nullptr;
    used.is_set = false;
    ++used.use_count;
    free_slots_.push_back(index);
    ++event_count_;
    action();
}

// ---- running

void sim_world::add(sim_runner& runner) {
    members_.push_back({&runner, last_member_id_++});
}

void sim_world::remove(sim_runner& runner) noexcept {
    std::erase_if(members_, [&runner](const membership& each) { return each.runner == &runner; });
}

void sim_world::add(sim_reporter& reporter) {
    reporters_.push_back(&reporter);
}
void sim_world::remove(sim_reporter& reporter) noexcept {
    std::erase(reporters_, &reporter);
}

bool sim_world::wants_turn(const membership& member) const noexcept {
    return member.wants_turn || member.deadline <= now_ || member.runner->is_woken();
}

void sim_world::run_turn(std::size_t index) {
    membership& member = members_[index];
    const std::uint64_t id = member.id;
    if (happens(faults().pause)) {
        const duration pause = up_to(random_, faults().pause_max);
        member.paused_until = after(now_, pause);
        trace(sim_trace::pause, id, static_cast<std::uint64_t>(pause.count()));
        return;
    }
    ++turn_count_;
    trace(sim_trace::turn, id);
    member.wants_turn = true;  // also when a task throws
    sim_runner& runner = *member.runner;
    const bool wants_another = runner.run_turn();
    // Loops may have come or gone in this turn.
    const auto still_there = std::find_if(members_.begin(), members_.end(),
                                          [id](const membership& each) { return each.id == id; });
    if (still_there == members_.end()) return;
    still_there->wants_turn = wants_another;
    still_there->deadline = runner.next_deadline();
}

bool sim_world::step() {
    runnable_.clear();
    for (std::size_t i = 0; i < members_.size(); ++i) {
        if (members_[i].paused_until <= now_ && wants_turn(members_[i])) runnable_.push_back(i);
    }
    const bool is_event_due = has_due_event();
    if (runnable_.empty() && !is_event_due) return false;
    if (runnable_.empty() || (is_event_due && random_.below(2) == 0)) {
        run_event();
    } else {
        run_turn(runnable_.size() == 1 ? runnable_.front() : runnable_[random_.below(runnable_.size())]);
    }
    return true;
}

time_point sim_world::next_instant() noexcept {
    time_point soonest = has_event() ? events_.front().when : never;
    for (const membership& each : members_) {
        const time_point wanted = wants_turn(each) ? now_ : each.deadline;
        soonest = std::min(soonest, std::max(wanted, each.paused_until));
    }
    return soonest;
}

run_result sim_world::run(const std::function<bool()>* predicate, duration limit) {
    using ending = run_result::ending;
    const time_point end = after(now_, limit);
    // A host may have done things to its loops since; what asks for a turn has rung.
    for (membership& each : members_) each.deadline = each.runner->next_deadline();
    std::uint64_t busy_steps = 0;
    for (;;) {
        if (predicate != nullptr && (*predicate)()) return {ending::reached, {}};
        if (now_ <= end && step()) {
            if (++busy_steps > busy_steps_max) return {ending::livelock, report()};
            continue;
        }
        const time_point next = next_instant();
        if (next == never && predicate != nullptr) return {ending::hang, report()};
        if (next > end || now_ > end) {
            now_ = std::max(now_, end);
            if (predicate == nullptr) return {ending::reached, {}};
            return {ending::time_limit, report()};
        }
        now_ = next;
        busy_steps = 0;
    }
}

run_result sim_world::run_until(const std::function<bool()>& predicate, duration limit) {
    return run(&predicate, limit);
}

run_result sim_world::run_for(duration time) {
    return run(nullptr, time);
}

bool sim_world::wait(const std::function<bool()>& is_enough, time_point deadline) {
    while (!is_enough()) {
        if (!has_event() && deadline == never) return false;
        if (!has_event() || events_.front().when > deadline) {
            now_ = std::max(now_, deadline);
            return true;
        }
        now_ = std::max(now_, events_.front().when);
        run_event();
    }
    return true;
}

std::string sim_world::report() const {
    std::string lines = fmt::format("seed {}, {}, who waits for what:\n", seed_, text_of(elapsed()));
    for (const membership& each : members_) each.runner->report(lines);
    for (const sim_reporter* each : reporters_) each->report(lines);
    return lines;
}

// ---- what happened

void sim_world::trace(sim_trace kind, std::uint64_t subject, std::uint64_t detail) {
    trace_hash_ = mix(trace_hash_, static_cast<std::uint64_t>(now_.time_since_epoch().count()));
    trace_hash_ = mix(trace_hash_, static_cast<std::uint64_t>(kind) << 56 ^ subject);
    trace_hash_ = mix(trace_hash_, detail);
    if (trace_sink_) {
        trace_sink_(fmt::format("{} {} {:x} {:x}", text_of(elapsed()), to_string(kind), subject, detail));
    }
}

void sim_world::find(std::string what) {
    ++finding_count_;
    if (findings_.size() < findings_max) findings_.push_back(text_of(elapsed()) + ": " + std::move(what));
}

std::vector<std::string> sim_world::findings() const {
    std::vector<std::string> found = findings_;
    if (finding_count_ > found.size()) {
        found.push_back(fmt::format("and {} more", finding_count_ - found.size()));
    }
    return found;
}

}  // namespace sluice::testing
