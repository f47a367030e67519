#include "engine/bootstrap.hpp"

#include <gtest/gtest.h>

#include "unit/net/scripted_resolver.hpp"

namespace sluice {
namespace {

std::vector<std::string> parsed(std::string_view servers) {
    std::vector<std::string> texts;
    for (const host_port& each : parse_bootstrap(servers)) texts.push_back(each.text());
    return texts;
}

using words = std::vector<std::string>;

TEST(Bootstrap, TakesHostsAndPortsWithCommasBetween) {
    EXPECT_EQ(parsed("a:1"), words{"a:1"});
    EXPECT_EQ(parsed("a.example:9092, 10.0.0.1:9093 ,[::1]:65535"),
              (words{"a.example:9092", "10.0.0.1:9093", "[::1]:65535"}));
    EXPECT_EQ(parse_bootstrap("[::1]:9092").at(0).host, "::1") << "without the brackets";
    for (const char* good : {"a:1", "a.example:9092, b:9092", "[::1]:9092,[::2]:9092", "a:1,a:2"}) {
        EXPECT_EQ(validate_bootstrap(good), std::nullopt) << good;
    }
}

TEST(Bootstrap, SaysWhatIsWrong) {
    const std::pair<const char*, const char*> wrong[] = {
        {"", "empty"},
        {" \t", "empty"},
        {"a", "no port"},
        {"a:", "port must be"},
        {"a:0", "port must be"},
        {"a:65536", "port must be"},
        {"a:-1", "port must be"},
        {"a:9092x", "port must be"},
        {"a:9092 9093", "port must be"},
        {":9092", "no host"},
        {"[]:9092", "no host"},
        {"::1:9092", "brackets"},
        {"[::1]", "no port"},
        {"[::1:9092", "no port"},
        {"[::1]9092", "no port"},
        {"[::1]:9092:9093", "brackets"},
        {"a:1,,b:2", "empty entry"},
        {"a:1,", "empty entry"},
        {"a:1,b:2,a:1", "twice"},
    };
    for (const auto& [servers, reason] : wrong) {
        const auto problem = validate_bootstrap(servers);
        ASSERT_TRUE(problem) << servers;
        EXPECT_NE(problem->find(reason), std::string::npos) << "'" << servers << "': " << *problem;
    }
}

struct lookup_result {
    int count = 0;
    bool is_any_known = false;
    std::string trouble;

    bootstrap_lookup::callback taker() {
        return [this](bool is_any_known_, const std::string& trouble_) {
            ++count;
            is_any_known = is_any_known_;
            trouble = trouble_;
        };
    }
};

TEST(BootstrapLookup, EndsWithTheFirstNameThatIsKnown) {
    scripted_resolver names;
    lookup_result seen;
    bootstrap_lookup tested(names, parse_bootstrap("a:1,b:2,c:3"), seen.taker());
    tested.start();

    EXPECT_EQ(names.asked(), "a:1");
    names.fail("no such name");
    EXPECT_EQ(seen.count, 0);
    EXPECT_EQ(names.asked(), "b:2");
    names.answer({"10.0.0.2"});

    EXPECT_EQ(seen.count, 1);
    EXPECT_TRUE(seen.is_any_known);
    EXPECT_EQ(names.asked(), "") << "c is not looked up";
}

TEST(BootstrapLookup, TellsWhatWentWrongWithEachWhenNoneIsKnown) {
    scripted_resolver names;
    lookup_result seen;
    bootstrap_lookup tested(names, parse_bootstrap("a:1,b:2"), seen.taker());
    tested.start();

    names.fail("no such name");
    names.fail("try again");

    EXPECT_EQ(seen.count, 1);
    EXPECT_FALSE(seen.is_any_known);
    EXPECT_EQ(seen.trouble, "a:1: no such name; b:2: try again");
}

TEST(BootstrapLookup, IsCancelledWhenItDies) {
    scripted_resolver names;
    lookup_result seen;
    {
        bootstrap_lookup tested(names, parse_bootstrap("a:1"), seen.taker());
        tested.start();
    }

    EXPECT_EQ(names.asked(), "");
    EXPECT_EQ(seen.count, 0);
}

}  // namespace
}  // namespace sluice
