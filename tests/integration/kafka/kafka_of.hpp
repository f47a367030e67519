// One real cluster for all tests of a suite.
#pragma once

#include <gtest/gtest.h>

#include <memory>

#include "integration/kafka/real_kafka.hpp"

namespace sluice::testing {

template <int BrokerCount>
struct kafka_of : ::testing::Test {
    static void SetUpTestSuite() { kafka = real_kafka::start_cluster(BrokerCount); }
    static void TearDownTestSuite() { kafka.reset(); }
    void SetUp() override { ASSERT_NE(kafka, nullptr); }

    static inline std::unique_ptr<real_kafka> kafka;
};

using OneBroker = kafka_of<1>;
using ThreeBrokers = kafka_of<3>;

}  // namespace sluice::testing
