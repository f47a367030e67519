// A loop inside a Boost.Asio program: hosted by an io_context that one thread runs.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <utility>

#include "sluice/loop.hpp"

namespace sluice {

class attached_loop;

// Holds a loop attached; destroying it detaches.
//
// Thread rules: made anywhere; destroyed on the context's thread, or while nobody runs the context.
// Lifetime:     loop, context and attachment may be destroyed in any order, the loop by the same thread rule.
class attachment {
public:
    attachment() noexcept = default;  // of nothing
    attachment(attachment&& other) noexcept = default;
    attachment& operator=(attachment&& other) noexcept {
        if (this != &other) {
            detach();
            attached_ = std::move(other.attached_);
        }
        return *this;
    }
    ~attachment() { detach(); }

    void detach() noexcept;
    // False for the empty one, once detached, and after the loop or the context has ended.
    bool is_attached() const noexcept;

private:
    friend attachment attach(boost::asio::io_context& host, loop& hosted);
    explicit attachment(std::shared_ptr<attached_loop> attached) noexcept : attached_(std::move(attached)) {}
    std::shared_ptr<attached_loop> attached_;
};

// Whoever runs the context runs the loop's turns in between, on the same thread.
//
//   asio::io_context context(1);
//   sluice::loop loop;
//   const sluice::attachment attached = sluice::attach(context, loop);
//   asio::co_spawn(context, serve(loop), asio::detached);      // may co_await producer.send(...), and goes on here
//   context.run();
//
// run() of the context goes on while something of the loop is awaited or ready to run (what would keep loop::run()
// going), and ends without it: a connected producer alone does not keep it. A handler of the loop that throws throws
// out of the context's run(), which may be called again.
//
// Only one thread may run the context. Errors (sluice::error, errc::invalid_config): the context's concurrency hint is
// above 1; the loop is attached already. A second thread that comes to run a turn detaches the loop, and the same error
// is thrown out of its run().
[[nodiscard]] attachment attach(boost::asio::io_context& host, loop& hosted);

}  // namespace sluice
