// Requests as frames, and answers out of frames.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "wire/api/api_versions.hpp"
#include "wire/api/init_producer_id.hpp"
#include "wire/api/metadata.hpp"
#include "wire/api/produce.hpp"
#include "wire/frame.hpp"

namespace sluice::testing {

inline constexpr std::int16_t produce_key = 0;
inline constexpr std::int16_t metadata_key = 3;
inline constexpr std::int16_t api_versions_key = 18;
inline constexpr std::int16_t init_producer_id_key = 22;

template <class Request>
std::vector<std::byte> frame_of(const Request& body, std::int16_t version, std::int32_t correlation_id = 1) {
    wire::writer out;
    const error_code error = wire::write_request(out, body, version, correlation_id, "tests");
    EXPECT_FALSE(error) << error.message();
    return out.gathered();
}

// A decoded answer and the frame that it looks into.
template <class Response>
struct answer_of {
    std::vector<std::byte> frame;
    std::int32_t correlation_id = 0;
    Response body;
};

// `payload`: a frame without its size.
template <class Response>
answer_of<Response> decode_answer_frame(std::vector<std::byte> payload, std::int16_t version) {
    answer_of<Response> answer;
    answer.frame = std::move(payload);
    wire::reader in(answer.frame);
    answer.correlation_id = wire::read_response_header(in, Response::key, version);
    error_code error;
    if constexpr (std::is_same_v<Response, wire::api_versions_response>) {
        error = wire::decode_answer(answer.body, version, in);
    } else {
        error = wire::decode(answer.body, version, in);
    }
    EXPECT_FALSE(error) << "an answer that cannot be read: " << error.message();
    return answer;
}

// What is produced to one partition.
struct made_part {
    std::string topic;
    std::int32_t partition = 0;
    std::vector<std::byte> records;
};

// A Produce request that owns its bytes.
struct made_produce {
    std::vector<made_part> parts;
    std::int16_t acks = -1;
    std::optional<std::string> transactional_id = std::nullopt;
    std::vector<wire::uuid> ids = {};  // of the topics, for versions that use them

    std::vector<std::byte> frame(std::int16_t version, std::int32_t correlation_id = 1) const {
        wire::produce_request request;
        request.acks = acks;
        request.timeout_ms = 5000;
        if (transactional_id) request.transactional_id = *transactional_id;
        for (std::size_t index = 0; index < parts.size(); ++index) {
            const made_part& part = parts[index];
            const auto same = std::ranges::find(request.topic_data, std::string_view(part.topic),
                                                &wire::topic_produce_data::name);
            wire::topic_produce_data& topic =
                same != request.topic_data.end() ? *same : request.topic_data.emplace_back();
            topic.name = part.topic;
            if (index < ids.size()) topic.topic_id = ids[index];
            topic.partition_data.push_back({part.partition, bytes(part.records)});
        }
        return frame_of(request, version, correlation_id);
    }
};

}  // namespace sluice::testing
