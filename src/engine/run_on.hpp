// A function, run on a loop, from any thread.
#pragma once

#include <utility>

#include "loop/event_loop.hpp"

namespace sluice {

// Calls `function(fate)` once on the loop, in the resume phase: with fate::run, or with fate::drop if the loop ends first.
// The loop must still be there when this is called.
template <class Function>
void run_on(event_loop& loop, Function function) {
    struct calling final : remote_task {
        explicit calling(Function&& called_) : remote_task(&call), called(std::move(called_)) {}
        static void call(task& self, fate what) {
            auto* mine = static_cast<calling*>(static_cast<remote_task*>(&self));
            Function function(std::move(mine->called));
            delete mine;
            function(what);
        }
        Function called;
    };
    loop.post_remote(*new calling(std::move(function)));
}

}  // namespace sluice
