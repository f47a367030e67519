// The second phase of a send: the broker's acknowledgement.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "sluice/awaitable.hpp"
#include "sluice/detail/copy_apart.hpp"
#include "sluice/record_metadata.hpp"

namespace sluice {

class remote_signal;
class result_block;
class staged_record;

// What send() gives for an accepted record. Await it (rvalue: `co_await std::move(delivery)`) for the record_metadata, or
// drop it before it has its result: the record goes on, and if it fails producer_config::on_delivery_error hears of it.
// Neither allocates.
//
//   completion     void(error_code, record_metadata), when the broker has acknowledged, or the record has failed for good.
//                  On failure the metadata still names topic, partition and outcome: use as_tuple(use_awaitable).
//   cancellation   total: ignored, since the record may go out; terminal or partial: stops waiting (operation_aborted,
//                  outcome possibly_persisted); the record goes on, its neighbours never notice.
//   errors         errc::delivery_timeout, errc::closed, and what brokers answer (broker_errc)
//
// Thread rules: two kinds. One that came on the loop that owns the record's partition is a *core* delivery, confined to that
// loop (debug builds abort when another loop uses it); to_shared() makes one that may travel. All others may travel from the start, and be
// awaited by one thread at a time. Lifetime: may outlive the producer; move-only.
class delivery : public detail::basic_operation<delivery, record_metadata> {
public:
    delivery() noexcept = default;  // empty: awaiting it is an error (errc::invalid_record)
    delivery(delivery&& other) noexcept
        : holder_(other.holder_),
          timestamp_(other.timestamp_),
          index_(detail::copy_apart(other.index_)),
          key_size_(detail::copy_apart(other.key_size_)),
          value_size_(detail::copy_apart(other.value_size_)),
          kind_(std::exchange(other.kind_, kind::empty)),
          is_cancelled_(other.is_cancelled_) {}
    delivery& operator=(delivery&& other) noexcept {
        if (this != &other) {
            reset();
            new (this) delivery(std::move(other));
        }
        return *this;
    }
    ~delivery() {
        if (kind_ != kind::empty) reset();
    }

    bool is_empty() const noexcept { return kind_ == kind::empty; }

    // True once the result is known; then error(), message() and value() have it.
    bool poll() noexcept;
    error_code error() noexcept;
    // What exactly went wrong; empty on success.
    shared_text message();
    // The metadata, on failure too. After poll() said true.
    record_metadata take();

    // A delivery of the same record that any thread may hold. On the loop of a core delivery only.
    delivery to_shared() &&;

    // ---- for whoever awaits (detail/operation.hpp)
    void start(completion& done);
    bool cancel(detail::cancel_kind kind, completion& done) noexcept;
    void stop_waiting() noexcept { is_cancelled_ = true; }
    void detach_from_loop();

private:
    friend class shard;
    friend class staged_record;
    friend class send_operation;
    friend class producer_core;
    enum class kind : std::uint8_t { empty, core, shared };

    // Takes over one reference of the block.
    delivery(result_block& block, std::uint32_t index, std::int64_t timestamp, std::int32_t key_size,
             std::int32_t value_size) noexcept
        : holder_(&block),
          timestamp_(timestamp),
          index_(index),
          key_size_(key_size),
          value_size_(value_size),
          kind_(kind::core) {}
    // Takes over the caller's reference.
    explicit delivery(staged_record& staged) noexcept
        : holder_(&staged), signal_(nullptr), kind_(kind::shared) {}

    void reset() noexcept;
    result_block& block() noexcept;
    result_block& follow_split() noexcept;
    staged_record& staged() const noexcept;

    void* holder_ = nullptr;  // a result_block or a staged_record
    union {
        std::int64_t timestamp_ = -1;  // core
        remote_signal* signal_;        // shared: while it is awaited
    };
    std::uint32_t index_ = 0;
    std::int32_t key_size_ = -1;
    std::int32_t value_size_ = -1;
    kind kind_ = kind::empty;
    bool is_cancelled_ = false;
};

static_assert(sizeof(delivery) == 32);

}  // namespace sluice
