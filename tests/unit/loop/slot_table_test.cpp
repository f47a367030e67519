#include "loop/slot_table.hpp"

#include <gtest/gtest.h>

namespace sluice {
namespace {

TEST(SlotTable, UsesTheNumbersThatWereGivenBack) {
    slot_table<int> table;
    EXPECT_EQ(table.next_index(), 0u);
    EXPECT_EQ(table.add(10), socket_id{0});
    EXPECT_EQ(table.add(11), socket_id{1});
    EXPECT_EQ(table.add(12), socket_id{2});

    table.remove(socket_id{0});
    table.remove(socket_id{1});

    EXPECT_EQ(table[socket_id{0}], 0) << "emptied";
    EXPECT_EQ(table.next_index(), 1u);
    EXPECT_EQ(table.add(21), socket_id{1});
    EXPECT_EQ(table.add(20), socket_id{0});
    EXPECT_EQ(table.add(13), socket_id{3});
    EXPECT_EQ(table[socket_id{2}], 12);
}

TEST(SlotTable, NeverUsesANumberAgainThatMustNotBe) {
    slot_table<int> table;
    table.add(10);

    table.remove(socket_id{0}, false);

    EXPECT_EQ(table.add(11), socket_id{1});
}

}  // namespace
}  // namespace sluice
