// Both phases of a send in one await.
#pragma once

#include "sluice/delivery.hpp"
#include "sluice/send_operation.hpp"

namespace sluice {

// What producer::deliver() gives. Completes when the record is acknowledged, or has failed.
//
//   completion     void(error_code, record_metadata); on failure the metadata names topic, partition and outcome
//   cancellation   before acceptance: the record is never sent; after: as of a delivery
//   errors         of send_operation, and of delivery
//
// Lifetime and threads: as of send_operation.
class deliver_operation : public detail::basic_operation<deliver_operation, record_metadata> {
public:
    explicit deliver_operation(send_operation sending) noexcept : sending_(std::move(sending)) {}
    deliver_operation(deliver_operation&& other) noexcept
        : sending_(std::move(other.sending_)),
          delivery_(std::move(other.delivery_)),
          is_accepted_(other.is_accepted_) {}
    deliver_operation& operator=(deliver_operation&& other) noexcept {
        sending_ = std::move(other.sending_);
        delivery_ = std::move(other.delivery_);
        is_accepted_ = other.is_accepted_;
        return *this;
    }

    bool poll();
    error_code error() noexcept;
    shared_text message();
    record_metadata take();

    // ---- for whoever awaits (detail/operation.hpp)
    void start(completion& done);
    bool cancel(detail::cancel_kind kind, completion& done) noexcept;
    void stop_waiting() noexcept { is_accepted_ ? delivery_.stop_waiting() : sending_.stop_waiting(); }
    void detach_from_loop() noexcept { sending_.detach_from_loop(); }
    void own_arguments() { sending_.own_arguments(); }

private:
    // Waits for the first phase, then lets `done` wait for the second.
    struct first_phase final : completion {
        explicit first_phase(deliver_operation& of_) noexcept : completion(&run_or_drop), of(of_) {}
        static void run_or_drop(task& self, fate what);
        deliver_operation& of;
        completion* done = nullptr;
    };

    send_operation sending_;
    delivery delivery_;
    bool is_accepted_ = false;
    first_phase first_phase_{*this};
};

}  // namespace sluice
