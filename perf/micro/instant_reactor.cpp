#include "micro/instant_reactor.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/ensure.hpp"
#include "counts/counted_section.hpp"
#include "wire/api/api_versions.hpp"
#include "wire/api/init_producer_id.hpp"
#include "wire/api/produce.hpp"
#include "wire/big_endian.hpp"
#include "wire/frame.hpp"

namespace sluice::perf {
namespace {

void finish(io_operation& operation, int result, completion_list& completed, std::size_t& count) {
    operation.result = result;
    completed.push(operation);
    ++count;
}

}  // namespace

result<socket_id> instant_reactor::open(int, const socket_options&) {
    peers_[next_id_];
    return socket_id{next_id_++};
}

void instant_reactor::close(socket_id socket) noexcept {
    peers_.erase(static_cast<std::int32_t>(socket));
}

void instant_reactor::connect(socket_id, connect_operation& operation) noexcept {
    operation.is_pending = true;
    finish(operation, 0, completed_, completed_count_);
}

void instant_reactor::send(socket_id socket, send_operation_base& operation) noexcept {
    operation.is_pending = true;
    std::size_t size = 0;
    for (std::size_t i = 0; i < operation.message.msg_iovlen; ++i)
        size += operation.message.msg_iov[i].iov_len;
    sent_bytes_ += size;
    finish(operation, static_cast<int>(size), completed_, completed_count_);
    peer& to = peers_[static_cast<std::int32_t>(socket)];
    // Produce wants no answer; only small requests are looked at.
    if (size > 1024 && answers_ == instant_answers::none) return;
    const uncounted_section broker;
    take(to, operation);
}

// Answers every request that is there completely.
void instant_reactor::take(peer& from, const send_operation_base& sent) {
    for (std::size_t i = 0; i < sent.message.msg_iovlen; ++i) {
        const auto* start = static_cast<const std::byte*>(sent.message.msg_iov[i].iov_base);
        from.asked.insert(from.asked.end(), start, start + sent.message.msg_iov[i].iov_len);
    }
    bytes left(from.asked);
    while (left.size() >= wire::frame_prefix_size) {
        const auto size = static_cast<std::size_t>(wire::load_big_endian<std::int32_t>(left.data()));
        if (left.size() - wire::frame_prefix_size < size) break;
        answer(from, left.subspan(wire::frame_prefix_size, size));
        left = left.subspan(wire::frame_prefix_size + size);
    }
    from.asked.erase(from.asked.begin(), from.asked.end() - static_cast<std::ptrdiff_t>(left.size()));
    deliver(from);
}

void instant_reactor::answer(peer& from, bytes request) {
    wire::writer out;
    wire::reader in(request);
    const wire::request_header header = wire::read_request_header(in);
    error_code error;
    if (header.api_key == static_cast<std::int16_t>(wire::api_key::api_versions)) {
        wire::api_versions_response body;
        for (const wire::api& each : wire::apis) {
            body.api_keys.push_back(
                {static_cast<std::int16_t>(each.key), each.versions.min, each.versions.max});
        }
        error = wire::write_response(out, body, header.version, header.correlation_id);
    } else if (header.api_key == static_cast<std::int16_t>(wire::api_key::metadata)) {
        wire::metadata_request asked;
        error = wire::decode(asked, header.version, in);
        wire::metadata_response body;
        body.brokers.push_back({1, "127.0.0.1", 9092, std::nullopt});
        for (std::size_t i = 0; i < topics_.size(); ++i) {
            if (!was_asked_for(topics_[i], asked)) continue;
            auto& topic = body.topics.emplace_back();
            topic.name = topics_[i].name;
            topic.topic_id.octets[0] = static_cast<std::byte>(i + 1);
            for (std::int32_t p = 0; p < topics_[i].partition_count; ++p) {
                auto& partition = topic.partitions.emplace_back();
                partition.partition_index = p;
                partition.leader_id = 1;
                partition.leader_epoch = 0;
                for (std::int32_t node = 1; node <= topics_[i].replica_count; ++node) {
                    partition.replica_nodes.push_back(node);
                    partition.isr_nodes.push_back(node);
                }
            }
        }
        error = wire::write_response(out, body, header.version, header.correlation_id);
    } else if (header.api_key == static_cast<std::int16_t>(wire::api_key::init_producer_id)) {
        wire::init_producer_id_response body;
        body.producer_id = 1;
        error = wire::write_response(out, body, header.version, header.correlation_id);
    } else if (header.api_key == static_cast<std::int16_t>(wire::api_key::produce)) {
        wire::produce_request asked;
        error = wire::decode(asked, header.version, in);
        if (asked.acks == 0) return;
        wire::produce_response body;
        for (const wire::topic_produce_data& sent : asked.topic_data) {
            auto& topic = body.responses.emplace_back();
            topic.name = sent.name;
            topic.topic_id = sent.topic_id;
            for (const wire::partition_produce_data& each : sent.partition_data)
                topic.partition_responses.emplace_back().index = each.index;
        }
        error = wire::write_response(out, body, header.version, header.correlation_id);
    }
    ensure(!error);
    const std::vector<std::byte> gathered = out.gathered();
    from.answer.insert(from.answer.end(), gathered.begin(), gathered.end());
}

bool instant_reactor::was_asked_for(const instant_topic& topic, const wire::metadata_request& request) const {
    if (!request.topics) return true;
    return std::any_of(request.topics->begin(), request.topics->end(),
                       [&](const wire::metadata_request_topic& each) { return each.name == topic.name; });
}

void instant_reactor::deliver(peer& to) {
    if (to.receiving == nullptr || to.answer.empty()) return;
    const std::size_t size = std::min(to.answer.size(), to.receiving->buffer.size());
    std::memcpy(to.receiving->buffer.data(), to.answer.data(), size);
    to.answer.erase(to.answer.begin(), to.answer.begin() + static_cast<std::ptrdiff_t>(size));
    if (to.answer.empty())
        to.answer =
            std::vector<std::byte>();  // one that named many partitions is to take no memory afterwards
    finish(*std::exchange(to.receiving, nullptr), static_cast<int>(size), completed_, completed_count_);
}

void instant_reactor::receive(socket_id socket, receive_operation& operation) noexcept {
    operation.is_pending = true;
    peer& from = peers_[static_cast<std::int32_t>(socket)];
    from.receiving = &operation;
    deliver(from);
}

void instant_reactor::cancel(io_operation& operation) noexcept {
    for (auto& [id, each] : peers_) {
        static_cast<void>(id);
        if (each.receiving == &operation) {
            finish(*std::exchange(each.receiving, nullptr), -ECANCELED, completed_, completed_count_);
        }
    }
}

std::size_t instant_reactor::pending_count() const noexcept {
    std::size_t count = completed_count_;
    for (const auto& [id, each] : peers_) {
        static_cast<void>(id);
        count += each.receiving != nullptr ? 1 : 0;
    }
    return count;
}

void instant_reactor::submit_and_wait(time_point deadline, completion_list& completed) noexcept {
    if (clock_ == instant_clock::stepping && completed_.empty() && !is_rung_.load() && deadline != never)
        stepped_ = std::max(stepped_, deadline);
    while (completed_.empty() && !is_rung_.load() && now() < deadline) {}
    is_rung_.store(false);
    completed_count_ = 0;
    while (io_operation* each = completed_.pop()) completed.push(*each);
}

wall_time instant_reactor::wall_now() const noexcept {
    return wall_time{std::chrono::duration_cast<std::chrono::milliseconds>(
                         std::chrono::system_clock::now().time_since_epoch())
                         .count()};
}

}  // namespace sluice::perf
