// The requests of one connection that wait for their answers. Kafka answers in the order of the requests (NET-11), so
// this is a queue: an answer belongs to its head, or the connection is broken.
//
// Owner: one shard; not synchronised.
#pragma once

#include <cstdint>

#include "base/bytes.hpp"
#include "base/ring_buffer.hpp"
#include "base/time.hpp"
#include "sluice/error.hpp"
#include "wire/api_key.hpp"

namespace sluice {

// Who waits for the answer to one request.
class answer_receiver {
public:
    // `body` is what stands after the response header; valid during the call.
    virtual void on_answer(bytes body, time_point now) = 0;

protected:
    ~answer_receiver() = default;
};

class pipeline {
public:
    struct entry {
        std::int32_t correlation_id = 0;
        wire::api_key key{};
        std::int16_t version = 0;
        time_point deadline = never;
        answer_receiver* receiver = nullptr;
    };

    explicit pipeline(std::size_t capacity) : waiting_(capacity) {}

    // The id that the next request carries. Ids of the range that SASL uses are left out (NET-12).
    std::int32_t next_correlation_id() noexcept;
    // A request went out that will be answered. Deadlines come in ascending order.
    void push(const entry& sent) { waiting_.push(sent); }

    // Takes the request that `frame` (without its size) answers, and leaves the answer's body in `body`.
    // Errors: protocol_error where nothing was asked, the correlation id is another one, or the header is cut off.
    result<entry> match(bytes frame, bytes& body);
    // Takes the oldest request, to be failed.
    entry pop() { return waiting_.pop(); }

    std::size_t size() const noexcept { return waiting_.size(); }
    bool empty() const noexcept { return waiting_.empty(); }
    bool full() const noexcept { return waiting_.full(); }
    // When the oldest request is overdue; the connection is closed then (NET-13).
    time_point next_deadline() const noexcept { return waiting_.empty() ? never : waiting_.front().deadline; }

private:
    ring_buffer<entry> waiting_;
    std::int32_t next_id_ = 0;
};

}  // namespace sluice
