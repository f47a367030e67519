// One direction of a simulated connection: bytes go in whole and come out late, in pieces, in order.
//
//   read_ <= arrived_ <= sent_ <= written_           offsets in the stream; what lies between them is
//        readable    on the way    waiting to leave    (nothing leaves while the window is full)
//
//   window   sent_ - read_ <= window: a reader that does not read stops the sender
//   slices   what leaves is cut in pieces of random size, each with a time of arrival of its own: latency, jitter,
//            and the time that its bytes take at the link's rate; never before the piece ahead of it
//   stall    nothing arrives before it is over, then all of it
//   cut      at a chosen offset: what is before it arrives, and then its owner is told; not once the world has healed
//
// Owner: one sim_connection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "base/bytes.hpp"
#include "testing/sim_world.hpp"

namespace sluice::testing {

class sim_pipe {
public:
    class owner {
    public:
        // Bytes, or the end, can be read. May do anything with the pipe but destroy it.
        virtual void on_arrival(sim_pipe& pipe) = 0;
        // The offset of cut_at() has arrived.
        virtual void on_cut(sim_pipe& pipe) = 0;
        // A fault has stalled it.
        virtual void on_stall(sim_pipe& pipe, time_point until) = 0;

    protected:
        ~owner() = default;
    };

    // How a link behaves in one direction, drawn once for each connection.
    struct shape {
        duration latency{};
        std::size_t window = 64 * 1024;

        static shape draw(sim_world& world);
    };

    sim_pipe(sim_world& world, owner& owned_by, std::uint64_t id, const shape& drawn) noexcept
        : world_(world), owner_(owned_by), id_(id), shape_(drawn) {}
    ~sim_pipe() { world_.cancel(arrival_); }
    sim_pipe(const sim_pipe&) = delete;
    sim_pipe& operator=(const sim_pipe&) = delete;

    // ---- the writer's end
    // Takes everything. Who wants to be limited by the window looks at room() first.
    void write(bytes added);
    // The end of the stream, behind everything written.
    void finish();
    std::size_t room() const noexcept;
    std::size_t size_waiting() const noexcept { return static_cast<std::size_t>(written_ - sent_); }
    std::size_t size_under_way() const noexcept { return static_cast<std::size_t>(sent_ - arrived_); }

    // ---- the reader's end
    std::size_t readable() const noexcept { return static_cast<std::size_t>(arrived_ - read_); }
    bytes front() const noexcept { return bytes(data_).subspan(head_, readable()); }
    void consume(std::size_t size);
    // The end has arrived and nothing is left to read.
    bool is_at_end() const noexcept { return has_ended_ && read_ == arrived_; }

    // ---- faults
    void stall_until(time_point until);
    time_point stalled_until() const noexcept { return stalled_until_; }
    // Nothing arrives until let_go(); counted, and independent of stalls.
    void hold() noexcept { ++hold_count_; }
    void let_go();
    void cut_at(std::uint64_t offset) noexcept { cut_at_ = offset; }
    // Nothing is written or arrives any more; what has arrived can be read.
    void break_off() noexcept;
    // The same, and forgets what has arrived.
    void drop() noexcept;
    bool is_broken() const noexcept { return is_broken_; }

private:
    static constexpr std::uint64_t no_cut = ~std::uint64_t{0};

    struct piece {
        time_point arrives;
        std::uint64_t end;  // offset behind its last byte
        bool is_last;       // the end of the stream is behind it
    };

    void send_pieces();
    std::size_t slice(std::size_t size_max);
    time_point next_arrival(std::size_t size);
    void schedule_arrival();
    void arrive();

    sim_world& world_;
    owner& owner_;
    const std::uint64_t id_;
    const shape shape_;

    std::vector<std::byte> data_;  // from offset read_ - head_ on
    std::size_t head_ = 0;
    std::uint64_t read_ = 0;
    std::uint64_t arrived_ = 0;
    std::uint64_t sent_ = 0;
    std::uint64_t written_ = 0;
    std::uint64_t cut_at_ = no_cut;
    std::deque<piece> under_way_;
    time_point link_is_free_{};
    time_point last_arrival_{};
    time_point stalled_until_{};
    unsigned hold_count_ = 0;
    sim_world::event_id arrival_{};
    bool is_finished_ = false;  // by the writer
    bool is_last_sent_ = false;
    bool has_ended_ = false;  // for the reader
    bool is_broken_ = false;
};

}  // namespace sluice::testing
