// What goes to which broker, and when.
#include "sender/sender.hpp"

#include <gtest/gtest.h>

#include "unit/sender/sender_fixture.hpp"

namespace sluice {
namespace {

using namespace std::chrono_literals;

TEST(Sender, OneRequestHasABatchOfEveryPartitionThatItsBrokerLeads_ACC_15) {
    sender_fixture on;
    on.tested.set_leader(on.queue(2), 2, 5);
    const held_record a = on.send(0, "a"), b = on.send(2, "b"), c = on.send(1, "c");

    produce_attempt first = on.next(1);
    produce_attempt second = on.next(2);

    EXPECT_EQ(partitions_of(first), (partitions{0, 1}));
    EXPECT_EQ(partitions_of(second), partitions{2});
    EXPECT_TRUE(on.next(1).batches.empty());
    on.lose(first);
    on.lose(second);
}

TEST(Sender, NeverPutsTwoBatchesOfAPartitionIntoOneRequest_RB_10) {
    sender_fixture on;
    const auto sent = on.send_batches(0, 3);

    produce_attempt first = on.next();
    produce_attempt second = on.next();

    EXPECT_EQ(partitions_of(first), partitions{0});
    EXPECT_EQ(partitions_of(second), partitions{0});
    EXPECT_LT(first.batches[0]->ordinal, second.batches[0]->ordinal);
    on.lose(first);
    on.lose(second);
}

TEST(Sender, StopsARequestBeforeMaxRequestSize_ACC_17) {
    sender_config config = steady_config();
    config.batch_size = 300;
    config.request_size_max = 700;
    sender_fixture on(config);
    std::vector<held_record> sent;
    for (int partition = 0; partition < 3; ++partition)
        sent.push_back(on.send(partition, std::string(250, 'x')));

    produce_attempt first = on.next();
    produce_attempt second = on.next();

    EXPECT_EQ(partitions_of(first), (partitions{0, 1})) << "two batches of 300 and some bytes fit";
    EXPECT_EQ(partitions_of(second), partitions{2});
    on.lose(first);
    on.lose(second);
}

TEST(Sender, ABatchLargerThanMaxRequestSizeGoesAlone_ACC_18) {
    sender_config config = steady_config();
    config.request_size_max = 700;
    sender_fixture on(config);
    const held_record large = on.send(0, std::string(1000, 'x')), small = on.send(1, "a");

    produce_attempt first = on.next();
    produce_attempt second = on.next();

    EXPECT_EQ(partitions_of(first), partitions{0});
    EXPECT_EQ(partitions_of(second), partitions{1});
    on.lose(first);
    on.lose(second);
}

TEST(Sender, PartitionsTakeTurnsSoThatNoneStarves_ACC_15) {
    sender_config config = steady_config();
    config.batch_size = 300;
    config.request_size_max = 400;  // one batch a request
    sender_fixture on(config);
    std::vector<held_record> sent;
    for (int round = 0; round < 2; ++round) {
        for (int partition = 0; partition < 2; ++partition)
            sent.push_back(on.send(partition, std::string(300, 'x')));
    }

    partitions order;
    for (int i = 0; i < 4; ++i) {
        produce_attempt attempt = on.next();
        ASSERT_EQ(attempt.batches.size(), 1u);
        order.push_back(attempt.batches[0]->queue.partition);
        on.answer(attempt, {stored(order.back(), i)});
    }

    EXPECT_EQ(order, (partitions{0, 1, 0, 1}));
}

TEST(Sender, KeepsToTheNumberOfRequestsInFlight_NET_10) {
    sender_config config = steady_config();
    config.in_flight_max = 2;
    sender_fixture on(config);
    const auto sent = on.send_batches(0, 3);
    produce_attempt first = on.next(), second = on.next();
    ASSERT_EQ(second.batches.size(), 1u);
    EXPECT_TRUE(on.next().batches.empty());

    on.answer(first, {stored(0, 0)});
    produce_attempt third = on.next();

    EXPECT_EQ(third.batches.size(), 1u);
    on.lose(second);
    on.lose(third);
}

TEST(Sender, ABrokerThatIsBusyHoldsNoOtherUp_SDR_14) {
    sender_config config = steady_config();
    config.in_flight_max = 1;
    sender_fixture on(config);
    on.tested.set_leader(on.queue(1), 2, 5);
    const held_record a = on.send(0, "a");
    produce_attempt busy = on.next(1);
    const held_record b = on.send(0, "b"), c = on.send(1, "c");

    produce_attempt other = on.next(2);

    EXPECT_TRUE(on.next(1).batches.empty());
    EXPECT_EQ(partitions_of(other), partitions{1});
    on.lose(busy);
    on.lose(other);
}

TEST(Sender, WithOneInFlightAPartitionIsMutedUntilItsAnswer_ACC_22) {
    sender_config config = plain_config();
    config.in_flight_max = 1;
    sender_fixture on(config);
    const auto sent = on.send_batches(0, 2);
    produce_attempt first = on.next(1);
    on.tested.set_leader(on.queue(0), 2, 6);  // where nothing is in flight

    EXPECT_TRUE(on.next(2).batches.empty());
    on.answer(first, {stored(0, 0)});

    produce_attempt second = on.next(2);
    EXPECT_EQ(partitions_of(second), partitions{0});
    on.lose(second);
}

TEST(Sender, AsksForTheLeaderOfAPartitionThatHasData_ACC_14) {
    sender_fixture on;
    const held_record record = on.append(on.queue(4), "a", at(0ms));
    EXPECT_FALSE(on.tested.wants_metadata());

    on.tested.collect();

    ASSERT_TRUE(on.tested.wants_metadata());
    const auto wants = on.tested.take_metadata_wants();
    EXPECT_TRUE(wants.update);
    EXPECT_EQ(wants.topics, std::vector<const topic_queues*>{&on.topic});
    EXPECT_FALSE(on.tested.wants_metadata()) << "taken once";

    on.tested.set_leader(on.queue(4), 2, 0);
    produce_attempt attempt = on.next(2);
    EXPECT_EQ(partitions_of(attempt), partitions{4});
    on.lose(attempt);
}

TEST(Sender, WaitsUntilTheLeaderIsConnected) {
    sender_fixture on;
    on.tested.on_broker_lost(1);
    const held_record record = on.send(0, "a");
    EXPECT_TRUE(on.next().batches.empty());

    on.tested.on_broker_usable(1);

    produce_attempt attempt = on.next();
    EXPECT_EQ(partitions_of(attempt), partitions{0});
    on.lose(attempt);
}

TEST(Sender, NamesTheBrokersThatHaveSomethingToSend) {
    sender_fixture on;
    on.tested.set_leader(on.queue(1), 2, 5);
    const held_record a = on.send(1, "a"), b = on.send(0, "b");
    on.tested.collect();
    const auto active = [&] {
        partitions ids;
        on.tested.for_each_active([&](broker_queue& each) { ids.push_back(each.node_id); });
        return ids;
    };

    EXPECT_EQ(active(), (partitions{2, 1})) << "in the order in which they got it";
    produce_attempt attempt = on.next(2);
    EXPECT_EQ(active(), (partitions{2, 1})) << "looked at once more, and found empty";
    EXPECT_EQ(active(), partitions{1});
    on.lose(attempt);
}

TEST(Sender, SendsNothingBeforeItHasAProducerId_IDM_1) {
    sender_fixture on;
    on.tested.set_identity(producer_identity{});
    EXPECT_FALSE(on.tested.wants_identity()) << "nothing is to be sent";
    const held_record record = on.send(0, "a");

    EXPECT_TRUE(on.next().batches.empty());
    EXPECT_TRUE(on.tested.wants_identity());

    on.tested.set_identity({12, 3});
    EXPECT_FALSE(on.tested.wants_identity());
    produce_attempt attempt = on.next();
    ASSERT_EQ(attempt.batches.size(), 1u);
    EXPECT_EQ(attempt.batches[0]->identity, (producer_identity{12, 3}));
    EXPECT_EQ(attempt.batches[0]->base_sequence, 0);
    on.lose(attempt);
}

TEST(Sender, WithoutIdempotenceNoIdIsWanted_RB_2) {
    sender_fixture on(plain_config());
    const held_record record = on.send(0, "a");

    produce_attempt attempt = on.next();

    ASSERT_EQ(attempt.batches.size(), 1u);
    EXPECT_FALSE(on.tested.wants_identity());
    EXPECT_FALSE(attempt.batches[0]->has_sequence());
    EXPECT_EQ(attempt.batches[0]->identity, producer_identity{});
    on.lose(attempt);
}

TEST(Sender, SequencesAreGivenInTheOrderOfSending_ACC_20) {
    sender_fixture on;
    std::vector<held_record> sent;
    for (const char* value : {"a", "b", "c"}) sent.push_back(on.send(0, value));
    produce_attempt first = on.next();
    sent.push_back(on.send(0, "d"));
    produce_attempt second = on.next();

    EXPECT_EQ(first.batches[0]->base_sequence, 0);
    EXPECT_EQ(second.batches[0]->base_sequence, 3);
    on.answer(first, {stored(0, 0)});
    on.answer(second, {stored(0, 3)});
}

// ---- leaders

TEST(Sender, QueuedBatchesFollowTheLeader) {
    sender_fixture on;
    const held_record record = on.send(0, "a");
    on.tested.collect();

    on.tested.set_leader(on.queue(0), 2, 6);

    EXPECT_TRUE(on.next(1).batches.empty());
    produce_attempt attempt = on.next(2);
    EXPECT_EQ(partitions_of(attempt), partitions{0});
    EXPECT_EQ(attempt.batches[0]->attempted_leader_epoch, 6);
    on.lose(attempt);
}

TEST(Sender, APartitionThatLosesItsLeaderAsksForOne) {
    sender_fixture on;
    const held_record record = on.send(0, "a");
    on.tested.collect();

    on.tested.set_leader(on.queue(0), no_node, 6);

    EXPECT_TRUE(on.next(1).batches.empty());
    EXPECT_TRUE(on.tested.wants_metadata());
}

struct known_cluster {
    snapshot cluster;
    topic_node node;

    explicit known_cluster(std::vector<std::int32_t> brokers,
                           std::vector<std::pair<std::int32_t, std::int32_t>> leaders) {
        for (const std::int32_t id : brokers) cluster.brokers.emplace_back().id = id;
        for (const auto& [leader, epoch] : leaders) {
            partition_node& added = node.partitions.emplace_back();
            added.leader = leader;
            added.leader_epoch = epoch;
        }
        node.id.octets[0] = std::byte{9};
    }
};

TEST(Sender, MetadataTellsTheLeadersOfTheQueuesThatExist) {
    sender_fixture on;
    partition_queue& first = on.queue(0);
    partition_queue& third = on.queue(2);
    const known_cluster known({1, 2}, {{2, 7}, {1, 7}, {1, 8}});

    on.tested.on_topic(on.topic, &known.node, known.cluster);

    EXPECT_EQ(first.leader, &on.tested.broker(2));
    EXPECT_EQ(first.leader_epoch, 7);
    EXPECT_EQ(third.leader, &on.tested.broker(1));
    EXPECT_EQ(third.leader_epoch, 8);
    EXPECT_EQ(on.topic.id, known.node.id);
    EXPECT_EQ(on.accumulator.queue_count(), 2u) << "no queue is made for what is not used";
}

TEST(Sender, ALeaderThatIsNotAmongTheBrokersIsNone_MD_21) {
    sender_fixture on;
    partition_queue& queue = on.led(0);
    const known_cluster known({1, 2}, {{3, 7}});

    on.tested.on_topic(on.topic, &known.node, known.cluster);

    EXPECT_EQ(queue.leader, nullptr);
}

TEST(Sender, ATopicThatIsGoneHasNoLeaders) {
    sender_fixture on;
    partition_queue& queue = on.led(0);

    on.tested.on_topic(on.topic, nullptr, snapshot{});

    EXPECT_EQ(queue.leader, nullptr);
}

TEST(Sender, APartitionThatTheTopicDoesNotHaveHasNoLeader) {
    sender_fixture on;
    partition_queue& queue = on.led(1);
    const known_cluster known({1, 2}, {{1, 7}});

    on.tested.on_topic(on.topic, &known.node, known.cluster);

    EXPECT_EQ(queue.leader, nullptr);
}

TEST(Sender, OldMetadataDoesNotTakeBackWhatAHintHasTold_MD_10) {
    sender_fixture on;
    partition_queue& queue = on.queue(0);
    on.tested.set_leader(queue, 2, 9);  // a hint
    const known_cluster old({1, 2}, {{1, 8}});

    on.tested.on_topic(on.topic, &old.node, old.cluster);

    EXPECT_EQ(queue.leader, &on.tested.broker(2));
    EXPECT_EQ(queue.leader_epoch, 9);
}

// ---- the bytes

struct sent_batch {
    std::string topic;
    wire::uuid topic_id;
    std::int32_t partition = -1;
    batch_header header;
    bool is_crc_right = false;
    texts records;
};

struct sent_request {
    wire::request_header header;
    std::string client_id;
    std::int16_t acks = 0;
    std::int32_t timeout_ms = 0;
    std::vector<sent_batch> batches;
};

sent_request read_request(const wire::writer& written) {
    const std::vector<std::byte> frame = written.gathered();
    wire::reader in(bytes(frame).subspan(wire::frame_prefix_size));
    sent_request read;
    read.header = wire::read_request_header(in);
    read.client_id = std::string(read.header.client_id.value_or(""));
    wire::produce_request body;
    const error_code error = wire::decode(body, read.header.version, in);
    EXPECT_FALSE(error);
    read.acks = body.acks;
    read.timeout_ms = body.timeout_ms;
    for (const auto& topic : body.topic_data) {
        for (const auto& partition : topic.partition_data) {
            sent_batch& added = read.batches.emplace_back();
            added.topic = std::string(topic.name);
            added.topic_id = topic.topic_id;
            added.partition = partition.index;
            std::vector<std::byte> whole;
            for (const bytes piece : partition.records.pieces())
                whole.insert(whole.end(), piece.begin(), piece.end());
            const auto header = decode_batch_header(whole);
            EXPECT_TRUE(header.has_value());
            added.header = *header;
            added.is_crc_right = has_valid_crc(*header, whole);
            batch_reader records(*header, bytes(whole).subspan(batch_header::size_bytes));
            while (const auto record = records.next()) added.records.push_back(text_of(record->parts));
            EXPECT_FALSE(records.error());
        }
    }
    return read;
}

TEST(Sender, TheRequestSaysWhatIsInIt_SDR_10) {
    sender_config config = steady_config();
    config.acks = -1;
    config.request_timeout_ms = 1234;
    sender_fixture on(config);
    const held_record a = on.append(on.led(3), parts_of("k", "v", 1700), at(0ms)),
                      b = on.append(on.led(3), parts_of(std::nullopt, "w", 1690), at(0ms));
    produce_attempt attempt = on.next();
    wire::writer out;

    ASSERT_FALSE(on.tested.encode(attempt, 9, "me", out));

    const sent_request sent = read_request(out);
    EXPECT_EQ(sent.header.api_key, 0);
    EXPECT_EQ(sent.header.version, 9);
    EXPECT_EQ(sent.client_id, "me");
    EXPECT_EQ(sent.acks, -1);
    EXPECT_EQ(sent.timeout_ms, 1234);
    ASSERT_EQ(sent.batches.size(), 1u);
    const sent_batch& only = sent.batches.front();
    EXPECT_EQ(only.topic, "orders");
    EXPECT_EQ(only.partition, 3);
    EXPECT_TRUE(only.is_crc_right);
    EXPECT_EQ(only.header.record_count, 2);
    EXPECT_EQ(only.header.last_offset_delta, 1);
    EXPECT_EQ(only.header.base_timestamp, 1700);
    EXPECT_EQ(only.header.max_timestamp, 1700);
    EXPECT_EQ(only.header.producer_id, identity.id);
    EXPECT_EQ(only.header.producer_epoch, identity.epoch);
    EXPECT_EQ(only.header.base_sequence, 0);
    EXPECT_EQ(only.records, (texts{"k=v @1700", "null=w @1690"}));
    on.answer(attempt, {stored(3, 0)});
}

TEST(Sender, BatchesOfATopicStandTogether) {
    sender_fixture on;
    topic_queues& other = on.accumulator.add_topic("payments");
    std::vector<held_record> sent;
    const auto queue_in = [&](topic_queues& topic, std::int32_t partition) -> partition_queue& {
        partition_queue& found = on.accumulator.queue(topic, partition);
        on.tested.set_leader(found, 1, 5);
        return found;
    };
    sent.push_back(on.append(queue_in(on.topic, 1), "a"));
    sent.push_back(on.append(queue_in(other, 0), "b"));
    sent.push_back(on.append(queue_in(on.topic, 0), "c"));
    produce_attempt attempt = on.next();
    wire::writer out;

    ASSERT_FALSE(on.tested.encode(attempt, 9, "", out));

    std::vector<std::string> places;
    for (const sent_batch& each : read_request(out).batches) {
        places.push_back(each.topic + "-" + std::to_string(each.partition) + " " + each.records.at(0));
    }
    EXPECT_EQ(places, (std::vector<std::string>{"orders-1 null=a @1000", "orders-0 null=c @1000",
                                                "payments-0 null=b @1000"}));
    on.lose(attempt);
}

TEST(Sender, ATopicWhoseIdIsUnknownIsSentByName) {
    sender_fixture on;
    const held_record record = on.send(0, "a");
    produce_attempt attempt = on.next();
    wire::writer by_name, by_id;

    ASSERT_FALSE(on.tested.encode(attempt, 13, "", by_name));
    EXPECT_EQ(attempt.version, 12);
    EXPECT_EQ(read_request(by_name).batches.at(0).topic, "orders");

    on.topic.id.octets[0] = std::byte{7};
    ASSERT_FALSE(on.tested.encode(attempt, 13, "", by_id));
    EXPECT_EQ(attempt.version, 13);
    EXPECT_EQ(read_request(by_id).batches.at(0).topic_id, on.topic.id);
    on.lose(attempt);
}

TEST(Sender, EncodesByReferenceWithoutCopyingRecords) {
    sender_fixture on;
    const held_record record = on.send(0, std::string(3000, 'x'));  // three chunks
    produce_attempt attempt = on.next();
    wire::writer out;

    ASSERT_FALSE(on.tested.encode(attempt, 9, "", out));

    std::vector<bytes> chunks;
    attempt.batches[0]->records.append_pieces(chunks);
    std::vector<iovec> pieces;
    out.pieces(pieces);
    std::size_t found = 0;
    for (const bytes chunk : chunks) {
        for (const iovec& piece : pieces) found += piece.iov_base == chunk.data() ? 1 : 0;
    }
    EXPECT_EQ(chunks.size(), 3u);
    EXPECT_EQ(found, 3u);
    on.lose(attempt);
}

TEST(Sender, ARetryIsTheSameBatchUnderTheSameSequence_IDM_5) {
    sender_fixture on;
    const held_record record = on.send(0, "a");
    produce_attempt attempt = on.next();
    wire::writer first, second;
    ASSERT_FALSE(on.tested.encode(attempt, 9, "", first));

    on.lose(attempt);
    on.tested.on_time(at(100ms));
    attempt = on.next(1, at(100ms));
    ASSERT_EQ(attempt.batches.size(), 1u);
    ASSERT_FALSE(on.tested.encode(attempt, 9, "", second));

    EXPECT_EQ(first.gathered(), second.gathered());
    on.answer(attempt, {stored(0, 0)}, at(100ms));
}

}  // namespace
}  // namespace sluice
