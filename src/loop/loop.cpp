#include "sluice/loop.hpp"

#include <boost/asio/detail/thread_context.hpp>
#include <boost/asio/detail/thread_info_base.hpp>
#include <optional>

#include "loop/event_loop.hpp"
#include "loop/make_reactor.hpp"

namespace sluice {

namespace {

std::unique_ptr<event_loop> make_events(loop_options options) {
    logger log(std::move(options.log));
    auto made = make_reactor(options.reactor, log);
    if (!made) {
        throw boost::system::system_error(
            made.error(), std::string("no ") + to_string(options.reactor) + " reactor for sluice::loop");
    }
    return std::make_unique<event_loop>(std::move(*made), std::move(log));
}

// Asio keeps the memory of handlers and coroutine frames for the next ones, per thread, if it knows the
// thread: while one of these is on its stack. It saves a fifth of a post and a third of a coroutine call.
// Inside io_context::run() of a host there is one already.
class known_to_asio : boost::asio::detail::thread_context {
public:
    known_to_asio() {
        if (top_of_thread_call_stack() == nullptr)
            entered_.emplace(static_cast<thread_context*>(this), kept_memory);
    }

private:
    inline static thread_local boost::asio::detail::thread_info_base kept_memory;
    std::optional<thread_call_stack::context> entered_;
};

}  // namespace

loop::loop(loop_options options) : loop(make_events(std::move(options))) {}

loop::loop(std::unique_ptr<event_loop> made) noexcept : events_(std::move(made)) {}

loop::~loop() {
    event_loop::scope on_this_loop(*events_);
    // Services let go of the handlers they hold. A suspended coroutine that dies *posts* the destruction of
    // its frames to its executor, that is to our queues,
    shutdown();
    // and these are emptied, by dropping, while the services that live in such frames are still there.
    events_->end();
    destroy();
    events_->end();
}

void loop::run() {
    const known_to_asio this_thread;
    events_->run();
}
void loop::stop() noexcept {
    events_->stop();
}
bool loop::run_ready(std::chrono::nanoseconds budget) {
    const known_to_asio this_thread;
    return events_->run_ready(budget);
}
int loop::native_handle() const noexcept {
    return events_->io().native_handle();
}
std::chrono::steady_clock::time_point loop::next_deadline() const {
    events_->check_thread();
    return events_->next_deadline();
}
void loop::submit() {
    events_->check_thread();
    events_->submit();
}

loop::scope::scope(loop& entered) {
    entered.events_->check_thread();
    before_ = event_loop::enter(&*entered.events_);
}
loop::scope::~scope() {
    event_loop::enter(before_);
}

reactor_kind loop::reactor() const noexcept {
    return events_->io().kind();
}
bool loop::running_in_this_thread() const noexcept {
    return events_->is_current();
}

void loop::post(remote_task& ready) noexcept {
    if (events_->is_current()) {
        events_->post(ready);
    } else {
        events_->post_remote(ready);
    }
}
void loop::work_started() noexcept {
    events_->work_started();
}
void loop::work_finished() noexcept {
    events_->work_finished();
}

}  // namespace sluice
