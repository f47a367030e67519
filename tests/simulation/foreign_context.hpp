// An execution context that is no loop: what runs on it runs later, one function at a time, as events of the world. It
// stands for a thread that sends from elsewhere, but takes its turns where the seed says so.
//
// Owner: one world, before which it ends.
#pragma once

#include <boost/asio/execution/blocking.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution_context.hpp>
#include <deque>
#include <memory>
#include <type_traits>
#include <utility>

#include "testing/sim_draw.hpp"
#include "testing/sim_world.hpp"

namespace sluice::simulation {

class foreign_context : public boost::asio::execution_context {
public:
    explicit foreign_context(testing::sim_world& world) : world_(world) {}
    ~foreign_context() {
        world_.cancel(next_);
        shutdown();
        queue_.clear();
        destroy();
    }

    class executor_type {
    public:
        explicit executor_type(foreign_context& on) noexcept : on_(&on) {}
        foreign_context& context() const noexcept { return *on_; }
        foreign_context& query(boost::asio::execution::context_t) const noexcept { return *on_; }
        static constexpr boost::asio::execution::blocking_t query(
            boost::asio::execution::blocking_t) noexcept {
            return boost::asio::execution::blocking.never;
        }
        executor_type require(boost::asio::execution::blocking_t::never_t) const noexcept { return *this; }
        template <class Function>
        void execute(Function&& function) const {
            on_->push(std::make_unique<holding<std::decay_t<Function>>>(std::forward<Function>(function)));
        }
        friend bool operator==(const executor_type& a, const executor_type& b) noexcept {
            return a.on_ == b.on_;
        }
        friend bool operator!=(const executor_type& a, const executor_type& b) noexcept {
            return a.on_ != b.on_;
        }

    private:
        foreign_context* on_;
    };
    executor_type get_executor() noexcept { return executor_type(*this); }

private:
    struct work {
        virtual ~work() = default;
        virtual void run() = 0;
    };
    template <class Function>
    struct holding final : work {
        template <class Argument>
        explicit holding(Argument&& held_) : held(std::forward<Argument>(held_)) {}
        void run() override { held(); }
        Function held;
    };

    void push(std::unique_ptr<work> added) {
        queue_.push_back(std::move(added));
        if (queue_.size() == 1) plan();
    }
    void plan() {
        next_ = world_.in(testing::up_to(world_.chance(), std::chrono::microseconds(500)), [this] {
            const std::unique_ptr<work> first = std::move(queue_.front());
            queue_.pop_front();
            if (!queue_.empty()) plan();
            first->run();
        });
    }

    testing::sim_world& world_;
    std::deque<std::unique_ptr<work>> queue_;
    testing::sim_world::event_id next_{};
};

}  // namespace sluice::simulation
