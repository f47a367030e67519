#include "sluice/testing/fake_cluster.hpp"

#include "testing/cluster_state.hpp"

namespace sluice::testing {

fake_cluster::fake_cluster(cluster_config config)
    : state_(std::make_unique<cluster_state>(std::move(config))) {}
fake_cluster::fake_cluster(fake_cluster&&) noexcept = default;
fake_cluster& fake_cluster::operator=(fake_cluster&&) noexcept = default;
fake_cluster::~fake_cluster() = default;

std::int32_t fake_cluster::broker_count() const noexcept {
    return state_->config().broker_count;
}

void fake_cluster::set_address(std::int32_t node, std::string host, std::uint16_t port) {
    if (fake_broker* broker = state_->find_broker(node)) {
        broker->host = std::move(host);
        broker->port = port;
    }
}

void fake_cluster::set_profile(std::int32_t node, broker_profile profile) {
    if (fake_broker* broker = state_->find_broker(node)) broker->profile = std::move(profile);
}

bool fake_cluster::is_alive(std::int32_t node) const noexcept {
    return state_->is_alive(node);
}
void fake_cluster::kill(std::int32_t node) {
    state_->kill(node);
}
void fake_cluster::start(std::int32_t node) {
    state_->start(node);
}

error_code fake_cluster::create_topic(std::string_view name, const topic_config& config) {
    return state_->create_topic(name, config);
}
error_code fake_cluster::delete_topic(std::string_view name) {
    return state_->delete_topic(name);
}
error_code fake_cluster::add_partitions(std::string_view name, std::int32_t partition_count) {
    return state_->add_partitions(name, partition_count);
}
bool fake_cluster::has_topic(std::string_view name) const noexcept {
    return state_->find_topic(name) != nullptr;
}

std::int32_t fake_cluster::partition_count(std::string_view name) const noexcept {
    const fake_topic* topic = state_->find_topic(name);
    return topic == nullptr ? -1 : static_cast<std::int32_t>(topic->partitions.size());
}

topic_id fake_cluster::id_of(std::string_view name) const noexcept {
    const fake_topic* topic = state_->find_topic(name);
    return topic == nullptr ? topic_id{} : topic->id.octets;
}

void fake_cluster::deny_topic(std::string_view name, bool is_denied) {
    state_->deny_topic(name, is_denied);
}
void fake_cluster::deny_idempotent_writes(bool is_denied) {
    state_->denies_idempotent_writes = is_denied;
}

std::int32_t fake_cluster::leader(std::string_view topic, std::int32_t partition) const noexcept {
    const fake_partition* found = state_->find(topic, partition);
    return found == nullptr ? no_node : found->leader;
}

std::int32_t fake_cluster::leader_epoch(std::string_view topic, std::int32_t partition) const noexcept {
    const fake_partition* found = state_->find(topic, partition);
    return found == nullptr ? -1 : found->leader_epoch;
}

std::vector<std::int32_t> fake_cluster::replicas(std::string_view topic, std::int32_t partition) const {
    const fake_partition* found = state_->find(topic, partition);
    return found == nullptr ? std::vector<std::int32_t>() : found->replicas;
}

std::vector<std::int32_t> fake_cluster::in_sync_replicas(std::string_view topic,
                                                         std::int32_t partition) const {
    const fake_partition* found = state_->find(topic, partition);
    return found == nullptr ? std::vector<std::int32_t>() : found->in_sync;
}

error_code fake_cluster::move_leader(std::string_view topic, std::int32_t partition, std::int32_t node) {
    return state_->move_leader(topic, partition, node);
}
error_code fake_cluster::shrink_isr(std::string_view topic, std::int32_t partition, std::int32_t count) {
    return state_->shrink_isr(topic, partition, count);
}
error_code fake_cluster::expand_isr(std::string_view topic, std::int32_t partition) {
    return state_->expand_isr(topic, partition);
}
error_code fake_cluster::delete_records_before(std::string_view topic, std::int32_t partition,
                                               std::int64_t offset) {
    return state_->delete_records_before(topic, partition, offset);
}
void fake_cluster::expire_producer_ids() {
    state_->expire_producer_ids();
}

void fake_cluster::set_throttle_time(std::chrono::milliseconds time) {
    state_->throttle_time = time;
}
void fake_cluster::on_request(std::function<fate(const request_info&)> decide) {
    state_->on_request(std::move(decide));
}
void fake_cluster::queue_fate(std::int16_t api_key, fate next, std::optional<std::int32_t> node) {
    state_->queue_fate(api_key, std::move(next), node);
}
std::size_t fake_cluster::queued_fate_count() const noexcept {
    return state_->queued_fate_count();
}

std::vector<log_record> fake_cluster::records(std::string_view topic, std::int32_t partition) const {
    const fake_partition* found = state_->find(topic, partition);
    return found == nullptr ? std::vector<log_record>() : found->log.records();
}

std::vector<std::vector<std::byte>> fake_cluster::batches(std::string_view topic,
                                                          std::int32_t partition) const {
    const fake_partition* found = state_->find(topic, partition);
    return found == nullptr ? std::vector<std::vector<std::byte>>() : found->log.batches();
}

std::int64_t fake_cluster::log_start_offset(std::string_view topic, std::int32_t partition) const noexcept {
    const fake_partition* found = state_->find(topic, partition);
    return found == nullptr ? -1 : found->log.start_offset();
}

std::int64_t fake_cluster::end_offset(std::string_view topic, std::int32_t partition) const noexcept {
    const fake_partition* found = state_->find(topic, partition);
    return found == nullptr ? -1 : found->log.end_offset();
}

std::int64_t fake_cluster::high_watermark(std::string_view topic, std::int32_t partition) const noexcept {
    const fake_partition* found = state_->find(topic, partition);
    return found == nullptr ? -1 : found->high_watermark;
}

append_totals fake_cluster::totals(std::string_view topic, std::int32_t partition) const noexcept {
    const fake_partition* found = state_->find(topic, partition);
    return found == nullptr ? append_totals() : found->log.totals();
}

std::uint64_t fake_cluster::request_count(std::int16_t api_key) const noexcept {
    std::uint64_t count = 0;
    for (const fake_broker& broker : state_->brokers()) count += request_count(broker.node, api_key);
    return count;
}

std::uint64_t fake_cluster::request_count(std::int32_t node, std::int16_t api_key) const noexcept {
    const fake_broker* broker = state_->find_broker(node);
    if (broker == nullptr) return 0;
    const auto found = broker->request_counts.find(api_key);
    return found == broker->request_counts.end() ? 0 : found->second;
}

std::uint64_t fake_cluster::bytes_received(std::int32_t node) const noexcept {
    const fake_broker* broker = state_->find_broker(node);
    return broker == nullptr ? 0 : broker->bytes_received;
}

std::uint64_t fake_cluster::bytes_sent(std::int32_t node) const noexcept {
    const fake_broker* broker = state_->find_broker(node);
    return broker == nullptr ? 0 : broker->bytes_sent;
}

std::uint64_t fake_cluster::connection_count(std::int32_t node) const noexcept {
    const fake_broker* broker = state_->find_broker(node);
    return broker == nullptr ? 0 : broker->connection_count;
}

}  // namespace sluice::testing
