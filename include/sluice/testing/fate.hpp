// What becomes of one request to a fake broker: how tests make things go wrong.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sluice/error.hpp"

namespace sluice::testing {

struct topic_partition {
    std::string topic;
    std::int32_t partition = 0;

    friend bool operator==(const topic_partition&, const topic_partition&) = default;
    friend auto operator<=>(const topic_partition&, const topic_partition&) = default;
};

// One partition's part of a Produce request. What the batch's header says is -1 where there is no such
// header.
struct produced_partition {
    topic_partition where;  // an empty topic: an id that the cluster does not know
    std::int64_t producer_id = -1;
    std::int16_t producer_epoch = -1;
    std::int32_t base_sequence = -1;
    std::int32_t record_count = -1;
    std::int32_t size_bytes = 0;
};

// A request, as `fake_cluster::on_request` sees it: whole, before the broker has done anything.
struct request_info {
    std::int32_t node_id = 0;
    std::int16_t api_key = 0;
    std::int16_t api_version = 0;
    std::int32_t correlation_id = 0;
    std::optional<std::string> client_id;
    std::uint64_t connection = 0;                // counts from 1 over the whole cluster
    std::int16_t acks = 0;                       // of Produce
    std::vector<produced_partition> partitions;  // of Produce
};

// Fates are made by name and may be combined by setting members:
//
//   fate::answer()           as a broker does
//   fate::delay(20ms)        a slow broker: this request waits, and what is behind it on the connection too
//   fate::answer_late(20ms)  a slow way back: applied now; what is behind it is applied meanwhile, and answered
//                            after it, since answers keep the order of the requests
//   auto lost = fate::error(broker_errc::not_enough_replicas); lost.answer_after = 5ms;
struct fate {
    using duration = std::chrono::steady_clock::duration;

    enum class reply : std::uint8_t {
        normal,
        disconnect,            // the connection ends instead
        garbage,               // a frame of the right size that holds `garbage_bytes`
        huge_frame,            // the size says 2 GiB, a few bytes follow
        wrong_correlation_id,  // one more than the request's
        half                   // of the partitions that were produced to, only the first half is answered
    };

    // Never: a duration that does not end.
    static constexpr duration never = duration::max();

    static fate answer() { return {}; }
    static fate delay(duration wait);
    static fate answer_late(duration wait);
    static fate never_answer();  // nor apply; what is behind it waits forever too
    static fate apply_and_never_answer();
    static fate disconnect();  // before anything was applied
    static fate apply_then_disconnect();
    // That code, for the partitions named or for all, and nothing stored in them; other partitions are served
    // as usual. Except for NOT_ENOUGH_REPLICAS_AFTER_APPEND and REQUEST_TIMED_OUT, which tell that records
    // were stored: then they are. Of requests other than Produce the whole answer has the code.
    static fate error(broker_errc code, std::vector<topic_partition> only = {});
    static fate error_after_apply(broker_errc code, std::vector<topic_partition> only = {});
    static fate garbage(std::string bytes = "\xde\xad\xbe\xefthis is not Kafka's protocol");
    static fate huge_frame();
    static fate wrong_correlation_id();
    static fate half_answer();

    duration handle_after{0};
    duration answer_after{0};
    reply how = reply::normal;
    bool is_applied = true;  // of `disconnect`, and of an error: is what the request asks for done?
    std::optional<broker_errc> code;
    std::vector<topic_partition> only;  // where the error is; empty: everywhere
    std::string garbage_bytes;
};

}  // namespace sluice::testing
