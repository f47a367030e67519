// The part of the system's resolver that asks nobody: addresses that are addresses already.
#include <gtest/gtest.h>

#include "net/resolver.hpp"
#include "unit/engine/loop_on_fake.hpp"

namespace sluice {
namespace {

struct noting_lookup : name_lookup {
    explicit noting_lookup(const char* host) : name_lookup(&note) { wanted = {host, 9092}; }
    static void note(name_lookup& self) noexcept { ++static_cast<noting_lookup&>(self).done_count; }
    int done_count = 0;
};

TEST(SystemResolver, AnAddressIsItsOwnAnswer) {
    loop_on_fake on;
    const auto names = make_system_resolver(on.loop);
    noting_lookup ipv4("10.0.0.1"), ipv6("::1");

    names->start(ipv4);
    names->start(ipv6);
    EXPECT_EQ(ipv4.done_count, 0) << "in a later phase";
    on.run();

    EXPECT_EQ(ipv4.done_count, 1);
    ASSERT_EQ(ipv4.found.size(), 1u);
    EXPECT_EQ(ipv4.found[0].text(), "10.0.0.1:9092");
    ASSERT_EQ(ipv6.found.size(), 1u);
    EXPECT_EQ(ipv6.found[0].text(), "[::1]:9092");
}

TEST(SystemResolver, ACancelledLookupIsNotTouched) {
    loop_on_fake on;
    const auto names = make_system_resolver(on.loop);
    {
        noting_lookup dead("10.0.0.1");
        names->start(dead);
        names->cancel(dead);
        EXPECT_EQ(dead.done_count, 0);
    }
    on.run();  // the address sanitizer would tell

    noting_lookup again("10.0.0.2");
    names->start(again);
    names->cancel(again);
    names->start(again);
    on.run();
    EXPECT_EQ(again.done_count, 1);
}

TEST(SystemResolver, ALookupMayBeAskedAgain) {
    loop_on_fake on;
    const auto names = make_system_resolver(on.loop);
    noting_lookup lookup("10.0.0.1");
    names->start(lookup);
    on.run();

    names->start(lookup);
    on.run();

    EXPECT_EQ(lookup.done_count, 2);
    EXPECT_EQ(lookup.found.size(), 1u) << "not the answer before as well";
}

TEST(SystemResolver, WhenTheLoopEndsNobodyIsTold) {
    loop_on_fake on;
    const auto names = make_system_resolver(on.loop);
    noting_lookup lookup("10.0.0.1");
    names->start(lookup);

    on.loop.end();

    EXPECT_EQ(lookup.done_count, 0);
    EXPECT_EQ(lookup.of_resolver, nullptr);
}

}  // namespace
}  // namespace sluice
