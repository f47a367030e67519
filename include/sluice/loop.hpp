// A thread's event loop: an io_uring (or epoll) of its own, and a Boost.Asio execution context.
#pragma once

#include <boost/asio/execution/blocking.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution/mapping.hpp>
#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/execution/relationship.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/recycling_allocator.hpp>
#include <chrono>
#include <memory>
#include <type_traits>
#include <utility>

#include "sluice/detail/task.hpp"
#include "sluice/error.hpp"
#include "sluice/log.hpp"
#include "sluice/reactor.hpp"

namespace sluice {

class event_loop;

struct loop_options {
    reactor_kind reactor = reactor_kind::automatic;
    log_sink log = stderr_log();
};

// Runs coroutines and handlers on one thread, and hosts the shards of producers that were created on it.
//
//   sluice::loop loop;
//   asio::co_spawn(loop, serve(loop), asio::detached);
//   loop.run();
//
// Thread rules: one thread runs it. After the first run_ready() that is the thread that called it, for good: run,
//               run_ready, submit, next_deadline and scope on another one break a rule (invariant.hpp). Any thread:
//               stop, get_executor and what executors do.
// Lifetime:     outlives the producers on it. The loops of one producer are destroyed when all of them have left run().
//               The destructor destroys handlers and coroutines that still wait.
// Errors:       the constructor throws system_error where io_uring was demanded and is refused.
class loop : public boost::asio::execution_context {
public:
    class executor_type;

    explicit loop(loop_options options = {});
    // Around an event loop made elsewhere (simulation).
    explicit loop(std::unique_ptr<event_loop> made) noexcept;
    ~loop();

    executor_type get_executor() noexcept;

    // Runs until stop(), or until nothing is left: no handler, no outstanding work of executors (which a loop_timer
    // that is awaited is, too). Producers without anybody who awaits them do not keep it.
    void run();
    // Also before run(), which then returns at once; the run() after it starts afresh.
    void stop() noexcept;

    // ---- hosted by another reactor, all on one thread
    //
    //   watch native_handle() for reading;
    //   for (;;) {
    //       const bool is_wanted = loop.run_ready(1ms);
    //       wait for events: not at all if is_wanted, else until loop.next_deadline();
    //       serve your own;
    //   }
    //
    // Turns that never wait: one, and as many as are wanted at once before `budget` is used up. True if another one is
    // wanted: come back without waiting. The budget is looked at between two handlers: one that runs on keeps the host
    // waiting. Without a budget: one turn, with every handler that is ready by then.
    bool run_ready(std::chrono::nanoseconds budget = std::chrono::nanoseconds::zero());
    // Readable when run_ready() has something to do; at first it has. The same descriptor always, and the loop's: not
    // to be read, nor closed.
    int native_handle() const noexcept;
    // When to call run_ready() if the handle stays silent. To be asked after each run_ready().
    std::chrono::steady_clock::time_point next_deadline() const;
    // Hands started operations to the kernel without a turn.
    void submit();
    // Around calls that a host makes outside of run_ready(): inside of it this thread is on the loop, and sends as
    // coroutines of the loop do, without an atomic. The first call makes the handle readable. Without a scope the same
    // calls work too, as those of any other thread.
    class scope {
    public:
        explicit scope(loop& entered);
        ~scope();
        scope(const scope&) = delete;
        scope& operator=(const scope&) = delete;

    private:
        event_loop* before_;
    };

    reactor_kind reactor() const noexcept;
    // Is this thread inside a turn (or a scope) of this loop?
    bool running_in_this_thread() const noexcept;

    event_loop& events() noexcept { return *events_; }

private:
    friend class executor_type;
    void post(remote_task& ready) noexcept;  // any thread
    void work_started() noexcept;
    void work_finished() noexcept;

    std::unique_ptr<event_loop> events_;
};

// A conforming Asio executor: a plain concrete type of two words.
//
//   blocking.possibly (default)   execute() on the loop's own thread, inside a turn, runs the function at once
//   blocking.never                the function runs in a later phase or turn
//
// Functions posted from one thread run in the order of posting. Any thread.
class loop::executor_type {
public:
    executor_type(const executor_type& other) noexcept : executor_type(other.loop_, other.bits_) {}
    executor_type(executor_type&& other) noexcept : loop_(other.loop_), bits_(other.bits_) {
        other.bits_ &= ~tracked;
    }
    executor_type& operator=(const executor_type& other) noexcept {
        executor_type copy(other);
        std::swap(loop_, copy.loop_);
        std::swap(bits_, copy.bits_);
        return *this;
    }
    executor_type& operator=(executor_type&& other) noexcept {
        std::swap(loop_, other.loop_);
        std::swap(bits_, other.bits_);
        return *this;
    }
    ~executor_type() {
        if ((bits_ & tracked) != 0) loop_->work_finished();
    }

    loop& context() const noexcept { return *loop_; }

    // ---- properties (Boost.Asio, "Executors")
    loop& query(boost::asio::execution::context_t) const noexcept { return *loop_; }
    static constexpr boost::asio::execution::mapping_t query(boost::asio::execution::mapping_t) noexcept {
        return boost::asio::execution::mapping.thread;
    }
    boost::asio::execution::blocking_t query(boost::asio::execution::blocking_t) const noexcept {
        if ((bits_ & blocking_never) != 0) return boost::asio::execution::blocking.never;
        return boost::asio::execution::blocking.possibly;
    }
    boost::asio::execution::outstanding_work_t query(
        boost::asio::execution::outstanding_work_t) const noexcept {
        if ((bits_ & tracked) != 0) return boost::asio::execution::outstanding_work.tracked;
        return boost::asio::execution::outstanding_work.untracked;
    }
    boost::asio::execution::relationship_t query(boost::asio::execution::relationship_t) const noexcept {
        if ((bits_ & continuation) != 0) return boost::asio::execution::relationship.continuation;
        return boost::asio::execution::relationship.fork;
    }
    executor_type require(boost::asio::execution::blocking_t::possibly_t) const noexcept {
        return {loop_, bits_ & ~blocking_never};
    }
    executor_type require(boost::asio::execution::blocking_t::never_t) const noexcept {
        return {loop_, bits_ | blocking_never};
    }
    executor_type require(boost::asio::execution::outstanding_work_t::tracked_t) const noexcept {
        return {loop_, bits_ | tracked};
    }
    executor_type require(boost::asio::execution::outstanding_work_t::untracked_t) const noexcept {
        return {loop_, bits_ & ~tracked};
    }
    executor_type require(boost::asio::execution::relationship_t::fork_t) const noexcept {
        return {loop_, bits_ & ~continuation};
    }
    executor_type require(boost::asio::execution::relationship_t::continuation_t) const noexcept {
        return {loop_, bits_ | continuation};
    }

    template <class Function>
    void execute(Function&& function) const {
        if ((bits_ & blocking_never) == 0 && loop_->running_in_this_thread()) {
            std::decay_t<Function> called(std::forward<Function>(function));
            called();
            return;
        }
        loop_->post(*posted<std::decay_t<Function>>::make(std::forward<Function>(function)));
    }

    friend bool operator==(const executor_type& a, const executor_type& b) noexcept {
        return a.loop_ == b.loop_ && a.bits_ == b.bits_;
    }
    friend bool operator!=(const executor_type& a, const executor_type& b) noexcept { return !(a == b); }

private:
    friend class loop;
    enum : unsigned { blocking_never = 1, tracked = 2, continuation = 4 };

    executor_type(loop* on, unsigned bits) noexcept : loop_(on), bits_(bits) {
        if ((bits_ & tracked) != 0) loop_->work_started();
    }

    // A function on its way, in memory that Asio keeps for threads it knows, as the loop's.
    template <class Function>
    struct posted : remote_task {
        template <class Argument>
        static posted* make(Argument&& function) {
            posted* made = boost::asio::recycling_allocator<posted>().allocate(1);
            try {
                return new (made) posted(std::forward<Argument>(function));
            } catch (...) {
                boost::asio::recycling_allocator<posted>().deallocate(made, 1);
                throw;
            }
        }

    private:
        template <class Argument>
        explicit posted(Argument&& function)
            : remote_task(&arrive), function_(std::forward<Argument>(function)) {}

        static void arrive(task& self, fate what) {
            auto* arrived = static_cast<posted*>(&self);
            Function function(std::move(arrived->function_));
            arrived->~posted();
            boost::asio::recycling_allocator<posted>().deallocate(arrived, 1);
            if (what == fate::run) function();
        }

        Function function_;
    };

    loop* loop_;
    unsigned bits_;
};

inline loop::executor_type loop::get_executor() noexcept {
    return {this, 0};
}

}  // namespace sluice
