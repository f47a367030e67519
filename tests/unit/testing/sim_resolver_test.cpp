#include "testing/sim_resolver.hpp"

#include <gtest/gtest.h>

#include "unit/testing/sim_findings.hpp"
#include "unit/testing/sim_peers.hpp"

namespace sluice::testing {
namespace {

using namespace std::chrono_literals;

struct noted_lookup : name_lookup {
    explicit noted_lookup(host_port asked) : name_lookup(&complete) { wanted = std::move(asked); }
    static void complete(name_lookup& self) noexcept { ++static_cast<noted_lookup&>(self).completion_count; }
    int completion_count = 0;
};

struct simulation {
    explicit simulation(std::uint64_t seed = 1, const fault_plan& faults = fault_plan::calm())
        : world(seed, faults) {
        network.listen("broker", 9092, peer);
    }
    // As from a turn of the loop.
    void start(noted_lookup& lookup) {
        const event_loop::scope on_its_loop(loop.events());
        resolver.start(lookup);
    }
    run_result finish(const noted_lookup& lookup) {
        return world.run_until([&] { return lookup.completion_count > 0; }, 1h);
    }

    noting_peer peer;
    sim_world world;
    sim_network network{world};
    sim_loop loop{network, "loop"};
    sim_resolver resolver{loop, network};
};

TEST(SimResolver, FindsTheAddressesOfAHost) {
    simulation s;
    s.network.add_address("broker", "10.9.9.9");
    noted_lookup lookup({"broker", 9092});

    s.start(lookup);
    EXPECT_EQ(lookup.completion_count, 0);
    EXPECT_TRUE(s.finish(lookup));

    ASSERT_EQ(lookup.found.size(), 2u);
    EXPECT_EQ(lookup.found[0].text(), "10.0.0.1:9092");
    EXPECT_EQ(lookup.found[1].text(), "10.9.9.9:9092");
    EXPECT_EQ(lookup.error_text, "");
    EXPECT_GT(s.world.elapsed(), 0ns);
}

TEST(SimResolver, AnAddressAnswersItself) {
    simulation s;
    noted_lookup lookup({"2001:db8::1", 9092});

    s.start(lookup);
    EXPECT_EQ(lookup.completion_count, 0) << "in a later phase";
    EXPECT_TRUE(s.finish(lookup));

    EXPECT_EQ(lookup.found.at(0).text(), "[2001:db8::1]:9092");
}

TEST(SimResolver, SaysThatNobodyHasThisName) {
    simulation s;
    noted_lookup lookup({"nobody", 9092});

    s.start(lookup);
    EXPECT_TRUE(s.finish(lookup));

    EXPECT_TRUE(lookup.found.empty());
    EXPECT_EQ(lookup.error_text, "Name or service not known");
}

TEST(SimResolver, FailsAndIsSlowByFault) {
    int failure_count = 0;
    duration longest{};
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
        fault_plan faults = fault_plan::calm();
        faults.lookup_fails = 0.5;
        faults.lookup_delay_max = 10s;
        simulation s(seed, faults);
        noted_lookup lookup({"broker", 9092});
        s.start(lookup);
        EXPECT_TRUE(s.finish(lookup));
        failure_count += lookup.found.empty() ? 1 : 0;
        EXPECT_EQ(lookup.found.empty(), !lookup.error_text.empty());
        longest = std::max(longest, s.world.elapsed());
    }
    EXPECT_GT(failure_count, 30);
    EXPECT_LT(failure_count, 70);
    EXPECT_GT(longest, 9s);
}

TEST(SimResolver, ACancelledLookupIsNotTouchedAnyMore) {
    // Before it is found, and on the way to the loop.
    for (const duration wait : {0ns, duration(1ms)}) {
        simulation s;
        for (const char* name : {"broker", "10.0.0.1"}) {
            auto lookup = std::make_unique<noted_lookup>(host_port{name, 9092});
            s.start(*lookup);
            if (wait > 0ns) {
                s.world.wait([&] { return s.loop.is_woken(); }, s.world.now() + wait);
            }
            s.resolver.cancel(*lookup);
            s.resolver.cancel(*lookup);
            EXPECT_EQ(lookup->completion_count, 0);
            lookup.reset();
            s.world.run_for(1s);
        }
    }
}

TEST(SimResolver, MayEndWithLookupsUnderWay) {
    simulation s;
    noted_lookup asked({"broker", 9092}), posted({"10.0.0.1", 9092});
    {
        sim_resolver ending(s.loop, s.network);
        const event_loop::scope on_its_loop(s.loop.events());
        ending.start(asked);
        ending.start(posted);
        ending.cancel(posted);
    }
    s.world.run_for(1s);

    EXPECT_EQ(asked.completion_count, 0);
    EXPECT_EQ(posted.completion_count, 0);
}

TEST(SimResolver, FindsALookupFromAnotherLoop) {
    simulation s;
    sim_loop other(s.network, "other");
    noted_lookup lookup({"broker", 9092});
    {
        const event_loop::scope on_the_wrong_loop(other.events());
        s.resolver.start(lookup);
    }
    EXPECT_TRUE(s.finish(lookup));

    EXPECT_TRUE(
        are(s.world.findings(), {"a lookup of broker:9092 was started on the thread of another loop"}));
}

}  // namespace
}  // namespace sluice::testing
