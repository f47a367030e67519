// How a wait ends, exactly once:
//
//   its deadline, cancel_wait, or the end of a context      each *claims* the handler; the first one gets it
//
// The deadline lives in the loop's heap, which only the loop's thread touches; other threads send it
// messages. A wait keeps itself alive while its deadline is set or a message is under way. Contexts know the
// waits that they must end by a service of theirs.
#include "sluice/loop_timer.hpp"

#include <algorithm>
#include <atomic>
#include <boost/asio/error.hpp>
#include <mutex>

#include "loop/event_loop.hpp"

namespace sluice::detail {

namespace asio = boost::asio;

class wait_list;

// A wait's place in the list of one context.
class membership : public list_hook<> {
public:
    explicit membership(timer_wait& of) noexcept : of_(&of) {}
    membership(const membership&) = delete;
    membership& operator=(const membership&) = delete;
    ~membership();

    // False if the context has ended.
    bool join(std::shared_ptr<wait_list> list) noexcept;
    timer_wait& of() const noexcept { return *of_; }

private:
    timer_wait* of_;
    std::shared_ptr<wait_list> list_;
};

// Owner: shared; `guard_` guards it. It outlives its context, since waits leave it when they like.
class wait_list {
public:
    bool add(membership& member) noexcept {
        const std::lock_guard lock(guard_);
        if (!has_ended_) members_.push_back(member);
        return !has_ended_;
    }
    void remove(membership& member) noexcept {
        const std::lock_guard lock(guard_);
        if (member.is_linked()) member.unlink();
    }
    // The context ends: withdraws all waits, and takes no more.
    void end() noexcept;

private:
    std::mutex guard_;
    list_of<membership> members_;
    bool has_ended_ = false;
};

class timer_wait : public std::enable_shared_from_this<timer_wait> {
public:
    timer_wait(event_loop& on, waiting_handler& handler) noexcept : events_(on), handler_(&handler) {}
    ~timer_wait() {
        if (waiting_handler* mine = claim()) mine->drop();  // never started
    }

    void join(const std::shared_ptr<wait_list>& of_loop,
              const std::shared_ptr<wait_list>& of_handler) noexcept {
        const bool is_late =
            !in_loop_.join(of_loop) || (of_handler != of_loop && !in_context_of_handler_.join(of_handler));
        if (is_late) withdraw();
    }

    void start(time_point due) {
        due_ = due;
        if (events_.is_current()) {
            set();
        } else {
            starting_.send(events_, shared_from_this());
        }
    }
    void cancel() noexcept {
        const auto keep = shared_from_this();
        if (waiting_handler* mine = claim()) {
            unset_from_anywhere();
            post(*mine, asio::error::operation_aborted);
        }
    }
    // A context ends, the loop's or the handler's.
    void withdraw() noexcept {
        if (waiting_handler* mine = claim()) {
            unset_from_anywhere();
            mine->drop();
        }
    }

private:
    struct alarm : timer {
        explicit alarm(timer_wait& of_) noexcept : timer(&ring), of(&of_) {}
        static void ring(timer& self) noexcept {
            timer_wait& wait = *static_cast<alarm&>(self).of;
            const auto keep = std::move(wait.self_);
            if (waiting_handler* mine = wait.claim()) wait.post(*mine, {});
        }
        timer_wait* of;
    };
    // To the loop's thread, from another one.
    struct message : remote_task {
        explicit message(void (timer_wait::*does_)()) noexcept : remote_task(&arrive), does(does_) {}
        void send(event_loop& to, std::shared_ptr<timer_wait> wait) noexcept {
            of = std::move(wait);
            to.post_remote(*this);
        }
        static void arrive(task& self, fate) {
            auto& arrived = static_cast<message&>(self);
            const auto wait = std::move(arrived.of);
            ((*wait).*arrived.does)();
        }
        void (timer_wait::*does)();
        std::shared_ptr<timer_wait> of;
    };

    waiting_handler* claim() noexcept { return handler_.exchange(nullptr, std::memory_order_acq_rel); }
    void post(waiting_handler& mine, error_code error) noexcept {
        mine.error = error;
        if (events_.is_current()) {
            events_.post(mine);
        } else {
            events_.post_remote(mine);
        }
    }
    void set() {
        if (handler_.load(std::memory_order_acquire) == nullptr) return;  // cancelled on the way here
        self_ = shared_from_this();
        events_.set_timer(alarm_, due_);
    }
    void unset() {
        events_.cancel_timer(alarm_);
        self_.reset();
    }
    void unset_from_anywhere() noexcept {
        if (events_.is_current()) {
            unset();
        } else {
            ending_.send(events_, shared_from_this());
        }
    }

    event_loop& events_;
    std::atomic<waiting_handler*> handler_;
    membership in_loop_{*this};
    membership in_context_of_handler_{*this};
    message starting_{&timer_wait::set};
    message ending_{&timer_wait::unset};

    // Of the loop's thread.
    time_point due_{};
    alarm alarm_{*this};
    std::shared_ptr<timer_wait> self_;  // while the alarm is set
};

bool membership::join(std::shared_ptr<wait_list> list) noexcept {
    list_ = std::move(list);
    return list_->add(*this);
}

membership::~membership() {
    if (list_) list_->remove(*this);
}

void wait_list::end() noexcept {
    for (;;) {
        std::shared_ptr<timer_wait> withdrawn;
        {
            const std::lock_guard lock(guard_);
            has_ended_ = true;
            if (members_.empty()) return;
            // Null for one that is being destroyed just now, waiting for this lock.
            withdrawn = members_.front().of().weak_from_this().lock();
            members_.pop_front();
        }
        if (withdrawn) withdrawn->withdraw();
    }
}

namespace {

// How a context knows the waits that end with it.
class wait_service : public asio::execution_context::service {
public:
    using key_type = wait_service;
    inline static asio::execution_context::id id;

    explicit wait_service(asio::execution_context& of) : service(of) {}
    const std::shared_ptr<wait_list>& waits() const noexcept { return waits_; }

private:
    void shutdown() override { waits_->end(); }

    std::shared_ptr<wait_list> waits_ = std::make_shared<wait_list>();
};

}  // namespace

std::shared_ptr<timer_wait> make_wait(loop& on, asio::execution_context& of_handler,
                                      waiting_handler& handler) {
    auto made = std::make_shared<timer_wait>(on.events(), handler);
    made->join(asio::use_service<wait_service>(static_cast<asio::execution_context&>(on)).waits(),
               asio::use_service<wait_service>(of_handler).waits());
    return made;
}

void start_wait(timer_wait& wait, std::chrono::steady_clock::time_point due) {
    wait.start(due);
}

void cancel_wait(timer_wait& wait) noexcept {
    wait.cancel();
}

std::chrono::steady_clock::time_point deadline_in(loop& on, std::chrono::nanoseconds wait) {
    return after(on.events().io().now(), std::max<duration>(wait, duration::zero()));
}

}  // namespace sluice::detail
