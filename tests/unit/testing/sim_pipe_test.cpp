#include "testing/sim_pipe.hpp"

#include <gtest/gtest.h>

#include <string>

namespace sluice::testing {
namespace {

using namespace std::chrono_literals;

// A pipe and its reader, who reads at once unless it is told not to.
struct simulation : sim_pipe::owner {
    explicit simulation(const fault_plan& faults = fault_plan::calm(),
                        sim_pipe::shape shape = {.latency = 1ms}, std::uint64_t seed = 1)
        : world(seed, faults), pipe(world, *this, 0, shape) {}

    void on_arrival(sim_pipe&) override {
        arrivals.push_back(world.elapsed());
        if (is_reading) read();
    }
    void on_cut(sim_pipe&) override { ++cut_count; }
    void on_stall(sim_pipe&, time_point) override { ++stall_count; }

    void read() {
        pieces.emplace_back(as_text(pipe.front()));
        pipe.consume(pipe.readable());
    }
    void write(std::string_view text) { pipe.write(as_bytes(text)); }
    std::string text() const {
        std::string all;
        for (const std::string& each : pieces) all += each;
        return all;
    }

    sim_world world;
    sim_pipe pipe;
    std::vector<duration> arrivals;
    std::vector<std::string> pieces;
    bool is_reading = true;
    int cut_count = 0;
    int stall_count = 0;
};

fault_plan exact() {
    fault_plan faults = fault_plan::calm();
    faults.jitter_max = duration::zero();
    return faults;
}

TEST(SimPipe, BytesArriveAfterTheLatencyInOrder) {
    simulation s(exact());

    s.write("one ");
    s.world.run_for(500us);
    s.write("two");
    EXPECT_TRUE(s.pieces.empty());
    s.world.run_for(1s);

    EXPECT_EQ(s.pieces, (std::vector<std::string>{"one ", "two"}));
    EXPECT_EQ(s.arrivals, (std::vector<duration>{1ms, 1500us}));
}

TEST(SimPipe, JitterNeverReorders) {
    fault_plan faults = fault_plan::calm();
    faults.jitter_max = 10ms;
    simulation s(faults);
    std::string sent;

    for (int i = 0; i < 200; ++i) {
        const std::string text = std::to_string(i) + ",";
        s.write(text);
        sent += text;
        s.world.run_for(100us);
    }
    s.world.run_for(1s);

    EXPECT_EQ(s.text(), sent);
}

TEST(SimPipe, CutsWhatItCarriesIntoSlices) {
    fault_plan faults = fault_plan::calm();
    faults.slice_max = 3;
    simulation s(faults);

    s.write("0123456789");
    s.world.run_for(1s);

    EXPECT_EQ(s.text(), "0123456789");
    EXPECT_GE(s.pieces.size(), 4u);
}

TEST(SimPipe, AMegabyteInSlicesTakesNotForEver) {
    fault_plan faults = fault_plan::calm();
    faults.slice_max = 1;
    simulation s(faults, {.latency = 1ms, .window = 1 << 20});
    const std::string text(1 << 20, 'x');

    s.write(text);
    s.world.run_for(10s);

    EXPECT_EQ(s.text(), text);
    EXPECT_LT(s.pieces.size(), 1000u);
}

TEST(SimPipe, ARateHoldsBytesBack) {
    fault_plan faults = exact();
    faults.bytes_per_second = 1000;
    simulation s(faults);

    s.write("0123456789");
    s.write("0123456789");
    s.world.run_for(1s);

    EXPECT_EQ(s.arrivals, (std::vector<duration>{11ms, 21ms}));
}

TEST(SimPipe, NothingLeavesWhileTheWindowIsFull) {
    simulation s(exact(), {.latency = 1ms, .window = 8});
    s.is_reading = false;
    EXPECT_EQ(s.pipe.room(), 8u);

    s.write("0123456789");
    s.world.run_for(1s);
    EXPECT_EQ(s.pipe.room(), 0u);
    EXPECT_EQ(s.pipe.readable(), 8u);
    EXPECT_EQ(s.pipe.size_waiting(), 2u);

    s.read();
    EXPECT_EQ(s.pipe.size_under_way(), 2u);
    s.world.run_for(1s);
    s.read();
    EXPECT_EQ(s.text(), "0123456789");
    EXPECT_EQ(s.pipe.room(), 8u);
}

TEST(SimPipe, TheEndComesBehindTheBytes) {
    simulation s(exact(), {.latency = 1ms, .window = 4});

    s.write("01234567");
    s.pipe.finish();
    EXPECT_FALSE(s.pipe.is_at_end());
    s.world.run_for(1s);

    EXPECT_EQ(s.text(), "01234567");
    EXPECT_TRUE(s.pipe.is_at_end());
}

TEST(SimPipe, AStallDelaysWhatIsOnTheWay) {
    simulation s(exact());
    s.write("one ");

    s.pipe.stall_until(s.world.now() + 10ms);
    s.write("two");
    s.world.run_for(1s);

    EXPECT_EQ(s.text(), "one two");
    EXPECT_EQ(s.arrivals, (std::vector<duration>{10ms, 10ms}));
}

TEST(SimPipe, StallsByFaultEndWhenTheWorldHeals) {
    fault_plan faults = exact();
    faults.stall = 1;
    faults.stall_max = 1h;
    faults.heals_after = 20ms;
    simulation s(faults);

    s.write("text");
    s.world.run_for(1s);

    EXPECT_EQ(s.stall_count, 1);
    EXPECT_EQ(s.text(), "text");
    EXPECT_LE(s.arrivals.back(), 20ms);
}

TEST(SimPipe, AHeldPipeDeliversWhenItIsLetGo) {
    simulation s(exact());
    s.pipe.hold();
    s.pipe.hold();
    s.write("text");

    s.world.run_for(1s);
    s.pipe.let_go();
    s.world.run_for(1s);
    EXPECT_EQ(s.text(), "");
    s.pipe.let_go();
    s.world.run_for(1s);

    EXPECT_EQ(s.text(), "text");
}

TEST(SimPipe, ACutIsInTheMiddle) {
    simulation s(exact());
    s.pipe.cut_at(6);

    s.write("0123");
    s.write("4567");
    s.world.run_for(1s);

    EXPECT_EQ(s.text(), "012345");
    EXPECT_EQ(s.cut_count, 1);
}

TEST(SimPipe, AHealedWorldCutsNothing) {
    fault_plan faults = exact();
    faults.heals_after = 1us;
    simulation s(faults);
    s.pipe.cut_at(2);

    s.write("0123");
    s.world.run_for(1s);

    EXPECT_EQ(s.text(), "0123");
    EXPECT_EQ(s.cut_count, 0);
}

TEST(SimPipe, ABrokenPipeKeepsWhatHasArrived) {
    simulation s(exact());
    s.is_reading = false;
    s.write("one ");
    s.world.run_for(1s);
    s.write("two");

    s.pipe.break_off();
    s.write("three");
    s.world.run_for(1s);
    s.read();

    EXPECT_EQ(s.text(), "one ");
    EXPECT_FALSE(s.pipe.is_at_end());
}

TEST(SimPipe, ADroppedPipeKeepsNothing) {
    simulation s(exact());
    s.is_reading = false;
    s.write("one ");
    s.world.run_for(1s);

    s.pipe.drop();
    s.write("two");
    s.pipe.finish();
    s.world.run_for(1s);

    EXPECT_EQ(s.pipe.readable(), 0u);
    EXPECT_FALSE(s.pipe.is_at_end());
}

TEST(SimPipe, ForgetsWhatWasRead) {
    // 10 MB go through a window of 64 KiB with a reader that leaves a little each time.
    simulation s(exact(), {.latency = 1ms});
    s.is_reading = false;
    std::uint64_t read = 0;
    std::uint8_t expected = 0, written = 0;
    bool is_right = true;

    while (read < 10'000'000) {
        std::vector<std::byte> added(s.pipe.room());
        for (std::byte& each : added) each = std::byte{written++};
        s.pipe.write(added);
        s.world.run_for(2ms);
        const bytes front = s.pipe.front();
        const std::size_t taken = front.size() - 1;
        for (std::size_t i = 0; i < taken; ++i) is_right = is_right && front[i] == std::byte{expected++};
        s.pipe.consume(taken);
        read += taken;
    }

    EXPECT_TRUE(is_right);
}

}  // namespace
}  // namespace sluice::testing
