// A client of one fake broker, without I/O: sends requests, and takes frames out of what comes back.
#pragma once

#include <optional>
#include <vector>

#include "sluice/testing/fake_broker_connection.hpp"
#include "unit/testing/made_batch.hpp"
#include "unit/testing/made_request.hpp"

namespace sluice::testing {

using namespace std::chrono_literals;

class fake_client {
public:
    explicit fake_client(fake_cluster& cluster, std::int32_t node = 1) : connection_(cluster, node) {}

    fake_broker_connection& connection() { return connection_; }
    void send(bytes request) { connection_.receive(request, now_, out_); }
    void wait(fate::duration time) {
        now_ += time;
        connection_.advance(now_, out_);
    }
    void advance() { wait(0ms); }

    bool is_closed() const { return out_.is_closed; }
    // In how long the broker wants to be called again; nothing: not by time.
    std::optional<fate::duration> due_in() const {
        if (out_.due == time_point::max()) return std::nullopt;
        return out_.due - now_;
    }
    std::size_t answered_size() const { return out_.bytes.size() - taken_; }

    // The payload of the next frame; nothing: none is here.
    std::optional<std::vector<std::byte>> next_frame() {
        const bytes rest = bytes(out_.bytes).subspan(taken_);
        if (rest.size() < 4) return std::nullopt;
        const auto size = static_cast<std::size_t>(wire::load_big_endian<std::int32_t>(rest.data()));
        if (rest.size() - 4 < size) return std::nullopt;
        taken_ += 4 + size;
        return std::vector<std::byte>(rest.begin() + 4, rest.begin() + 4 + static_cast<std::ptrdiff_t>(size));
    }

    template <class Response>
    std::optional<answer_of<Response>> next(std::int16_t version) {
        std::optional<std::vector<std::byte>> frame = next_frame();
        if (!frame) return std::nullopt;
        return decode_answer_frame<Response>(std::move(*frame), version);
    }
    template <class Response, class Request>
    std::optional<answer_of<Response>> ask(const Request& request, std::int16_t version) {
        send(frame_of(request, version));
        return next<Response>(version);
    }

    // What became of the only partition that was produced to.
    wire::partition_produce_response produce(const made_produce& request, std::int16_t version = 9) {
        send(request.frame(version));
        produced_ = next<wire::produce_response>(version);
        if (!produced_) {
            ADD_FAILURE() << "no answer";
            return {};
        }
        return produced_->body.responses.at(0).partition_responses.at(0);
    }
    wire::partition_produce_response produce(std::vector<std::byte> records, std::int16_t version = 9) {
        return produce(made_produce{{{"t", 0, std::move(records)}}}, version);
    }
    wire::partition_produce_response produce(const made_batch& batch, std::int16_t version = 9) {
        return produce(batch.bytes(), version);
    }
    // The whole answer to what was produced last.
    const wire::produce_response& produced() const { return produced_->body; }

private:
    fake_broker_connection connection_;
    broker_output out_;
    std::size_t taken_ = 0;
    time_point now_{};
    std::optional<answer_of<wire::produce_response>> produced_;
};

constexpr std::int16_t code(broker_errc error) {
    return static_cast<std::int16_t>(error);
}

inline wire::metadata_request metadata_about(std::initializer_list<std::string_view> names) {
    wire::metadata_request request;
    request.topics.emplace();
    for (const std::string_view name : names) request.topics->push_back({.topic_id = {}, .name = name});
    return request;
}

}  // namespace sluice::testing
