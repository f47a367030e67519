#include "memory/slab.hpp"

#include <gtest/gtest.h>

#include <set>

namespace sluice {
namespace {

struct counted {
    explicit counted(int& alive_) : alive(&alive_) { ++*alive; }
    ~counted() { --*alive; }
    int* alive;
    std::byte padding[40]{};
};

TEST(Slab, MakesDistinctObjectsAndUsesTheirPlacesAgain) {
    int alive = 0;
    auto objects = slab<counted>::create();
    std::set<counted*> made;

    for (int i = 0; i < 100; ++i) made.insert(objects->make(alive));
    EXPECT_EQ(made.size(), 100u);
    EXPECT_EQ(alive, 100);

    counted* freed = *made.begin();
    objects->free(*freed);
    counted* again = objects->make(alive);

    EXPECT_EQ(again, freed);
    for (counted* each : made) objects->free(*each);
    EXPECT_EQ(alive, 0);
    EXPECT_EQ(objects->live_count(), 0u);
}

TEST(Slab, OutlivesItsOwnerUntilTheLastObjectIsFreed) {
    int alive = 0;
    auto objects = slab<counted>::create();
    slab<counted>* left = objects.get();
    counted* survivor = objects->make(alive);

    objects.reset();
    EXPECT_EQ(alive, 1) << "still there, memory and all";

    left->free(*survivor);  // the slab ends here; LeakSanitizer would tell
    EXPECT_EQ(alive, 0);
}

}  // namespace
}  // namespace sluice
