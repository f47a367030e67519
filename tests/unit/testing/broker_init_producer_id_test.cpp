#include "testing/broker_init_producer_id.hpp"

#include <gtest/gtest.h>

#include "unit/testing/fake_client.hpp"

namespace sluice::testing {
namespace {

struct BrokerInitProducerId : ::testing::Test {
    fake_cluster cluster{{.broker_count = 2, .first_producer_id = 40}};
    fake_client client{cluster, 1};

    wire::init_producer_id_response ask(const wire::init_producer_id_request& request,
                                        std::int16_t version = 5) {
        const auto answer = client.ask<wire::init_producer_id_response>(request, version);
        EXPECT_TRUE(answer);
        return answer ? answer->body : wire::init_producer_id_response{};
    }
};

TEST_F(BrokerInitProducerId, GivesNewIdsFromEpoch0) {
    for (std::int16_t version = 0; version <= 5; ++version) {
        const auto answer = ask({}, version);
        EXPECT_EQ(answer.error_code, 0);
        EXPECT_EQ(answer.producer_id, 40 + version);
        EXPECT_EQ(answer.producer_epoch, 0);
    }
    fake_client other(cluster, 2);
    EXPECT_EQ(
        other.ask<wire::init_producer_id_response>(wire::init_producer_id_request{}, 5)->body.producer_id, 46)
        << "ids are the cluster's, not the broker's";
}

TEST_F(BrokerInitProducerId, AnIdentityWithoutATransactionalIdGivesANewOneToo) {
    wire::init_producer_id_request request;
    request.producer_id = 40;
    request.producer_epoch = 3;

    EXPECT_EQ(ask(request).producer_id, 40) << "the first that is given away here";
    EXPECT_EQ(ask(request).producer_id, 41);
    EXPECT_EQ(ask(request).producer_epoch, 0);
}

TEST_F(BrokerInitProducerId, HalfAnIdentityIsRefused) {
    wire::init_producer_id_request request;
    request.producer_id = 40;
    EXPECT_EQ(ask(request).error_code, code(broker_errc::invalid_request));
    request.producer_id = -1;
    request.producer_epoch = 0;

    const auto refused = ask(request);

    EXPECT_EQ(refused.error_code, code(broker_errc::invalid_request));
    EXPECT_EQ(refused.producer_id, -1);
    EXPECT_EQ(refused.producer_epoch, -1);
}

TEST_F(BrokerInitProducerId, NobodyCoordinatesTransactionsHere) {
    wire::init_producer_id_request request;
    request.transactional_id = "mine";

    EXPECT_EQ(ask(request).error_code, code(broker_errc::not_coordinator));
}

TEST_F(BrokerInitProducerId, IsDeniedToWhoMayNotWriteIdempotently) {
    cluster.deny_idempotent_writes();
    EXPECT_EQ(ask({}).error_code, code(broker_errc::cluster_authorization_failed));
    cluster.deny_idempotent_writes(false);
    EXPECT_EQ(ask({}).error_code, 0);
}

TEST_F(BrokerInitProducerId, FailsAsFated) {
    cluster.queue_fate(init_producer_id_key, fate::error(broker_errc::coordinator_load_in_progress));

    EXPECT_EQ(ask({}).error_code, code(broker_errc::coordinator_load_in_progress));
    EXPECT_EQ(ask({}).producer_id, 40);
}

}  // namespace
}  // namespace sluice::testing
