#include "sluice/delivery.hpp"

#include <cerrno>

#include "accumulator/result_block.hpp"
#include "base/ensure.hpp"
#include "engine/staged_record.hpp"

namespace sluice {

// The block that has the record now: a batch that was too large has handed it on.
result_block& delivery::block() noexcept {
    auto* holder = static_cast<result_block*>(holder_);
#ifndef NDEBUG
    // Not on another loop. (A thread that is on no loop may be the loop's own, between two turns.)
    const event_loop* const here = event_loop::current();
    ensure(here == nullptr || holder->loop_token() == nullptr || holder->loop_token() == here);
#endif
    return holder->is_split() ? follow_split() : *holder;
}

result_block& delivery::follow_split() noexcept {
    auto* holder = static_cast<result_block*>(holder_);
    do {
        const result_block::part part = holder->find(index_);
        part.block->add_reference();
        holder->drop_reference();
        holder = part.block;
        holder_ = holder;
        index_ = part.first_index;
    } while (holder->is_split());
    return *holder;
}

staged_record& delivery::staged() const noexcept {
    return *static_cast<staged_record*>(holder_);
}

bool delivery::poll() noexcept {
    switch (kind_) {
        case kind::empty: return true;
        case kind::core: return is_cancelled_ || block().is_done();
        case kind::shared: return is_cancelled_ || staged().event.level() >= staged_record::finished;
    }
    return true;
}

error_code delivery::error() noexcept {
    if (is_cancelled_) return {ECANCELED, boost::system::system_category()};
    switch (kind_) {
        case kind::empty: return errc::invalid_record;
        case kind::core: return block().result().error;
        case kind::shared: return staged().error();
    }
    return {};
}

shared_text delivery::message() {
    if (is_cancelled_) return {};
    switch (kind_) {
        case kind::empty:
            return shared_text("this delivery is empty: it was moved from, or never came from send()");
        case kind::core: return block().result().message;
        case kind::shared: return staged().message();
    }
    return {};
}

record_metadata delivery::take() {
    if (kind_ == kind::empty) return {};
    if (!is_cancelled_) {
        return kind_ == kind::core ? block().metadata(index_, timestamp_, key_size_, value_size_)
                                   : staged().metadata();
    }
    record_metadata known;
    known.topic = kind_ == kind::core ? block().topic() : staged().topic_name();
    known.partition = kind_ == kind::core ? block().partition() : staged().partition_asked;
    known.outcome = outcome::possibly_persisted;  // it goes on
    return known;
}

void delivery::reset() noexcept {
    switch (std::exchange(kind_, kind::empty)) {
        case kind::empty: return;
        case kind::core: {
            result_block& left = block();
            if (!left.is_done()) left.note_dropped();
            left.drop_reference();
            return;
        }
        case kind::shared:
            staged().event.abandon(signal_);
            staged().drop_reference();
            return;
    }
}

delivery delivery::to_shared() && {
    if (kind_ != kind::core) return std::move(*this);
    result_block& held = block();
    delivery shared(*staged_record::share(held, index_, timestamp_, key_size_, value_size_));
    kind_ = kind::empty;  // its reference has gone over
    return shared;
}

void delivery::detach_from_loop() {
    if (kind_ == kind::core) *this = std::move(*this).to_shared();
}

void delivery::start(completion& done) {
    ensure(kind_ != kind::empty);
    if (kind_ == kind::core) {
        result_block& holder = block();
        done.index = index_;
        holder.wait(done);
        return;
    }
    staged().event.start(staged_record::finished, done, signal_);
}

bool delivery::cancel(detail::cancel_kind how, completion& done) noexcept {
    if (how == detail::cancel_kind::total) return false;  // the record may go out
    if (is_cancelled_) return false;                      // whoever waits is on his way already
    if (kind_ == kind::core) {
        if (block().is_done()) return false;
        done.unlink();
    } else if (!staged().event.take_back(signal_)) {
        return false;
    }
    is_cancelled_ = true;
    return true;
}

}  // namespace sluice
