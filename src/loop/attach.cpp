// How an io_context runs the turns of a loop:
//
//   a turn      when the loop's handle is readable, when its next deadline has come, or when the last turn wanted another
//   work        what waits for handle and deadline does not count as work of the context; instead a unit of work is held
//               while the loop has something that would keep its own run() going, and from each ring of the sleeping loop
//               to the turn that it asks for
#include "sluice/attach.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "loop/event_loop.hpp"
#include "sluice/error.hpp"

namespace sluice {

namespace asio = boost::asio;

// Owner: the context's thread, but for on_ring. Lives as long as the attachment, the loop, or a handler of it.
class attached_loop final : public loop_host, public std::enable_shared_from_this<attached_loop> {
public:
    attached_loop(asio::io_context& context, loop& hosted);

    void start() { post_turn(); }
    // The attachment, the loop or the context ends.
    void detach() noexcept;
    bool is_hosting() const noexcept override { return context_ != nullptr; }
    void on_ring() noexcept override;
    void on_end() noexcept override { detach(); }

private:
    struct waits {
        waits(asio::io_context& context, int handle) : readable(context, handle), alarm(context) {}
        asio::posix::stream_descriptor readable;  // a duplicate of the loop's handle
        asio::steady_timer alarm;
    };

    void turn();
    void run_turn();
    bool take_ring() noexcept;
    void after_turn(asio::io_context& context, bool was_rung, bool is_wanted);
    void post_turn();
    void watch();
    void set_alarm();
    void hold_work(bool is_wanted) noexcept;
    // A handler that its operation does not count as work of the context.
    template <class Then>
    auto uncounted(Then then);
    static void count(asio::io_context& context) noexcept { context.get_executor().on_work_started(); }
    static void discount(asio::io_context& context) noexcept { context.get_executor().on_work_finished(); }

    std::mutex guard_;  // of context_ and is_rung_, against on_ring
    asio::io_context* context_;
    loop& loop_;
    std::optional<waits> waits_;
    std::thread::id thread_;
    time_point alarm_due_ = never;
    bool is_rung_ = false;  // and a unit of work is held for it
    bool holds_work_ = false;
    bool is_posted_ = false;
    bool is_watching_ = false;
    bool is_alarm_set_ = false;
};

namespace {

// How a context knows what ends with it.
class attachment_service : public asio::execution_context::service {
public:
    using key_type = attachment_service;
    inline static asio::execution_context::id id;

    explicit attachment_service(asio::execution_context& of) : service(of) {}
    void add(const std::shared_ptr<attached_loop>& attached) {
        std::erase_if(attached_, [](const auto& each) { return each.expired(); });
        attached_.push_back(attached);
    }

private:
    void shutdown() override {
        for (const auto& each : attached_) {
            if (const auto left = each.lock()) left->detach();
        }
    }
    std::vector<std::weak_ptr<attached_loop>> attached_;
};

// How many threads a context was made for, as far as it says: 1 if that is unknown.
template <class Implementation = asio::detail::io_context_impl>
int thread_count_of(asio::io_context& context) {
    if constexpr (requires(Implementation& known) { known.concurrency_hint(); }) {
        return std::max(1, asio::use_service<Implementation>(context).concurrency_hint());
    }
    return 1;
}

int duplicate_of(int handle) {
    const int made = ::dup(handle);
    if (made < 0) throw boost::system::system_error(errno, boost::system::system_category(), "attach");
    return made;
}

}  // namespace

attached_loop::attached_loop(asio::io_context& context, loop& hosted)
    : context_(&context),
      loop_(hosted),
      waits_(std::in_place, context, duplicate_of(hosted.native_handle())) {}

void attached_loop::detach() noexcept {
    if (context_ == nullptr) return;
    asio::io_context& left = *context_;
    hold_work(false);
    bool was_rung = false;
    {
        const std::lock_guard lock(guard_);
        context_ = nullptr;
        was_rung = std::exchange(is_rung_, false);
    }
    if (was_rung) discount(left);
    waits_.reset();
}

// Any thread. Before the loop's handle gets readable, so that a turn follows.
void attached_loop::on_ring() noexcept {
    const std::lock_guard lock(guard_);
    if (context_ == nullptr || std::exchange(is_rung_, true)) return;
    count(*context_);
}

void attached_loop::turn() {
    if (context_ == nullptr) return;
    if (thread_ == std::thread::id()) thread_ = std::this_thread::get_id();
    if (thread_ != std::this_thread::get_id()) {
        detach();
        throw error(errc::invalid_config,
                    "sluice::attach: several threads run the io_context; the loop is detached. Let one "
                    "thread run it, or "
                    "give the producer a sluice::runtime and send from all of them");
    }
    // A handler of the loop that runs the context, for a moment: its own turn is not over.
    if (loop_.running_in_this_thread()) return post_turn();
    run_turn();
}

void attached_loop::run_turn() {
    struct end_of_turn {
        ~end_of_turn() { of.after_turn(context, was_rung, is_wanted); }
        attached_loop& of;
        asio::io_context& context;
        bool was_rung;
        bool is_wanted = true;  // also when a handler throws
    } end{*this, *context_, take_ring()};
    end.is_wanted = loop_.run_ready();
}

bool attached_loop::take_ring() noexcept {
    const std::lock_guard lock(guard_);
    return std::exchange(is_rung_, false);
}

void attached_loop::after_turn(asio::io_context& context, bool was_rung, bool is_wanted) {
    if (context_ != nullptr) {  // nobody detached it in the turn
        hold_work(!loop_.events().is_done());
        if (is_wanted) {
            post_turn();
        } else {
            watch();
            set_alarm();
        }
    }
    if (was_rung) discount(context);
}

void attached_loop::hold_work(bool is_wanted) noexcept {
    if (std::exchange(holds_work_, is_wanted) == is_wanted) return;
    is_wanted ? count(*context_) : discount(*context_);
}

void attached_loop::post_turn() {
    if (std::exchange(is_posted_, true)) return;
    asio::post(*context_, [self = shared_from_this()] {
        self->is_posted_ = false;
        self->turn();
    });
}

template <class Then>
auto attached_loop::uncounted(Then then) {
    return [self = shared_from_this(), context = context_, then](error_code error) {
        count(*context);  // the end of every handler is discounted
        if (!error) then(*self);
    };
}

void attached_loop::watch() {
    if (std::exchange(is_watching_, true)) return;
    waits_->readable.async_wait(asio::posix::descriptor_base::wait_read, uncounted([](attached_loop& self) {
                                    self.is_watching_ = false;
                                    self.turn();
                                }));
    discount(*context_);
}

// An alarm that is set for earlier is left alone: a turn too many costs less than setting it anew each time.
void attached_loop::set_alarm() {
    const time_point due = loop_.next_deadline();
    if (due == never || (is_alarm_set_ && alarm_due_ <= due)) return;
    is_alarm_set_ = true;
    alarm_due_ = due;
    waits_->alarm.expires_at(due);
    waits_->alarm.async_wait(uncounted([](attached_loop& self) {
        self.is_alarm_set_ = false;
        self.turn();
    }));
    discount(*context_);
}

// ---- public

void attachment::detach() noexcept {
    if (attached_ != nullptr) attached_->detach();
    attached_.reset();
}

bool attachment::is_attached() const noexcept {
    return attached_ != nullptr && attached_->is_hosting();
}

attachment attach(asio::io_context& host, loop& hosted) {
    if (const int count = thread_count_of(host); count > 1) {
        throw error(
            errc::invalid_config,
            fmt::format(
                "sluice::attach: the io_context is made for {} threads (its concurrency hint); a loop "
                "needs one that a single thread runs, io_context(1)",
                count));
    }
    event_loop& events = hosted.events();
    if (const loop_host* before = events.host(); before != nullptr && before->is_hosting()) {
        throw error(errc::invalid_config, "sluice::attach: the loop is attached already");
    }
    auto made = std::make_shared<attached_loop>(host, hosted);
    asio::use_service<attachment_service>(host).add(made);
    events.set_host(made);
    made->start();
    return attachment(std::move(made));
}

}  // namespace sluice
