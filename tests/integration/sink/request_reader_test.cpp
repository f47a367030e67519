// What the sink makes of a connection's bytes: no sockets.
#include "sink/request_reader.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "wire/api/api_versions.hpp"
#include "wire/api/init_producer_id.hpp"
#include "wire/api/metadata.hpp"
#include "wire/api/produce.hpp"
#include "wire/frame.hpp"

namespace sluice::sink {
namespace {

using byte_list = std::vector<std::byte>;

constexpr std::int32_t correlation_id = 77;

// A batch with that many records, as far as its head tells, and a body of any bytes.
byte_list batch(std::int32_t record_count, std::size_t body_size) {
    byte_list made(61 + body_size, std::byte{0xee});
    wire::store_big_endian(made.data() + 8, static_cast<std::int32_t>(made.size() - 12));
    made[16] = std::byte{2};
    wire::store_big_endian(made.data() + 57, record_count);
    return made;
}

struct Sink : ::testing::Test {
    topics all{4};
    rare_requests rare{all, "127.0.0.1", {1001, 1002}};
    counts sum;
    request_reader reader{all, rare, sum};

    bool give(bytes what, std::size_t at_once = request_reader::read_size) {
        while (!what.empty()) {
            const auto room = reader.room();
            const std::size_t size = std::min({what.size(), at_once, room.size()});
            std::ranges::copy(what.first(size), room.begin());
            if (!reader.received(size)) return false;
            what = what.subspan(size);
        }
        return true;
    }

    // The answers so far, frame by frame and without their sizes.
    std::vector<byte_list> take_answers() {
        std::vector<byte_list> made;
        std::size_t begin = 0;
        for (const auto& each : reader.answer_ends()) {
            const bytes frame = bytes(reader.answers()).subspan(begin, each.end - begin);
            EXPECT_EQ(frame.size() - 4,
                      static_cast<std::size_t>(wire::load_big_endian<std::int32_t>(frame.data())));
            made.emplace_back(frame.begin() + 4, frame.end());
            begin = each.end;
        }
        EXPECT_EQ(begin, reader.answers().size());
        reader.answers().clear();
        reader.answer_ends().clear();
        return made;
    }

    template <class Request>
    static byte_list encoded(const Request& request, std::int16_t version) {
        wire::writer out;
        EXPECT_FALSE(wire::write_request(out, request, version, correlation_id, "a test"));
        return out.gathered();
    }
    template <class Response>
    static Response decoded(const byte_list& answer, std::int16_t version) {
        wire::reader in{bytes(answer)};
        EXPECT_EQ(wire::read_response_header(in, Response::key, version), correlation_id);
        Response made;
        EXPECT_FALSE(wire::decode(made, version, in));
        EXPECT_FALSE(in.finished());
        return made;
    }
    template <class Response, class Request>
    Response asked(const Request& request, std::int16_t version, byte_list& answer) {
        EXPECT_TRUE(give(encoded(request, version))) << reader.error();
        auto answers = take_answers();
        EXPECT_EQ(answers.size(), 1u);
        if (answers.empty()) return {};
        answer = std::move(answers[0]);
        return decoded<Response>(answer, version);
    }

    // Two topics, three partitions, one of them without records.
    struct produce {
        byte_list first = batch(3, 200);
        byte_list second = batch(5, 10'000);
        wire::produce_request request;

        explicit produce(topics& known) {
            request.acks = -1;
            request.transactional_id = "t";
            request.topic_data.resize(2);
            request.topic_data[0].name = "orders";
            request.topic_data[0].topic_id = known.of_name("orders").id;
            request.topic_data[0].partition_data = {{.index = 1, .records = wire::records(bytes(first))},
                                                    {.index = 3, .records = wire::records(bytes(second))}};
            request.topic_data[1].name = "payments";
            request.topic_data[1].topic_id = known.of_name("payments").id;
            request.topic_data[1].partition_data = {{.index = 0, .records = {}}};
        }
    };
};

TEST_F(Sink, AnswersEveryVersionOfProduceHoweverItIsCut) {
    std::int64_t sent = 0;
    for (std::int16_t version = 3; version <= 13; ++version) {
        for (const std::size_t at_once : {1u, 7u, 100u, 8192u}) {
            SCOPED_TRACE(fmt::format("version {}, {} bytes at once", version, at_once));
            const produce made(all);
            ASSERT_TRUE(give(encoded(made.request, version), at_once)) << reader.error();

            const auto answers = take_answers();
            ASSERT_EQ(answers.size(), 1u);
            const auto answer = decoded<wire::produce_response>(answers[0], version);
            ASSERT_EQ(answer.responses.size(), 2u);
            const auto& orders = answer.responses[0];
            if (version >= 13) {
                EXPECT_EQ(orders.topic_id, all.of_name("orders").id);
            } else {
                EXPECT_EQ(orders.name, "orders");
            }
            ASSERT_EQ(orders.partition_responses.size(), 2u);
            EXPECT_EQ(orders.partition_responses[0].index, 1);
            EXPECT_EQ(orders.partition_responses[0].error_code, 0);
            EXPECT_EQ(orders.partition_responses[0].base_offset, 3 * sent);
            EXPECT_EQ(orders.partition_responses[1].index, 3);
            EXPECT_EQ(orders.partition_responses[1].base_offset, 5 * sent);
            ++sent;
        }
    }
    EXPECT_EQ(sum.requests, 44u);
    EXPECT_EQ(sum.batches, 88u);
    EXPECT_EQ(sum.records, 44u * 8);
    EXPECT_EQ(sum.bytes, 44u * (61 + 200 + 61 + 10'000));
    EXPECT_EQ(sum.errors, 0u);
}

TEST_F(Sink, LetsTheKernelDiscardWhatIsLeftOfABatch) {
    const byte_list large = batch(9, 100'000);
    wire::produce_request request;
    request.acks = 1;
    request.topic_data.resize(1);
    request.topic_data[0].name = "orders";
    request.topic_data[0].partition_data = {{.index = 0, .records = wire::records(bytes(large))}};
    const byte_list whole = encoded(request, 9);

    ASSERT_TRUE(give(bytes(whole).first(1000)));
    const std::size_t end_size = 3;  // three empty sections of tags end the request
    EXPECT_EQ(reader.skippable(), whole.size() - 1000 - end_size);
    ASSERT_TRUE(reader.skipped(reader.skippable()));
    EXPECT_EQ(reader.skippable(), 0u);
    EXPECT_TRUE(take_answers().empty());
    ASSERT_TRUE(give(bytes(whole).last(end_size)));

    const auto answers = take_answers();
    ASSERT_EQ(answers.size(), 1u);
    EXPECT_EQ(decoded<wire::produce_response>(answers[0], 9).responses.size(), 1u);
    EXPECT_EQ(sum.records, 9u);
}

TEST_F(Sink, CountsEveryBatchOfAPartition) {
    byte_list two = batch(2, 50);
    const byte_list more = batch(4, 0);
    two.insert(two.end(), more.begin(), more.end());
    wire::produce_request request;
    request.acks = -1;
    request.topic_data.resize(1);
    request.topic_data[0].name = "orders";
    request.topic_data[0].partition_data = {{.index = 0, .records = wire::records(bytes(two))}};

    ASSERT_TRUE(give(encoded(request, 7), 5));

    EXPECT_EQ(sum.batches, 2u);
    EXPECT_EQ(all.of_name("orders").next_offsets[0], 6);
}

TEST_F(Sink, SaysNothingToWhoWantsNoAcknowledgement) {
    produce made(all);
    made.request.acks = 0;

    ASSERT_TRUE(give(encoded(made.request, 9)));

    EXPECT_TRUE(take_answers().empty());
    EXPECT_EQ(sum.records, 8u);
}

TEST_F(Sink, RefusesPartitionsAndIdsThatAreNotThere) {
    produce made(all);
    made.request.topic_data[0].partition_data[0].index = 4;
    made.request.topic_data[1].topic_id.octets.fill(std::byte{9});
    ASSERT_TRUE(give(encoded(made.request, 13)));

    const auto answers = take_answers();
    ASSERT_EQ(answers.size(), 1u);
    const auto answer = decoded<wire::produce_response>(answers[0], 13);
    EXPECT_EQ(answer.responses[0].partition_responses[0].error_code, 3);
    EXPECT_EQ(answer.responses[0].partition_responses[1].error_code, 0);
    EXPECT_EQ(answer.responses[1].partition_responses[0].error_code, 100);
    EXPECT_EQ(sum.records, 5u);
}

// Every byte but those of bodies is changed, one at a time: whatever that makes of the request, the sink lives, and it never
// takes in a record more than the heads tell.
TEST_F(Sink, OutlivesBrokenRequests) {
    const produce made(all);
    const byte_list good = encoded(made.request, 9);
    std::size_t refused = 0;
    for (std::size_t at = 0; at < 150; ++at) {
        for (const int change : {0x01, 0x80, 0xff}) {
            byte_list bad = good;
            bad[at] ^= static_cast<std::byte>(change);
            request_reader fresh(all, rare, sum);
            bool goes_on = true;
            for (bytes left(bad); goes_on && !left.empty();) {
                const auto room = fresh.room();
                const std::size_t size = std::min(left.size(), room.size());
                std::ranges::copy(left.first(size), room.begin());
                goes_on = fresh.received(size);
                left = left.subspan(size);
            }
            EXPECT_EQ(goes_on, fresh.error().empty());
            refused += goes_on ? 0 : 1;
        }
    }
    EXPECT_GT(refused, 50u);
    EXPECT_TRUE(give(good)) << "a good one is good still";
}

TEST_F(Sink, AnswersApiVersionsAsKafkaDoes) {
    byte_list kept;
    for (std::int16_t version = 0; version <= 5; ++version) {
        wire::api_versions_request request;
        request.client_software_name = "a-test";
        request.client_software_version = "1";
        ASSERT_TRUE(give(encoded(request, version)));
        auto answers = take_answers();
        ASSERT_EQ(answers.size(), 1u);
        wire::reader in{bytes(answers[0])};
        (void)wire::read_response_header(in, wire::api_key::api_versions, version);
        wire::api_versions_response answer;
        ASSERT_FALSE(wire::decode_answer(answer, version, in));

        EXPECT_EQ(answer.error_code, version <= 4 ? 0 : 35) << "KIP-511";
        const auto fetch = std::ranges::find(answer.api_keys, 1, &wire::api_version::api_key);
        ASSERT_NE(fetch, answer.api_keys.end()) << "librdkafka wants it";
        EXPECT_LE(fetch->min_version, 4);
        EXPECT_GE(fetch->max_version, 4);
    }
}

TEST_F(Sink, AnswersMetadataOfAnyTopicInEveryVersion) {
    for (std::int16_t version = 0; version <= 13; ++version) {
        SCOPED_TRACE(version);
        wire::metadata_request request;
        request.topics.emplace(1);
        request.topics->front().name = "orders";
        byte_list answer;
        const auto told = asked<wire::metadata_response>(request, version, answer);

        ASSERT_EQ(told.brokers.size(), 2u);
        EXPECT_EQ(told.brokers[1].port, 1002);
        ASSERT_EQ(told.topics.size(), 1u);
        EXPECT_EQ(told.topics[0].error_code, 0);
        EXPECT_EQ(told.topics[0].name, "orders");
        ASSERT_EQ(told.topics[0].partitions.size(), 4u);
        EXPECT_EQ(told.topics[0].partitions[2].leader_id, 0);
        EXPECT_EQ(told.topics[0].partitions[3].leader_id, 1);
    }
    EXPECT_EQ(all.all().size(), 1u);
}

TEST_F(Sink, AnswersMetadataById) {
    const wire::uuid id = all.of_name("orders").id;
    wire::metadata_request request;
    request.topics.emplace(2);
    request.topics->at(0).topic_id = id;
    request.topics->at(1).topic_id.octets.fill(std::byte{1});
    byte_list answer;
    const auto told = asked<wire::metadata_response>(request, 12, answer);

    ASSERT_EQ(told.topics.size(), 2u);
    EXPECT_EQ(told.topics[0].name, "orders");
    EXPECT_EQ(told.topics[1].error_code, 100);
}

TEST_F(Sink, GivesEveryProducerAnIdOfItsOwn) {
    byte_list answer;
    std::vector<std::int64_t> ids;
    for (std::int16_t version = 0; version <= 5; ++version) {
        const auto told =
            asked<wire::init_producer_id_response>(wire::init_producer_id_request{}, version, answer);
        EXPECT_EQ(told.error_code, 0);
        EXPECT_EQ(told.producer_epoch, 0);
        ids.push_back(told.producer_id);
    }
    EXPECT_EQ(ids, (std::vector<std::int64_t>{1, 2, 3, 4, 5, 6}));

    wire::init_producer_id_request again;
    again.producer_id = 4;
    again.producer_epoch = 7;
    const auto told = asked<wire::init_producer_id_response>(again, 5, answer);
    EXPECT_EQ(told.producer_id, 4);
    EXPECT_EQ(told.producer_epoch, 8);
}

TEST_F(Sink, EndsConnectionsThatAskForMore) {
    byte_list fetch(4 + 20);
    wire::store_big_endian(fetch.data(), std::int32_t{20});
    wire::store_big_endian(fetch.data() + 4, std::int16_t{1});
    wire::store_big_endian(fetch.data() + 6, std::int16_t{4});

    EXPECT_FALSE(give(fetch));
    EXPECT_NE(reader.error().find("API 1"), std::string::npos) << reader.error();
}

}  // namespace
}  // namespace sluice::sink
