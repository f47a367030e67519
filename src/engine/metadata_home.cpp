#include "engine/metadata_home.hpp"

#include <fmt/format.h>

#include "engine/producer_core.hpp"
#include "engine/shard.hpp"
#include "wire/frame.hpp"

namespace sluice {

class metadata_home::exchange final : public outgoing_request {
public:
    explicit exchange(metadata_home& of) noexcept : home_(of) {}

    void on_answer(bytes body, time_point now) override {
        wire::metadata_response answer;
        wire::reader in(body);
        if (const error_code error = wire::decode(answer, version, in)) {
            over->close(error,
                        fmt::format("{}: an answer to Metadata that cannot be read", over->address().text()),
                        now);
            home_.keeper_.on_failure(now);
            return;
        }
        if (home_.keeper_.on_response(answer, version, now)) home_.publish();
    }
    void on_failure(error_code, bool, time_point now) override { home_.keeper_.on_failure(now); }
    void on_released() override {
        is_under_way = false;
        home_.shard_.finish_if_quiet();
    }

    bool is_under_way = false;
    connection* over = nullptr;

private:
    metadata_home& home_;
};

metadata_home::metadata_home(shard& on, const metadata_limits& limits, std::uint64_t seed)
    : shard_(on), keeper_(limits, seed), exchange_(std::make_unique<exchange>(*this)) {}

metadata_home::~metadata_home() {
    ensure(is_idle());
}

bool metadata_home::is_idle() const noexcept {
    return !exchange_->is_under_way;
}

void metadata_home::on_hint(const leader_hint& hint) {
    if (keeper_.on_hint(hint)) publish();
    keeper_.request_update();
}

void metadata_home::run(time_point now) {
    is_blocked_ = false;
    if (is_stopped_ || exchange_->is_under_way || keeper_.next_due() > now) return;
    if (connection* over = shard_.least_loaded_connection(now, next_try_)) return ask(*over, now);
    is_blocked_ = true;  // until a connection is ready, or one may be tried again
}

void metadata_home::ask(connection& over, time_point now) {
    const auto version = over.versions().version_for(wire::api_key::metadata);
    if (!version) {
        over.close(errc::unsupported_version,
                   fmt::format("{}: no version of Metadata that we speak", over.address().text()), now);
        return;
    }
    const metadata_keeper::question question = keeper_.start(now);
    wire::metadata_request request;
    request.topics.emplace();
    for (const std::string_view name : question.topics) request.topics->emplace_back().name = name;
    request.allow_auto_topic_creation = true;  // MDW-17
    exchange& next = *exchange_;
    next.key = wire::api_key::metadata;
    next.version = *version;
    next.frame.clear();
    next.over = &over;
    const error_code error =
        wire::write_request(next.frame, request, *version, 0, shard_.core().connecting().client_id);
    if (error) {  // a topic name that no version can carry
        shard_.core().log().warning("Metadata cannot be asked for: {}", error.message());
        keeper_.on_failure(now);
        return;
    }
    next.is_under_way = true;
    over.send(next, now);
    over.flush(now);
}

void metadata_home::publish() {
    shard_.core().publish(keeper_.current());
}

time_point metadata_home::next_deadline() const noexcept {
    if (is_stopped_ || exchange_->is_under_way) return never;
    return is_blocked_ ? next_try_ : keeper_.next_due();
}

}  // namespace sluice
