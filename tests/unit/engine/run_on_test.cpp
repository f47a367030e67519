#include "engine/run_on.hpp"

#include <gtest/gtest.h>

#include <memory>

#include "unit/engine/loop_on_fake.hpp"

namespace sluice {
namespace {

using words = std::vector<std::string>;

// Says a word when it runs, or "drop" and the word.
auto saying(words& said, std::string word) {
    return [&said, word = std::move(word)](task::fate what) {
        said.push_back(what == task::fate::run ? word : "drop " + word);
    };
}

TEST(RunOn, CallsOnceOnTheLoopInTheOrderOfPosting) {
    loop_on_fake on;
    words said;

    run_on(on.loop, saying(said, "first"));
    run_on(on.loop, saying(said, "second"));

    EXPECT_EQ(said, words{}) << "not at once";
    on.run();
    EXPECT_EQ(said, (words{"first", "second"}));
    on.run();
    EXPECT_EQ(said.size(), 2u);
}

TEST(RunOn, RunsWithTheLoopAsTheCurrentOne) {
    loop_on_fake on;
    event_loop* seen = nullptr;

    run_on(on.loop, [&](task::fate) { seen = event_loop::current(); });
    on.run();

    EXPECT_EQ(seen, &on.loop);
}

TEST(RunOn, IsToldWhenTheLoopEndsFirst) {
    loop_on_fake on;
    words said;
    run_on(on.loop, saying(said, "late"));

    on.loop.end();

    EXPECT_EQ(said, words{"drop late"});
}

TEST(RunOn, AFunctionMayPostTheNext) {
    loop_on_fake on;
    words said;

    run_on(on.loop, [&](task::fate) {
        said.emplace_back("first");
        run_on(on.loop, saying(said, "second"));
        said.emplace_back("still the first");
    });
    on.run();

    EXPECT_EQ(said, (words{"first", "still the first", "second"}));
}

TEST(RunOn, LetsGoOfWhatTheFunctionHolds) {
    loop_on_fake on;
    auto held = std::make_shared<int>(1);
    const std::weak_ptr<int> watched = held;

    run_on(on.loop, [held = std::move(held)](task::fate) {});
    EXPECT_FALSE(watched.expired());
    on.run();

    EXPECT_TRUE(watched.expired());
}

TEST(RunOn, TakesFunctionsThatCannotBeCopied) {
    loop_on_fake on;
    int seen = 0;

    run_on(on.loop, [&seen, held = std::make_unique<int>(5)](task::fate) { seen = *held; });
    on.run();

    EXPECT_EQ(seen, 5);
}

}  // namespace
}  // namespace sluice
