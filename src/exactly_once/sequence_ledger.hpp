// The one place that knows which sequence numbers of a partition are given away, and what became of them.
//
//   stamp     a batch that is sent for the first time gets identity, epoch and the next sequence   (IDM-2, ACC-20)
//   fate      what each answer, or the lack of one, tells:
//
//             never_sent --> on_the_wire --> (stored)          acknowledged: forgotten
//                             ^   |    `---> not_stored        the broker refused it: to be sent again, or failed
//                             |   v
//                             possibly_stored                  no answer: sent again with the SAME sequence, so that the
//                                                              broker tells (it remembers the last five batches)
//   rule      A sequence number is given to other records only when the broker is known not to have stored it, or
//             under a new epoch. A partition takes up a new epoch only when it is quiet: nothing on the wire, and the
//             oldest batch known not to be stored (then no later one is: brokers take sequences without gaps). What is
//             left is stamped anew, from 0. (stricter than IDM-12)
//   window    While the oldest batch may be stored, no fresh one follows it: the broker remembers five batches only, and
//             asked about a sixth-last it would say OUT_OF_ORDER although it has it. (stricter than SDR-16)
//   first     Under a new id or epoch the first batch goes alone, until it is stored: of a producer that it does not know
//             a broker takes any sequence (KIP-360, from 2.5), also that of the second batch when the first was refused.
//             The first would come after it, or be taken for lost and the second be sent again. (stricter than SDR-16)
//   hole      A batch that is given up while it may be stored leaves one: no new sequence is given before an answer to a
//             later batch, or quiet, has told what became of it. (IDM-14, IDM-15)
//
// Owner: one shard; not synchronised. Batches embed `sequenced` and stay in place while they are tracked.
#pragma once

#include <boost/intrusive/slist.hpp>
#include <cstdint>
#include <span>

#include "base/ensure.hpp"
#include "exactly_once/producer_identity.hpp"
#include "exactly_once/sequence.hpp"
#include "sluice/detail/task.hpp"

namespace sluice {

class sequence_ledger;

// Singly linked, and so its unlink() looks for whoever is before it: few batches of a partition are tracked at a time (in
// flight, or to be sent again), and an idle partition pays for one pointer.
using ledger_hook =
    intrusive::slist_base_hook<intrusive::link_mode<intrusive::auto_unlink>, intrusive::tag<sequence_ledger>>;

// What a batch embeds. Tracked from its stamp until it is stored, failed or given up.
struct sequenced : ledger_hook {
    enum class fate : std::uint8_t { never_sent, on_the_wire, not_stored, possibly_stored };

    producer_identity identity;
    std::int32_t base_sequence = no_sequence;
    std::int32_t record_count = 0;  // set when the batch closes
    fate known = fate::never_sent;
    bool may_be_stored = false;  // an attempt ended without an answer, and nothing has told since
    // An attempt ended without an answer. Its bytes may get there yet, whatever a later attempt was told: for the outcome.
    bool was_lost = false;

    bool has_sequence() const noexcept { return base_sequence != no_sequence; }
    bool is_tracked() const noexcept { return ledger_hook::is_linked(); }
};

class sequence_ledger {
public:
    // May this batch, the head of its queue, be sent now? (ACC-19 b to e)
    bool may_send(const sequenced& head, const producer_identity& current) const noexcept;
    // Before each attempt: stamps a batch without a sequence; a retry keeps its own. Ensures may_send.
    void on_send(sequenced& sent, const producer_identity& current) noexcept;

    // ---- what an attempt came to, for a batch on the wire. Afterwards it is off the wire.
    // Acknowledged, or a duplicate: forgotten. (IDM-4, IDM-6)
    void on_stored(sequenced& stored) noexcept;
    // This attempt stored nothing.
    void on_not_stored(sequenced& refused) noexcept;
    // Nobody knows: disconnected, timed out, or an error after the append.
    void on_no_answer(sequenced& lost) noexcept;
    // OUT_OF_ORDER_SEQUENCE_NUMBER: it is not stored. If nothing before it is still open, only a new epoch helps (IDM-9).
    void on_out_of_order(sequenced& refused) noexcept;
    // UNKNOWN_PRODUCER_ID: the broker has forgotten us, and only a new epoch helps (IDM-10, idempotent part).
    void on_unknown_producer(sequenced& refused, std::int64_t log_start_offset) noexcept;

    // The end of a batch without an acknowledgement: refused for good, or given up by time. Not on the wire any more.
    // The sequences after it are no good: a new epoch is wanted, or a hole is left if it may be stored. (IDM-8, IDM-14)
    void on_failed(sequenced& failed) noexcept;

    // A refused batch makes room for its parts, which have its records in order; they take its sequences. (SPL-4)
    void replace(sequenced& whole, std::span<sequenced* const> parts) noexcept;

    // ---- a new epoch or id
    bool wants_new_epoch() const noexcept { return wants_new_epoch_; }
    bool is_quiet() const noexcept;
    // Takes up `next`, if quiet: what is tracked is forgotten, to be stamped anew when it is sent. True if it did.
    bool take_up(const producer_identity& next) noexcept;

    // For tests: as if the broker had stored something under this identity.
    void introduce(const producer_identity& known) noexcept {
        set_identity(known);
        is_introduced_ = true;
    }

    bool is_idle() const noexcept { return tracked_.empty(); }
    bool has_hole() const noexcept { return has_hole_; }
    producer_identity identity() const noexcept { return {producer_id_, producer_epoch_}; }
    std::int32_t next_sequence() const noexcept { return next_sequence_; }

    // Does `a` go before `b`, both tracked by one ledger? For the place of a retry in its queue (ACC-26, RB-9).
    static bool is_before(const sequenced& a, const sequenced& b) noexcept {
        return is_older(a.base_sequence, b.base_sequence);
    }

private:
    // By distance modulo 2^31: few sequences are open at a time.
    static bool is_older(std::int32_t a, std::int32_t b) noexcept {
        return a != b && sequence_before(b, a) < (1 << 30);
    }
    bool is_first(const sequenced& one) const noexcept {
        return !tracked_.empty() && &tracked_.front() == &one;
    }
    void set_identity(const producer_identity& next) noexcept {
        producer_id_ = next.id;
        producer_epoch_ = next.epoch;
    }
    // Sequences begin anew.
    void begin(const producer_identity& next) noexcept;
    void leave_wire(sequenced& attempted) noexcept;
    void forget(sequenced& gone) noexcept;

    // Oldest first.
    intrusive::slist<sequenced, intrusive::base_hook<ledger_hook>, intrusive::constant_time_size<false>>
        tracked_;
    // The identity in parts, since a producer_identity is padded.
    std::int64_t producer_id_ = producer_identity{}.id;
    std::int16_t producer_epoch_ = producer_identity{}.epoch;
    bool has_hole_ = false;
    bool is_introduced_ = false;  // a batch of this identity is stored
    bool wants_new_epoch_ = false;
    std::int32_t next_sequence_ = 0;
    std::int32_t hole_sequence_ = no_sequence;  // the youngest hole
};
static_assert(sizeof(sequence_ledger) <= 32, "each partition has one");

}  // namespace sluice
