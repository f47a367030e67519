// The simulated world: virtual time, one queue of everything that will happen, chance from one seed.
//
//   events    ordered by (time, seeded tie-break, insertion); run one at a time
//   runners   the event loops; one that wants a turn gets it now, which one first is seeded, and so is whether an event
//             of this instant comes before it
//   time      stands still while an event or a turn of this instant is left, then jumps to the next event or deadline;
//             only a reactor's submit_and_wait takes some (fault_plan::system_call_max)
//   trace     everything that happens is folded into one hash, with ids, sizes and contents: the same seed gives the
//             same hash. Addresses of memory never enter it, nor order anything
//   findings  what somebody did wrong without failing at once; a test expects none
//
// The monotonic clock starts at an hour; the wall clock at some millisecond of 2024, and it may jump.
//
// Owner: one thread, whatever the number of loops; outlives everything that was made in it.
#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "base/time.hpp"
#include "testing/sim_draw.hpp"
#include "testing/sim_fault_plan.hpp"

namespace sluice::testing {

// Who can say what it waits for: appends lines.
class sim_reporter {
public:
    virtual void report(std::string& lines) const = 0;

protected:
    ~sim_reporter() = default;
};

// Who gets turns: a loop.
class sim_runner : public sim_reporter {
public:
    // Something was completed or rung since the last turn.
    virtual bool is_woken() const noexcept = 0;
    // True if another turn is wanted at once.
    virtual bool run_turn() = 0;
    virtual time_point next_deadline() const = 0;

protected:
    ~sim_runner() = default;
};

enum class sim_trace : std::uint8_t {
    turn,        // runner
    pause,       // runner, nanoseconds
    wall_jump,   // 0, milliseconds
    mark,        // whatever a test traces
    operation,   // socket and kind, bytes asked for
    moved,       // socket and kind, result
    completed,   // socket and kind, result
    reaped,      // socket and kind, content
    cancelled,   // socket and kind
    opened,      // socket
    closed,      // socket
    connecting,  // connection
    connected,   // connection, result
    written,     // connection and direction, bytes
    arrived,     // connection and direction, bytes
    stalled,     // connection and direction, nanoseconds
    broken,      // connection, errno
    lookup,      // bytes of the name, result
};
const char* to_string(sim_trace kind) noexcept;

// How run_until ended.
struct run_result {
    enum class ending {
        reached,     // the predicate is true
        time_limit,  // it is not, and the time is over
        hang,        // it is not, and never will be: no event, no deadline, nothing to run
        livelock     // it is not, and the loops never come to rest
    };
    ending how = ending::reached;
    std::string waiting;  // who waits for what; empty if reached

    explicit operator bool() const noexcept { return how == ending::reached; }
};
const char* to_string(run_result::ending how) noexcept;
std::ostream& operator<<(std::ostream& out, const run_result& result);

class sim_world {
public:
    explicit sim_world(std::uint64_t seed, const fault_plan& faults = fault_plan::calm());
    ~sim_world();
    sim_world(const sim_world&) = delete;
    sim_world& operator=(const sim_world&) = delete;

    std::uint64_t seed() const noexcept { return seed_; }
    // Every choice of the simulation comes from here; a test's own may, too.
    random& chance() noexcept { return random_; }
    bool happens(fault_plan::chance chance) noexcept { return testing::happens(random_, chance); }
    // What goes wrong at this moment: nothing any more when the world has healed.
    const fault_plan& faults() const noexcept { return is_healed_ ? healed_ : faults_; }
    bool is_healed() const noexcept { return is_healed_; }
    time_point heals_at() const noexcept { return heals_at_; }

    // ---- time
    time_point now() const noexcept { return now_; }
    duration elapsed() const noexcept { return now_ - start_; }
    wall_time wall_now() const noexcept;
    void jump_wall_clock(std::chrono::milliseconds by);

    // ---- events
    enum class event_id : std::uint64_t { none = 0 };
    // Runs `action` once at that time, or now if it has passed; not inside this call.
    event_id at(time_point when, std::function<void()> action);
    event_id in(duration wait, std::function<void()> action) {
        return at(after(now_, wait), std::move(action));
    }
    // Does nothing for `none` and for what ran already. Sets it to `none`.
    void cancel(event_id& unwanted) noexcept;

    // ---- running
    // Lets time pass until the predicate, which is asked after every step, is true; `limit` is virtual time.
    run_result run_until(const std::function<bool()>& predicate, duration limit);
    // Lets this much time pass. Idleness is no hang here: the result is `reached`, or a livelock.
    run_result run_for(duration time);
    // What a simulated reactor does when it is told to wait: runs events, and no loop, until `is_enough` or `deadline`.
    // False if nothing can happen any more.
    bool wait(const std::function<bool()>& is_enough, time_point deadline);
    // Time that passes by itself, as a system call takes it.
    void pass(duration time) noexcept { now_ = after(now_, time); }

    // What the next runner that is added has in the trace.
    std::uint32_t next_runner_id() const noexcept { return static_cast<std::uint32_t>(last_member_id_); }
    void add(sim_runner& runner);
    void remove(sim_runner& runner) noexcept;
    void add(sim_reporter& reporter);
    void remove(sim_reporter& reporter) noexcept;
    // "who waits for what", as it stands in a run_result.
    std::string report() const;

    // Turns and events without a moment of rest that run_until takes for a livelock.
    std::uint64_t busy_steps_max = 1'000'000;

    // ---- what happened
    void trace(sim_trace kind, std::uint64_t subject, std::uint64_t detail = 0);
    std::uint64_t trace_hash() const noexcept { return trace_hash_; }
    // Called with a line for everything that is traced: what two runs of a seed that differ are compared by.
    void on_trace(std::function<void(std::string_view line)> sink) { trace_sink_ = std::move(sink); }

    void find(std::string what);
    // Oldest first, each with its time. At most 100, and then how many more there were.
    std::vector<std::string> findings() const;

    std::uint64_t event_count() const noexcept { return event_count_; }
    std::uint64_t turn_count() const noexcept { return turn_count_; }

private:
    struct entry {
        time_point when;
        std::uint32_t tie;
        std::uint32_t slot;
        std::uint64_t order;
    };
    struct slot {
        std::function<void()> action;
        std::uint32_t use_count = 1;  // a half of its event_id: an old id finds a younger event
        bool is_set = false;
    };
    struct membership {
        sim_runner* runner = nullptr;
        std::uint64_t id = 0;
        bool wants_turn = true;  // the first one; a host runs it unasked
        time_point deadline = never;
        time_point paused_until{};
    };

    static bool is_later(const entry& a, const entry& b) noexcept;
    bool has_event() noexcept;  // drops cancelled ones from the front
    bool has_due_event() noexcept { return has_event() && events_.front().when <= now_; }
    void run_event();
    bool wants_turn(const membership& member) const noexcept;
    void run_turn(std::size_t index);
    bool step();  // one event or turn of this instant; false if there is none
    time_point next_instant() noexcept;
    run_result run(const std::function<bool()>* predicate, duration limit);

    std::uint64_t seed_;
    random random_;
    fault_plan faults_;
    fault_plan healed_;
    time_point start_;
    time_point heals_at_;
    time_point now_;
    std::int64_t wall_start_ms_;
    std::int64_t wall_jumped_ms_ = 0;
    bool is_healed_ = false;

    std::vector<entry> events_;  // a heap
    std::vector<slot> slots_;
    std::vector<std::uint32_t> free_slots_;
    std::uint64_t event_order_ = 0;

    std::vector<membership> members_;
    std::vector<std::size_t> runnable_;  // scratch of step()
    std::uint64_t last_member_id_ = 0;
    std::vector<sim_reporter*> reporters_;

    std::uint64_t trace_hash_;
    std::function<void(std::string_view)> trace_sink_;
    std::vector<std::string> findings_;
    std::uint64_t finding_count_ = 0;
    std::uint64_t event_count_ = 0;
    std::uint64_t turn_count_ = 0;
};

}  // namespace sluice::testing
