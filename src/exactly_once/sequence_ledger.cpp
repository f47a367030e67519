#include "exactly_once/sequence_ledger.hpp"

namespace sluice {

using fate = sequenced::fate;

bool sequence_ledger::may_send(const sequenced& head, const producer_identity& current) const noexcept {
    if (head.has_sequence()) {
        if (!is_first(head)) return false;  // an earlier one has to be resolved first (ACC-19 e)
        // What is known not to be stored waits for the new epoch; what may be stored must be asked about before it.
        return !wants_new_epoch_ || head.known == fate::possibly_stored;
    }
    if (!current.is_valid()) return false;
    if (wants_new_epoch_ || has_hole_) return false;
    if (tracked_.empty()) return true;
    // Five younger batches would push it out of what the broker remembers, and then nobody could tell any more.
    if (tracked_.front().may_be_stored) return false;
    // A broker that knows nothing of us takes any sequence for the first: the next one must not get there before it.
    if (!is_introduced_) return false;
    return identity() == current;
}

void sequence_ledger::on_send(sequenced& sent, const producer_identity& current) noexcept {
    debug_ensure(may_send(sent, current));
    ensure(sent.record_count > 0);
    if (!sent.has_sequence()) {
        if (identity() != current) {
            ensure(tracked_.empty());
            begin(current);
        }
        sent.identity = current;
        sent.base_sequence = next_sequence_;
        next_sequence_ = sequence_after(next_sequence_, sent.record_count);
        tracked_.insert(tracked_.end(), sent);
    }
    ensure(sent.known != fate::on_the_wire);
    sent.known = fate::on_the_wire;
}

void sequence_ledger::begin(const producer_identity& next) noexcept {
    set_identity(next);
    is_introduced_ = false;
    next_sequence_ = 0;
}

void sequence_ledger::leave_wire(sequenced& attempted) noexcept {
    ensure(attempted.is_tracked());
    ensure(attempted.known == fate::on_the_wire);
    attempted.known = attempted.may_be_stored ? fate::possibly_stored : fate::not_stored;
}

void sequence_ledger::forget(sequenced& gone) noexcept {
    gone.ledger_hook::unlink();
    if (tracked_.empty() && has_hole_) {  // nothing is left that could tell (IDM-15)
        has_hole_ = false;
        wants_new_epoch_ = true;
    }
}

void sequence_ledger::on_stored(sequenced& stored) noexcept {
    leave_wire(stored);
    is_introduced_ = true;
    if (has_hole_ && is_older(hole_sequence_, stored.base_sequence))
        has_hole_ = false;  // taken without a gap
    stored.may_be_stored = false;
    forget(stored);
}

void sequence_ledger::on_not_stored(sequenced& refused) noexcept {
    leave_wire(refused);
}

void sequence_ledger::on_no_answer(sequenced& lost) noexcept {
    lost.may_be_stored = true;
    lost.was_lost = true;
    leave_wire(lost);
}

void sequence_ledger::on_out_of_order(sequenced& refused) noexcept {
    refused.may_be_stored = false;
    leave_wire(refused);
    if (is_first(refused)) wants_new_epoch_ = true;
}

void sequence_ledger::on_unknown_producer(sequenced& refused, std::int64_t log_start_offset) noexcept {
    refused.may_be_stored = false;
    leave_wire(refused);
    // Without a log start offset the broker cannot have lost our records to retention: it may know better next time.
    if (log_start_offset >= 0) wants_new_epoch_ = true;
}

void sequence_ledger::on_failed(sequenced& failed) noexcept {
    if (!failed.is_tracked()) return;  // it never had a sequence: no trace (IDM-16)
    ensure(failed.known != fate::on_the_wire);
    if (failed.may_be_stored) {
        has_hole_ = true;
        if (hole_sequence_ == no_sequence || is_older(hole_sequence_, failed.base_sequence)) {
            hole_sequence_ = failed.base_sequence;
        }
    } else {
        wants_new_epoch_ = true;
    }
    forget(failed);
}

void sequence_ledger::replace(sequenced& whole, std::span<sequenced* const> parts) noexcept {
    ensure(whole.is_tracked());
    ensure(whole.known == fate::not_stored);
    std::int32_t sequence = whole.base_sequence;
    auto before = tracked_.previous(tracked_.iterator_to(whole));
    for (sequenced* part : parts) {
        part->identity = whole.identity;
        part->base_sequence = sequence;
        part->known = fate::not_stored;
        part->was_lost = whole.was_lost;
        sequence = sequence_after(sequence, part->record_count);
        before = tracked_.insert_after(before, *part);
    }
    ensure(sequence == sequence_after(whole.base_sequence, whole.record_count));
    tracked_.erase_after(before);
}

bool sequence_ledger::is_quiet() const noexcept {
    for (const sequenced& each : tracked_) {
        if (each.known == fate::on_the_wire) return false;
    }
    return tracked_.empty() || tracked_.front().known != fate::possibly_stored;
}

bool sequence_ledger::take_up(const producer_identity& next) noexcept {
    if (!is_quiet()) return false;
    while (!tracked_.empty()) {
        sequenced& kept = tracked_.front();
        kept.base_sequence = no_sequence;
        kept.identity = producer_identity{};
        kept.known = fate::never_sent;
        kept.may_be_stored = false;
        tracked_.pop_front();
    }
    begin(next);
    hole_sequence_ = no_sequence;
    has_hole_ = false;
    wants_new_epoch_ = false;
    return true;
}

}  // namespace sluice
