#include "sluice/producer.hpp"

#include <fmt/format.h>

#include <atomic>

#include "base/random_seed.hpp"
#include "engine/partitions_query.hpp"
#include "engine/producer_core.hpp"
#include "producer/create.hpp"

namespace sluice {

call_operation<producer> create_with(std::vector<event_loop*> loops, producer_config config,
                                     resolver_factory names) {
    return call_operation<producer>([loops = std::move(loops), config = std::move(config),
                                     names = std::move(names)](const auto& result) mutable {
        result->lost_text_log = config.log;
        if (auto problem = config.validate()) {
            return result->finish(errc::invalid_config,
                                  shared_text(fmt::format("{}: {}", problem->key, problem->text)));
        }
        if (loops.empty()) {
            return result->finish(errc::invalid_config, shared_text("a producer needs a loop at least"));
        }
        static std::atomic<std::uint32_t> unnamed{0};
        if (config.client_id.empty()) config.client_id = fmt::format("producer-{}", ++unnamed);
        if (config.seed == 0) config.seed = random_seed();
        const std::size_t smallest = static_cast<std::size_t>(config.buffer_memory) / loops.size();
        if (smallest == 0) {
            return result->finish(
                errc::invalid_config,
                shared_text(fmt::format("buffer.memory: {} bytes cannot be shared by {} shards",
                                        config.buffer_memory, loops.size())));
        }
        auto core = std::make_shared<producer_core>(std::move(config), std::move(loops), std::move(names));
        core->start([core, result](error_code why, const std::string& text) {
            if (why) {
                core->abandon();
            } else {
                result->value = producer_access::make(core);
            }
            result->finish(why, shared_text(text));
        });
    });
}

call_operation<producer> producer::create(std::span<loop* const> on, producer_config config) {
    std::vector<event_loop*> loops;
    loops.reserve(on.size());
    for (loop* each : on) loops.push_back(&each->events());
    return create_with(std::move(loops), std::move(config), make_system_resolver);
}

call_operation<producer> producer::create(loop& on, producer_config config) {
    loop* const one = &on;
    return create(std::span<loop* const>(&one, 1), std::move(config));
}

call_operation<producer> producer::create(runtime& on, producer_config config) {
    return create(on.loops(), std::move(config));
}

producer& producer::operator=(producer&& other) noexcept {
    if (this == &other) return *this;
    if (core_ != nullptr) core_->abandon();
    core_ = std::move(other.core_);
    return *this;
}

producer::~producer() {
    if (core_ != nullptr) core_->abandon();
}

result<delivery> producer::try_send(const record& sent) {
    shard* const here = core_->here();
    return here != nullptr ? core_->try_send_at(*here, sent) : core_->try_stage(sent);
}

topic producer::topic(std::string_view name) {
    return core_->handle_for(name);
}

call_operation<void> producer::flush() {
    return call_operation<void>(
        [core = core_](const auto& result) { core->flush([result] { result->finish(); }); });
}

call_operation<void> producer::close(nanoseconds timeout) {
    return call_operation<void>([core = core_, timeout](const auto& result) {
        if (timeout < nanoseconds::zero()) {
            return result->finish(errc::invalid_config, shared_text("the time-out of close() is negative"));
        }
        core->close(timeout, [result] { result->finish(); });
    });
}

call_operation<std::vector<partition_info>> producer::partitions_for(std::string_view topic) {
    return call_operation<std::vector<partition_info>>(
        [core = core_, name = std::string(topic)](const auto& result) {
            ask_partitions(*core, name, [result](error_code why, shared_text text, const topic_node* known) {
                if (known != nullptr) {
                    for (const partition_node& each : known->partitions) {
                        partition_info& added = result->value.emplace_back();
                        added.partition = static_cast<std::int32_t>(result->value.size()) - 1;
                        added.leader = each.leader;
                        const partition_placement at = known->placement_of(each);
                        added.replicas.assign(at.replicas.begin(), at.replicas.end());
                        added.in_sync_replicas.assign(at.in_sync_replicas.begin(), at.in_sync_replicas.end());
                        added.offline_replicas.assign(at.offline_replicas.begin(), at.offline_replicas.end());
                    }
                }
                result->finish(why, std::move(text));
            });
        });
}

}  // namespace sluice
