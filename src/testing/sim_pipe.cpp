#include "testing/sim_pipe.hpp"

#include <algorithm>

#include "base/ensure.hpp"
#include "testing/sim_draw.hpp"

namespace sluice::testing {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t forget_at = 64 * 1024;  // bytes read that are kept in front of the others at most
constexpr std::size_t pieces_per_burst_max =
    32;  // about; else a megabyte in slices of one byte takes for ever

duration time_on_link(std::size_t size, std::uint64_t bytes_per_second) noexcept {
    if (bytes_per_second == 0) return duration::zero();
    return duration(static_cast<std::int64_t>(size * 1'000'000'000u / bytes_per_second));
}

}  // namespace

sim_pipe::shape sim_pipe::shape::draw(sim_world& world) {
    const fault_plan& faults = world.faults();
    shape drawn;
    drawn.latency = faults.latency_min + up_to(world.chance(), faults.latency_max - faults.latency_min);
    drawn.window = between(world.chance(), faults.window_min, faults.window_max);
    return drawn;
}

// ---- the writer's end

void sim_pipe::write(bytes added) {
    ensure(!is_finished_);
    if (is_broken_ || added.empty()) return;
    data_.insert(data_.end(), added.begin(), added.end());
    written_ += added.size();
    world_.trace(sim_trace::written, id_, added.size());
    send_pieces();
}

void sim_pipe::finish() {
    if (is_finished_) return;
    is_finished_ = true;
    send_pieces();
}

std::size_t sim_pipe::room() const noexcept {
    const auto held = static_cast<std::size_t>(written_ - read_);
    return held >= shape_.window ? 0 : shape_.window - held;
}

void sim_pipe::send_pieces() {
    while (!is_broken_) {
        const auto held = static_cast<std::size_t>(sent_ - read_);
        const std::size_t size_max =
            held >= shape_.window ? 0 : std::min(size_waiting(), shape_.window - held);
        const bool is_end_due = is_finished_ && !is_last_sent_ && size_waiting() == 0;
        if (size_max == 0 && !is_end_due) break;
        const std::size_t size = size_max == 0 ? 0 : slice(size_max);
        sent_ += size;
        is_last_sent_ = is_finished_ && size_waiting() == 0;
        under_way_.push_back({next_arrival(size), sent_, is_last_sent_});
    }
    schedule_arrival();
}

std::size_t sim_pipe::slice(std::size_t size_max) {
    const std::size_t slice_max = world_.faults().slice_max;
    if (slice_max == 0) return size_max;
    const std::size_t drawn = of_any_size(world_.chance(), 1, slice_max);
    return std::min(size_max, std::max(drawn, size_waiting() / pieces_per_burst_max));
}

time_point sim_pipe::next_arrival(std::size_t size) {
    const fault_plan& faults = world_.faults();
    const duration latency = world_.is_healed() ? faults.latency_max : shape_.latency;
    link_is_free_ = std::max(link_is_free_, world_.now()) + time_on_link(size, faults.bytes_per_second);
    last_arrival_ =
        std::max(last_arrival_, link_is_free_ + latency + up_to(world_.chance(), faults.jitter_max));
    if (world_.happens(faults.stall)) {
        const duration stall = of_any_length(world_.chance(), 1ms, std::max<duration>(faults.stall_max, 1ms));
        stall_until(std::min(after(world_.now(), stall), world_.heals_at()));
        owner_.on_stall(*this, stalled_until_);
    }
    return last_arrival_;
}

// ---- the reader's end

void sim_pipe::consume(std::size_t size) {
    ensure(size <= readable());
    read_ += size;
    head_ += size;
    if (head_ == data_.size()) {
        data_.clear();
        head_ = 0;
    } else if (head_ >= forget_at) {
        data_.erase(data_.begin(), data_.begin() + static_cast<std::ptrdiff_t>(head_));
        head_ = 0;
    }
    send_pieces();
}

void sim_pipe::schedule_arrival() {
    if (arrival_ != sim_world::event_id::none || under_way_.empty() || hold_count_ > 0) return;
    const time_point due = std::max(under_way_.front().arrives, stalled_until_);
    arrival_ = world_.at(due, [this] { arrive(); });
}

void sim_pipe::arrive() {
    arrival_ = sim_world::event_id::none;
    const std::uint64_t cut = world_.is_healed() ? no_cut : cut_at_;
    while (hold_count_ == 0 && stalled_until_ <= world_.now() && !under_way_.empty() &&
           under_way_.front().arrives <= world_.now()) {
        const piece next = under_way_.front();
        under_way_.pop_front();
        const std::uint64_t before = arrived_;
        arrived_ = std::min(next.end, cut);
        has_ended_ = next.is_last && arrived_ == next.end;
        world_.trace(sim_trace::arrived, id_, arrived_ - before);
        if (arrived_ > before || has_ended_) owner_.on_arrival(*this);
        if (is_broken_) return;
        if (arrived_ == cut) return owner_.on_cut(*this);
    }
    schedule_arrival();
}

// ---- faults

void sim_pipe::stall_until(time_point until) {
    if (until <= stalled_until_) return;
    stalled_until_ = until;
    world_.trace(sim_trace::stalled, id_, static_cast<std::uint64_t>((until - world_.now()).count()));
}

void sim_pipe::let_go() {
    ensure(hold_count_ > 0);
    if (--hold_count_ == 0) schedule_arrival();
}

void sim_pipe::break_off() noexcept {
    is_broken_ = true;
    data_.resize(head_ + readable());
    sent_ = arrived_;
    written_ = arrived_;
    under_way_.clear();
    world_.cancel(arrival_);
}

void sim_pipe::drop() noexcept {
    break_off();
    data_ = std::vector<std::byte>();
    head_ = 0;
    read_ = arrived_;
}

}  // namespace sluice::testing
