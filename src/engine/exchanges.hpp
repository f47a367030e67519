// The requests of a shard, from their encoding until the kernel and the broker are done with them.
#pragma once

#include "engine/shard.hpp"
#include "net/connection.hpp"
#include "sender/sender.hpp"

namespace sluice {

// A Produce request. Used again and again, with its memory.
class produce_exchange final : public outgoing_request {
public:
    explicit produce_exchange(shard& of) noexcept : shard_(of) {}

    produce_attempt attempt;

    void on_written(time_point now) override;
    void on_answer(bytes body, time_point now) override;
    void on_failure(error_code why, bool was_sent, time_point now) override;
    void on_released() override;

    connection* over = nullptr;

private:
    enum class ending : std::uint8_t { open, answered, lost };
    shard& shard_;
    ending ending_ = ending::open;
    error_code lost_by_;
    bool was_sent_ = false;
};

// InitProducerId, one at a time (IDM-1).
class identity_exchange final : public outgoing_request {
public:
    explicit identity_exchange(shard& of) noexcept : shard_(of) {}

    bool is_under_way = false;
    time_point not_before{};  // after an error that may pass
    connection* over = nullptr;

    void send(connection& to, time_point now);
    void on_answer(bytes body, time_point now) override;
    void on_failure(error_code why, bool was_sent, time_point now) override;
    void on_released() override;

private:
    void retry_later(error_code why, time_point now);
    shard& shard_;
    std::uint32_t failures_ = 0;
};

}  // namespace sluice
