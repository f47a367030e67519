// Operations that a test starts and looks at.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "loop/reactor.hpp"

namespace sluice::testing {

template <class Operation>
struct noted : Operation {
    noted() : Operation(&complete) {}
    bool is_done() const noexcept { return completion_count > 0; }

    int completion_count = 0;
    std::function<void(int result)> then;

private:
    static void complete(io_operation& self) noexcept {
        auto& mine = static_cast<noted&>(self);
        ++mine.completion_count;
        if (mine.then) mine.then(mine.result);
    }
};

struct connecting : noted<connect_operation> {
    connecting() = default;
    explicit connecting(const endpoint& to) { peer = to; }
};

struct sending : noted<send_operation_base> {
    sending() = default;
    explicit sending(std::string bytes) : text(std::move(bytes)) { set({{text.data(), text.size()}}); }
    void set(std::vector<iovec> of) {
        pieces = std::move(of);
        message.msg_iov = pieces.data();
        message.msg_iovlen = pieces.size();
    }
    std::string text;
    std::vector<iovec> pieces;
};

struct receiving : noted<receive_operation> {
    explicit receiving(std::size_t size = 0) : memory(size) { buffer = memory; }
    std::string_view text() const noexcept {
        return as_text(bytes(memory).first(result > 0 ? static_cast<std::size_t>(result) : 0));
    }
    std::vector<std::byte> memory;
};

// What a loop does with a reactor: waits, then calls back.
inline void turn(reactor& io, time_point deadline) {
    completion_list completed;
    io.submit_and_wait(deadline, completed);
    while (io_operation* operation = completed.pop()) {
        operation->is_pending = false;
        operation->on_complete(*operation);
    }
}

}  // namespace sluice::testing
