#include "wire/api/init_producer_id.hpp"

#include <gtest/gtest.h>

namespace sluice::wire {
namespace {

TEST(InitProducerId, RaisingAnEpochNeedsVersion3) {
    init_producer_id_request request;
    request.transactional_id = "t";
    request.producer_id = 4000;
    request.producer_epoch = 5;
    writer out;

    EXPECT_EQ(encode(request, 2, out), errc::unsupported_version) << "the broker would give a new identity";
    EXPECT_FALSE(encode(request, 3, out));
}

TEST(InitProducerId, TwoPhaseCommitNeedsVersion6) {
    init_producer_id_request request;
    request.enable_2pc = true;
    writer out;

    EXPECT_EQ(encode(request, 5, out), errc::unsupported_version);
    EXPECT_FALSE(encode(request, 6, out));
}

TEST(InitProducerId, PrintsForPeople) {
    init_producer_id_request request;
    request.transactional_id = "t";
    EXPECT_EQ(print(request, 3),
              "InitProducerIdRequest v3 {transactionalId: \"t\", transactionTimeoutMs: 0, producerId: -1, "
              "producerEpoch: -1}");
}

}  // namespace
}  // namespace sluice::wire
