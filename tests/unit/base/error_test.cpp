#include "sluice/error.hpp"

#include <gtest/gtest.h>

#include "base/broker_error.hpp"

namespace sluice {
namespace {

TEST(Error, MapsEveryClientCodeToOneCondition) {
    EXPECT_TRUE(error_code(errc::memory_timeout) == condition::retriable);
    EXPECT_TRUE(error_code(errc::record_too_large) == condition::rejected);
    EXPECT_TRUE(error_code(errc::closed) == condition::fatal);
    EXPECT_FALSE(error_code(errc::closed) == condition::retriable);
}

TEST(Error, MapsBrokerCodesAsTheErrorTableSays_EXC_3) {
    EXPECT_TRUE(error_code(broker_errc::corrupt_message) == condition::retriable)
        << "retriable against intuition";
    EXPECT_TRUE(error_code(broker_errc::broker_not_available) == condition::rejected)
        << "and not, against it";
    EXPECT_TRUE(error_code(broker_errc::invalid_producer_epoch) == condition::abortable) << "TXN-30";
    EXPECT_TRUE(error_code(broker_errc::producer_fenced) == condition::fatal);
    EXPECT_TRUE(error_code(broker_errc::cluster_authorization_failed) == condition::fatal);
}

TEST(Error, NamesUnknownBrokerCodesByNumber) {
    EXPECT_EQ(error_code(9999, broker_category()).message(), "UNKNOWN_SERVER_ERROR (code 9999)");
    EXPECT_EQ(find_broker_error(9999).code, -1);
}

TEST(Error, SuccessHasNoCondition) {
    EXPECT_FALSE(error_code() == condition::rejected);
}

}  // namespace
}  // namespace sluice
